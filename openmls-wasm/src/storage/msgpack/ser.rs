//! serde's `Serializer`: every method is a call into [`Writer`].

use serde::ser::{self, Serialize};

use super::{
    byte::AsByte,
    layout::{Layout, INNER_NODES},
    Malformed, Writer,
};

type Done = Result<(), Malformed>;

/// What tls_codec's byte strings call their bytes. Looking at a shape skips them; other lists of bytes
/// it only goes through for nothing.
const BYTE_STRING: &str = "vec";

/// What the value written next is.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    /// A value like any other.
    Value,
    /// The first element of a list of that length, whose header is not written yet: if it is a
    /// byte, the whole list is written as bytes.
    FirstOf(usize, Layout),
}

pub(super) struct Serializer<'a> {
    writer: &'a mut Writer,
    next: Next,
    /// Whether the last value was written as an element of a list of bytes.
    wrote_byte: bool,
    /// How many lists the next value is in.
    depth: usize,
    /// How the next value is put into parts, if it is a list.
    layout: Layout,
}

impl<'a> Serializer<'a> {
    pub(super) fn new(writer: &'a mut Writer) -> Self {
        Self {
            writer,
            next: Next::Value,
            wrote_byte: false,
            depth: 0,
            layout: Layout::default(),
        }
    }

    /// The writer, for a value that is no element of a list of bytes.
    fn value(&mut self) -> Result<&mut Writer, Malformed> {
        match std::mem::replace(&mut self.next, Next::Value) {
            Next::Value => {}
            Next::FirstOf(length, layout) => self.writer.begin_list(self.depth, length, layout)?,
        }
        self.wrote_byte = false;
        Ok(self.writer)
    }

    fn byte(&mut self, byte: u8) -> Done {
        match self.next {
            Next::Value => {
                self.value()?.unsigned(u64::from(byte));
                return Ok(());
            }
            Next::FirstOf(length, _) => self.writer.bytes_header(length)?,
        }
        self.next = Next::Value;
        self.writer.byte_string(1, [Ok(byte)].into_iter())?;
        self.wrote_byte = true;
        Ok(())
    }

    fn variant(&mut self, name: &str) -> Done {
        let writer = self.value()?;
        writer.map_header(1)?;
        writer.name(name)
    }
}

/// A list under way.
pub(super) struct List<'a, 'w> {
    serializer: &'a mut Serializer<'w>,
    length: usize,
    layout: Layout,
    written: usize,
    /// Whether the list is one of bytes: known after its first element.
    of_bytes: bool,
}

impl List<'_, '_> {
    fn before_element(&mut self) {
        self.serializer.next = match self.written {
            0 => Next::FirstOf(self.length, self.layout),
            _ => Next::Value,
        };
    }

    fn after_element(&mut self) {
        if self.written == 0 {
            self.of_bytes = self.serializer.wrote_byte;
        }
        self.written += 1;
        if !self.of_bytes {
            self.serializer.writer.end_element(self.serializer.depth);
        }
    }

    fn finish(self) -> Done {
        if self.written != self.length {
            return Err(Malformed);
        }
        if self.length == 0 {
            // Nobody knows of what; an empty list of bytes reads as either.
            self.serializer.writer.bytes_header(0)?;
        }
        self.serializer.writer.end_list(self.serializer.depth);
        self.serializer.depth -= 1;
        self.serializer.wrote_byte = false;
        Ok(())
    }
}

impl ser::SerializeSeq for List<'_, '_> {
    type Ok = ();
    type Error = Malformed;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        if self.of_bytes {
            let byte = value.serialize(AsByte)?;
            self.serializer
                .writer
                .byte_string(1, [byte].into_iter().map(Ok))?;
            self.written += 1;
            return Ok(());
        }
        let depth = self.serializer.depth;
        // What the list is of is not known before its first element.
        if self.written == 0 || !self.serializer.writer.is_skipping(depth) {
            self.before_element();
            value.serialize(&mut *self.serializer)?;
        }
        self.after_element();
        Ok(())
    }

    fn end(self) -> Done {
        self.finish()
    }
}

