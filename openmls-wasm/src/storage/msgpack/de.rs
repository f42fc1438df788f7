//! serde's `Deserializer`: every method takes one token and hands it to the visitor.
//!
//! Where the type says what it expects, only that is looked for: fewer branches for serde to copy
//! into every type.

use serde::de::{self, value::SeqDeserializer, DeserializeSeed, IntoDeserializer, Visitor};

use super::{
    read::{Reader, Token},
    Malformed,
};

/// More than OpenMLS's types are deep; hostile bytes must not use up the stack.
const MAX_DEPTH: u8 = 100;

pub(super) struct Deserializer<'de> {
    reader: Reader<'de>,
    depth: u8,
}

impl<'de> Deserializer<'de> {
    pub(super) fn new(bytes: &'de [u8]) -> Self {
        Self {
            reader: Reader::new(bytes),
            depth: 0,
        }
    }

    pub(super) fn end(&self) -> Result<(), Malformed> {
        self.reader.is_empty().then_some(()).ok_or(Malformed)
    }

    fn enter(&mut self) -> Result<(), Malformed> {
        self.depth += 1;
        (self.depth <= MAX_DEPTH).then_some(()).ok_or(Malformed)
    }

    fn list<V: Visitor<'de>>(&mut self, length: usize, visitor: V) -> Result<V::Value, Malformed> {
        self.enter()?;
        let mut left = Elements {
            deserializer: self,
            left: length,
        };
        let value = visitor.visit_seq(&mut left)?;
        left.finish()?;
        Ok(value)
    }

    fn map<V: Visitor<'de>>(&mut self, length: usize, visitor: V) -> Result<V::Value, Malformed> {
        self.enter()?;
        let mut left = Elements {
            deserializer: self,
            left: length,
        };
        let value = visitor.visit_map(&mut left)?;
        left.finish()?;
        Ok(value)
    }
}

/// The elements of a list or a map that have not been read.
struct Elements<'a, 'de> {
    deserializer: &'a mut Deserializer<'de>,
    left: usize,
}

impl Elements<'_, '_> {
    fn take(&mut self) -> bool {
        let any = self.left > 0;
        self.left -= usize::from(any);
        any
    }

    fn finish(self) -> Result<(), Malformed> {
        self.deserializer.depth -= 1;
        (self.left == 0).then_some(()).ok_or(Malformed)
    }
}

impl<'de> de::SeqAccess<'de> for &mut Elements<'_, 'de> {
    type Error = Malformed;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Malformed> {
        if !self.take() {
            return Ok(None);
        }
        seed.deserialize(&mut *self.deserializer).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> de::MapAccess<'de> for &mut Elements<'_, 'de> {
    type Error = Malformed;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Malformed> {
        if !self.take() {
            return Ok(None);
        }
        seed.deserialize(&mut *self.deserializer).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Malformed> {
        seed.deserialize(&mut *self.deserializer)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

macro_rules! numbers {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
            match self.reader.next()? {
                Token::Unsigned(value) => visitor.visit_u64(value),
                Token::Signed(value) => visitor.visit_i64(value),
                _ => Err(Malformed),
            }
        })*
    };
}

impl<'de> de::Deserializer<'de> for &mut Deserializer<'de> {
    type Error = Malformed;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self.reader.next()? {
            Token::Nil => visitor.visit_unit(),
            Token::Bool(value) => visitor.visit_bool(value),
            Token::Unsigned(value) => visitor.visit_u64(value),
            Token::Signed(value) => visitor.visit_i64(value),
            Token::Float(value) => visitor.visit_f64(value),
            Token::String(value) => visitor.visit_borrowed_str(value),
            // Whoever asks for anything may want a list of numbers, which is how it was handed in.
            Token::Bytes(bytes) => list_of_bytes(bytes, visitor),
            Token::Array(length) => self.list(length, visitor),
            Token::Map(length) => self.map(length, visitor),
        }
    }

    numbers!(
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
    );

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self.reader.next()? {
            Token::Bool(value) => visitor.visit_bool(value),
            _ => Err(Malformed),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self.reader.next()? {
            Token::Float(value) => visitor.visit_f64(value),
            _ => Err(Malformed),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self.reader.next()? {
            Token::String(value) => visitor.visit_borrowed_str(value),
            _ => Err(Malformed),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        self.deserialize_str(visitor)
    }

    /// A field or variant: by name, or by number where another writer chose that.
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self.reader.next()? {
            Token::String(value) => visitor.visit_borrowed_str(value),
            Token::Unsigned(value) => visitor.visit_u64(value),
            _ => Err(Malformed),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self.reader.next()? {
            Token::Bytes(value) => visitor.visit_borrowed_bytes(value),
            Token::Array(length) => self.list(length, visitor),
            _ => Err(Malformed),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        if self.reader.take_nil() {
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self.reader.next()? {
            Token::Nil => visitor.visit_unit(),
            _ => Err(Malformed),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self.reader.next()? {
            Token::Array(length) => self.list(length, visitor),
            Token::Bytes(bytes) => list_of_bytes(bytes, visitor),
            _ => Err(Malformed),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self.reader.next()? {
            Token::Map(length) => self.map(length, visitor),
            _ => Err(Malformed),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        match self.reader.next()? {
            Token::String(name) => visitor.visit_enum(name.into_deserializer()),
            Token::Map(1) => {
                self.enter()?;
                let value = visitor.visit_enum(&mut *self)?;
                self.depth -= 1;
                Ok(value)
            }
            _ => Err(Malformed),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        self.deserialize_any(visitor)
    }
}

fn list_of_bytes<'de, V: Visitor<'de>>(bytes: &[u8], visitor: V) -> Result<V::Value, Malformed> {
    let mut elements = SeqDeserializer::new(bytes.iter().copied().map(Byte));
    let value = visitor.visit_seq(&mut elements)?;
    elements.end()?;
    Ok(value)
}

/// An element of a list of bytes: a number, or a type that wraps one.
struct Byte(u8);

impl IntoDeserializer<'_, Malformed> for Byte {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> de::Deserializer<'de> for Byte {
    type Error = Malformed;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        visitor.visit_u8(self.0)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// A variant with content: the name, then the content.
impl<'de> de::EnumAccess<'de> for &mut Deserializer<'de> {
    type Error = Malformed;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Malformed> {
        let variant = seed.deserialize(&mut *self)?;
        Ok((variant, self))
    }
}

impl<'de> de::VariantAccess<'de> for &mut Deserializer<'de> {
    type Error = Malformed;

    fn unit_variant(self) -> Result<(), Malformed> {
        self.reader.take_nil().then_some(()).ok_or(Malformed)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Malformed> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Malformed> {
        de::Deserializer::deserialize_seq(self, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        de::Deserializer::deserialize_map(self, visitor)
    }
}
