//! Keys: lower-case hex parts joined by `/`.
//!
//! OpenMLS hands its ids over as `impl Serialize` and nothing else, so the raw bytes are taken by
//! a serializer: a byte string becomes one part, an integer becomes a part of 16 digits
//! (big-endian, so that string order is numeric order), an enum its variant index and its content.
//! With the group id first, all records of a group are one range per object store:
//! `[id, id + '0')`, because `/` is the character before `0`.

use std::fmt::Write as _;

use serde::ser::{self, Impossible, Serialize};

use super::{Category, StorageError};

/// The key of a record that its category has only one of.
pub const SINGLETON: &str = "0000000000000000";

/// Writes `parts` as one key of `category`.
pub(crate) fn key_of(category: Category, parts: &[&dyn KeyPart]) -> Result<String, StorageError> {
    let mut key = Key::default();
    for part in parts {
        part.append_to(&mut key)
            .map_err(|_| StorageError::UnsupportedKey(category))?;
    }
    Ok(key.text)
}

/// The key of an integer: 16 hex digits.
pub fn integer_key(value: u64) -> String {
    format!("{value:016x}")
}

/// Reads back what [`integer_key`] wrote.
pub fn parse_integer_key(key: &str) -> Option<u64> {
    (key.len() == 16)
        .then(|| u64::from_str_radix(key, 16).ok())
        .flatten()
}

/// Bytes as one part of a key.
pub fn bytes_key(bytes: &[u8]) -> String {
    let mut key = Key::default();
    let _ = key.bytes_part(bytes);
    key.text
}

/// Reads back what [`bytes_key`] wrote.
pub fn parse_bytes_key(part: &str) -> Option<Vec<u8>> {
    if !part.len().is_multiple_of(2) {
        return None;
    }
    part.as_bytes()
        .chunks_exact(2)
        .map(|pair| Some(hex_digit(pair[0])? << 4 | hex_digit(pair[1])?))
        .collect()
}

/// Whether `key` has the shape that `category` asks for.
pub(crate) fn is_well_formed(category: Category, key: &str) -> bool {
    let hex = key.split('/').all(|part| {
        part.len().is_multiple_of(2) && part.bytes().all(|character| hex_digit(character).is_some())
    });
    let count = key.split('/').count();
    let is_part = category.has_parts() && part_id(key).is_some();
    let fits = |parts| count == parts || (is_part && count == parts + 1);
    hex && category.key_parts().is_none_or(fits)
}

/// The key of a part of the value under `key`.
pub(crate) fn part_key(key: &str, id: u64) -> String {
    format!("{key}/{id:016x}")
}

/// The id of a part, from its key.
pub(crate) fn part_id(key: &str) -> Option<u64> {
    parse_integer_key(key.rsplit('/').next()?)
}

/// The group id part of a key of the group scope: its first.
pub(crate) fn group_part(key: &str) -> &str {
    key.split('/').next().unwrap_or_default()
}

/// The first so many parts of a key.
pub(crate) fn first_parts(key: &str, parts: usize) -> &str {
    let end = key.match_indices('/').nth(parts.saturating_sub(1));
    end.and_then(|(end, _)| key.get(..end)).unwrap_or(key)
}

/// The end (exclusive) of the range that starts with the group id part `group`.
pub fn group_range_end(group: &str) -> String {
    format!("{group}0")
}

fn hex_digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

/// Anything that can be part of a key. An object-safe face of `Serialize`, so that one copy of
/// [`key_of`] serves every id.
pub(crate) trait KeyPart {
    fn append_to(&self, key: &mut Key) -> Result<(), Unsupported>;
}

impl<T: Serialize> KeyPart for T {
    fn append_to(&self, key: &mut Key) -> Result<(), Unsupported> {
        self.serialize(key)
    }
}

#[derive(Default)]
pub(crate) struct Key {
    text: String,
    started: bool,
    /// Inside a sequence of `u8`, which is how serde hands over a `Vec<u8>`: the elements are
    /// bytes of one part, not parts of their own.
    in_bytes: bool,
}