impl<'a, 'w> ser::Serializer for &'a mut Serializer<'w> {
    type Ok = ();
    type Error = Malformed;
    type SerializeSeq = List<'a, 'w>;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, value: bool) -> Done {
        self.value()?.bool(value);
        Ok(())
    }
    fn serialize_i8(self, value: i8) -> Done {
        self.serialize_i64(i64::from(value))
    }
    fn serialize_i16(self, value: i16) -> Done {
        self.serialize_i64(i64::from(value))
    }
    fn serialize_i32(self, value: i32) -> Done {
        self.serialize_i64(i64::from(value))
    }
    fn serialize_i64(self, value: i64) -> Done {
        self.value()?.signed(value);
        Ok(())
    }
    fn serialize_u8(self, value: u8) -> Done {
        self.byte(value)
    }
    fn serialize_u16(self, value: u16) -> Done {
        self.serialize_u64(u64::from(value))
    }
    fn serialize_u32(self, value: u32) -> Done {
        self.serialize_u64(u64::from(value))
    }
    fn serialize_u64(self, value: u64) -> Done {
        self.value()?.unsigned(value);
        Ok(())
    }
    fn serialize_f32(self, value: f32) -> Done {
        self.serialize_f64(f64::from(value))
    }
    fn serialize_f64(self, value: f64) -> Done {
        self.value()?.float(value);
        Ok(())
    }
    fn serialize_char(self, value: char) -> Done {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }
    fn serialize_str(self, value: &str) -> Done {
        self.value()?.string(value)
    }
    fn serialize_bytes(self, value: &[u8]) -> Done {
        let writer = self.value()?;
        writer.bytes_header(value.len())?;
        if !writer.is_probing() {
            writer.append(value);
        }
        Ok(())
    }
    fn serialize_none(self) -> Done {
        self.value()?.nil();
        Ok(())
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        // Inside a list, `Some(byte)` and `None` would otherwise mix.
        self.value()?;
        value.serialize(self)
    }
    fn serialize_unit(self) -> Done {
        self.serialize_none()
    }
    fn serialize_unit_struct(self, _: &'static str) -> Done {
        self.serialize_none()
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Done {
        self.serialize_str(name)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Done {
        // Nothing that OpenMLS has is called so: a field of that name, read without its type.
        if name == INNER_NODES {
            self.layout = Layout::of_field(name);
        }
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Done {
        self.variant(name)?;
        value.serialize(self)
    }
    fn serialize_seq(self, length: Option<usize>) -> Result<List<'a, 'w>, Malformed> {
        // The header of the list that this one is an element of comes first.
        self.value()?;
        self.depth += 1;
        Ok(List {
            layout: std::mem::take(&mut self.layout),
            serializer: self,
            length: length.ok_or(Malformed)?,
            written: 0,
            of_bytes: false,
        })
    }
    /// Lists as serde hands over those of memory: bytes are copied as what they are.
    fn collect_seq<I>(self, list: I) -> Done
    where
        I: IntoIterator,
        I::Item: Serialize,
    {
        let mut elements = list.into_iter();
        let length = match elements.size_hint() {
            (least, Some(most)) if least == most => least,
            _ => return Err(Malformed),
        };
        let first = elements.next();
        let byte = first
            .as_ref()
            .and_then(|first| first.serialize(AsByte).ok());
        if let Some(byte) = byte {
            let writer = self.value()?;
            writer.bytes_header(length)?;
            let others = elements.map(|element| element.serialize(AsByte));
            return writer.byte_string(length, std::iter::once(Ok(byte)).chain(others));
        }
        let mut list = self.serialize_seq(Some(length))?;
        for element in first.into_iter().chain(elements) {
            ser::SerializeSeq::serialize_element(&mut list, &element)?;
        }
        ser::SerializeSeq::end(list)
    }
    fn serialize_tuple(self, length: usize) -> Result<Self, Malformed> {
        self.value()?.array_header(length)?;
        Ok(self)
    }
    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<Self, Malformed> {
        self.serialize_tuple(length)
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        length: usize,
    ) -> Result<Self, Malformed> {
        self.variant(name)?;
        self.serialize_tuple(length)
    }
    fn serialize_map(self, length: Option<usize>) -> Result<Self, Malformed> {
        self.value()?.map_header(length.ok_or(Malformed)?)?;
        Ok(self)
    }
    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Self, Malformed> {
        self.serialize_map(Some(length))
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        length: usize,
    ) -> Result<Self, Malformed> {
        self.variant(name)?;
        self.serialize_map(Some(length))
    }
}

macro_rules! elements {
    ($trait:ident, $method:ident) => {
        impl ser::$trait for &mut Serializer<'_> {
            type Ok = ();
            type Error = Malformed;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                value.serialize(&mut **self)
            }
            fn end(self) -> Done {
                Ok(())
            }
        }
    };
}
elements!(SerializeTuple, serialize_element);
elements!(SerializeTupleStruct, serialize_field);
elements!(SerializeTupleVariant, serialize_field);

macro_rules! fields {
    ($trait:ident) => {
        impl ser::$trait for &mut Serializer<'_> {
            type Ok = ();
            type Error = Malformed;
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Done {
                if name == BYTE_STRING && self.writer.is_probing() {
                    return self.writer.bytes_header(0);
                }
                self.writer.name(name)?;
                // Inside a list nothing is put into parts.
                if self.depth == 0 {
                    self.layout = Layout::of_field(name);
                }
                value.serialize(&mut **self)
            }
            fn end(self) -> Done {
                Ok(())
            }
        }
    };
}
fields!(SerializeStruct);
fields!(SerializeStructVariant);

impl ser::SerializeMap for &mut Serializer<'_> {
    type Ok = ();
    type Error = Malformed;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        match self.writer.is_probing() {
            // As for a struct, which this may have been.
            true => Ok(()),
            false => key.serialize(&mut **self),
        }
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.layout = Layout::default();
        value.serialize(&mut **self)
    }
    fn end(self) -> Done {
        Ok(())
    }
}
