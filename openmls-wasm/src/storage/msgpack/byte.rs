//! An element of a list of bytes as the byte that it is: most of a large value is bytes, and serde
//! hands each over for itself.

use serde::ser::{Impossible, Serialize, Serializer};

use super::Malformed;

/// Takes a byte, and refuses everything else: a list whose elements begin as bytes and go on as
/// something else has no place here.
pub(super) struct AsByte;

macro_rules! refuse {
    ($($method:ident($($value:ty),*);)*) => {
        $(fn $method(self, $(_: $value),*) -> Result<u8, Malformed> {
            Err(Malformed)
        })*
    };
}

macro_rules! refuse_compound {
    ($($method:ident($($value:ty),*) -> $compound:ident;)*) => {
        $(fn $method(self, $(_: $value),*) -> Result<Self::$compound, Malformed> {
            Err(Malformed)
        })*
    };
}

impl Serializer for AsByte {
    type Ok = u8;
    type Error = Malformed;
    type SerializeSeq = Impossible<u8, Malformed>;
    type SerializeTuple = Impossible<u8, Malformed>;
    type SerializeTupleStruct = Impossible<u8, Malformed>;
    type SerializeTupleVariant = Impossible<u8, Malformed>;
    type SerializeMap = Impossible<u8, Malformed>;
    type SerializeStruct = Impossible<u8, Malformed>;
    type SerializeStructVariant = Impossible<u8, Malformed>;

    #[inline]
    fn serialize_u8(self, value: u8) -> Result<u8, Malformed> {
        Ok(value)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<u8, Malformed> {
        value.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<u8, Malformed> {
        Err(Malformed)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<u8, Malformed> {
        Err(Malformed)
    }

    refuse! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(&'static str);
        serialize_unit_variant(&'static str, u32, &'static str);
    }

    refuse_compound! {
        serialize_seq(Option<usize>) -> SerializeSeq;
        serialize_tuple(usize) -> SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> SerializeTupleVariant;
        serialize_map(Option<usize>) -> SerializeMap;
        serialize_struct(&'static str, usize) -> SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> SerializeStructVariant;
    }
}