impl Key {
    fn separate(&mut self) -> Done {
        if self.in_bytes {
            return Err(Unsupported);
        }
        if self.started {
            self.text.push('/');
        }
        self.started = true;
        Ok(())
    }

    fn integer_part(&mut self, value: u64) -> Done {
        self.separate()?;
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{value:016x}");
        Ok(())
    }

    fn bytes_part(&mut self, bytes: &[u8]) -> Done {
        self.separate()?;
        bytes.iter().for_each(|byte| self.push_byte(*byte));
        Ok(())
    }

    fn push_byte(&mut self, byte: u8) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        self.text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        self.text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// The id has a shape that no key is defined for (floats, maps, optional fields, lists of lists).
#[derive(Debug, thiserror::Error)]
#[error("unsupported key")]
pub(crate) struct Unsupported;

impl ser::Error for Unsupported {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Unsupported
    }
}

type Done = Result<(), Unsupported>;

impl<'a> ser::Serializer for &'a mut Key {
    type Ok = ();
    type Error = Unsupported;
    type SerializeSeq = Bytes<'a>;
    type SerializeTuple = Bytes<'a>;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Impossible<(), Unsupported>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    fn serialize_bool(self, value: bool) -> Done {
        self.serialize_u64(u64::from(value))
    }
    fn serialize_u8(self, value: u8) -> Done {
        if self.in_bytes {
            self.push_byte(value);
            return Ok(());
        }
        self.serialize_u64(u64::from(value))
    }
    fn serialize_u16(self, value: u16) -> Done {
        self.serialize_u64(u64::from(value))
    }
    fn serialize_u32(self, value: u32) -> Done {
        self.serialize_u64(u64::from(value))
    }
    fn serialize_u64(self, value: u64) -> Done {
        self.integer_part(value)
    }
    fn serialize_bytes(self, value: &[u8]) -> Done {
        self.bytes_part(value)
    }
    fn serialize_str(self, value: &str) -> Done {
        self.serialize_bytes(value.as_bytes())
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Bytes<'a>, Unsupported> {
        self.separate()?;
        self.in_bytes = true;
        Ok(Bytes(self))
    }
    fn serialize_tuple(self, length: usize) -> Result<Bytes<'a>, Unsupported> {
        self.serialize_seq(Some(length))
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &str, value: &T) -> Done {
        value.serialize(self)
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Unsupported> {
        Ok(self)
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Unsupported> {
        Ok(self)
    }
    fn serialize_unit_variant(self, _: &str, index: u32, _: &str) -> Done {
        self.serialize_u32(index)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &str,
        index: u32,
        _: &str,
        value: &T,
    ) -> Done {
        self.integer_part(u64::from(index))?;
        value.serialize(self)
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Unsupported> {
        self.integer_part(u64::from(index))?;
        Ok(self)
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Unsupported> {
        self.integer_part(u64::from(index))?;
        Ok(self)
    }

    fn serialize_i8(self, _: i8) -> Done {
        Err(Unsupported)
    }
    fn serialize_i16(self, _: i16) -> Done {
        Err(Unsupported)
    }
    fn serialize_i32(self, _: i32) -> Done {
        Err(Unsupported)
    }
    fn serialize_i64(self, _: i64) -> Done {
        Err(Unsupported)
    }
    fn serialize_f32(self, _: f32) -> Done {
        Err(Unsupported)
    }
    fn serialize_f64(self, _: f64) -> Done {
        Err(Unsupported)
    }
    fn serialize_char(self, _: char) -> Done {
        Err(Unsupported)
    }
    fn serialize_none(self) -> Done {
        Err(Unsupported)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Done {
        Err(Unsupported)
    }
    fn serialize_unit(self) -> Done {
        Err(Unsupported)
    }
    fn serialize_unit_struct(self, _: &'static str) -> Done {
        Err(Unsupported)
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Unsupported> {
        Err(Unsupported)
    }
}

macro_rules! parts_of_fields {
    ($trait:ident, $method:ident $(, $name:ident)?) => {
        impl ser::$trait for &mut Key {
            type Ok = ();
            type Error = Unsupported;
            fn $method<T: Serialize + ?Sized>(&mut self, $($name: &'static str,)? value: &T) -> Done {
                $(let _ = $name;)?
                value.serialize(&mut **self)
            }
            fn end(self) -> Done {
                Ok(())
            }
        }
    };
}
parts_of_fields!(SerializeStruct, serialize_field, name);
parts_of_fields!(SerializeStructVariant, serialize_field, name);
parts_of_fields!(SerializeTupleStruct, serialize_field);
parts_of_fields!(SerializeTupleVariant, serialize_field);

/// A sequence of `u8`, written as one part.
pub(crate) struct Bytes<'a>(&'a mut Key);

macro_rules! bytes_of_elements {
    ($trait:ident) => {
        impl ser::$trait for Bytes<'_> {
            type Ok = ();
            type Error = Unsupported;
            fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                value.serialize(&mut *self.0)
            }
            fn end(self) -> Done {
                self.0.in_bytes = false;
                Ok(())
            }
        }
    };
}
bytes_of_elements!(SerializeSeq);
bytes_of_elements!(SerializeTuple);

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Serialize;

    #[derive(Serialize)]
    struct Id {
        value: Vec<u8>,
    }

    #[derive(Serialize)]
    enum Kind {
        One(Id),
        Two { usage: u8, id: Id },
    }

    #[derive(Serialize)]
    struct Epoch(u64);

    fn key(parts: &[&dyn KeyPart]) -> Result<String, StorageError> {
        key_of(Category::Tree, parts)
    }

    #[test]
    fn bytes_and_integers_become_parts() {
        let id = Id {
            value: vec![0, 0xab, 0x10],
        };
        assert_eq!(key(&[&id]).unwrap(), "00ab10");
        assert_eq!(
            key(&[&id, &Epoch(10), &3u32]).unwrap(),
            "00ab10/000000000000000a/0000000000000003"
        );
        assert_eq!(key(&[&[1u8, 2]]).unwrap(), "0102");
        assert_eq!(
            key(&[&Id { value: vec![] }, &Epoch(1)]).unwrap(),
            "/0000000000000001"
        );
    }

    #[test]
    fn variants_are_told_apart() {
        let one = Kind::One(Id { value: vec![7] });
        let two = Kind::Two {
            usage: 7,
            id: Id { value: vec![] },
        };
        assert_eq!(key(&[&one]).unwrap(), "0000000000000000/07");
        assert_eq!(key(&[&two]).unwrap(), "0000000000000001/0000000000000007/");
    }

    #[test]
    fn shapes_without_a_definition_are_refused() {
        for part in [
            &Some(1u8) as &dyn KeyPart,
            &1.5f64,
            &vec![vec![1u8]],
            &vec![300u16],
            &'c',
            &(),
        ] {
            assert_eq!(
                key(&[part]),
                Err(StorageError::UnsupportedKey(Category::Tree))
            );
        }
    }

    #[test]
    fn string_order_is_numeric_order_and_a_group_is_one_range() {
        assert!(integer_key(9) < integer_key(10));
        assert!(integer_key(255) < integer_key(256));
        let (group, longer) = ("ab", "ab00");
        let end = group_range_end(group);
        assert!(format!("{group}/ffff").as_str() < end.as_str());
        assert!(longer > end.as_str());
    }

    #[test]
    fn reads_back_what_it_wrote_and_nothing_else() {
        assert_eq!(parse_integer_key(&integer_key(u64::MAX)), Some(u64::MAX));
        assert_eq!(parse_integer_key("12"), None);
        assert_eq!(parse_bytes_key(&bytes_key(&[0, 255])), Some(vec![0, 255]));
        assert_eq!(parse_bytes_key("0"), None);
        assert_eq!(parse_bytes_key("0G"), None);
        assert!(is_well_formed(Category::Tree, "00ff"));
        assert!(!is_well_formed(Category::Tree, "00FF"));
        assert!(!is_well_formed(Category::Tree, "00/ff"));
        assert!(is_well_formed(Category::Psk, "00/ff/"));
    }
}
