//! MessagePack as it is: finding a value inside another, and writing one without knowing its type.

use std::ops::Range;

use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

use super::{
    layout::INNER_NODES,
    read::{Reader, Token},
    Malformed, Writer,
};

/// Where in `bytes` the value is that `path` leads to: names of fields, and `"0"` for the first
/// element of a list.
pub(crate) fn locate(bytes: &[u8], path: &[&str]) -> Result<Range<usize>, Malformed> {
    let mut reader = Reader::new(bytes);
    for name in path {
        match reader.next()? {
            Token::Array(length) if *name == "0" && length > 0 => {}
            Token::Map(length) => find_field(&mut reader, length, name)?,
            _ => return Err(Malformed),
        }
    }
    let start = bytes.len() - reader.remaining();
    reader.skip()?;
    Ok(start..bytes.len() - reader.remaining())
}

fn find_field(reader: &mut Reader<'_>, length: usize, name: &str) -> Result<(), Malformed> {
    for _ in 0..length {
        match reader.next()? {
            Token::String(found) if found == name => return Ok(()),
            Token::String(_) => reader.skip()?,
            _ => return Err(Malformed),
        }
    }
    Err(Malformed)
}

/// The byte string that `path` leads to: where its bytes are.
pub(crate) fn locate_bytes(bytes: &[u8], path: &[&str]) -> Result<Range<usize>, Malformed> {
    let value = locate(bytes, path)?;
    match Reader::new(bytes.get(value.clone()).unwrap_or_default()).next()? {
        Token::Bytes(content) => Ok(value.end - content.len()..value.end),
        _ => Err(Malformed),
    }
}

/// The number of elements of a list.
pub(crate) fn length_of(bytes: &[u8]) -> Result<usize, Malformed> {
    match Reader::new(bytes).next()? {
        Token::Array(length) => Ok(length),
        Token::Bytes(content) => Ok(content.len()),
        _ => Err(Malformed),
    }
}

/// Appends a byte string with two names in front of it.
pub(crate) fn write_named(
    writer: &mut Writer,
    (one, other, bytes): (&str, &str, &[u8]),
) -> Result<(), Malformed> {
    writer.string(one)?;
    writer.string(other)?;
    writer.bytes_header(bytes.len())?;
    writer.append(bytes);
    Ok(())
}

/// Hands what [`write_named`] has appended, one after the other, to `read`.
pub(crate) fn read_named(
    bytes: &[u8],
    mut read: impl FnMut(&str, &str, &[u8]) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        match (reader.next()?, reader.next()?, reader.next()?) {
            (Token::String(one), Token::String(other), Token::Bytes(bytes)) => {
                read(one, other, bytes)?;
            }
            _ => return Err(Malformed),
        }
    }
    Ok(())
}

/// A value that is written as it was read.
pub(crate) struct Raw<'a>(pub(crate) &'a [u8]);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let malformed = |_| serde::ser::Error::custom("");
        let mut reader = Reader::new(self.0);
        match reader.next().map_err(malformed)? {
            Token::Nil => serializer.serialize_none(),
            Token::Bool(value) => serializer.serialize_bool(value),
            Token::Unsigned(value) => serializer.serialize_u64(value),
            Token::Signed(value) => serializer.serialize_i64(value),
            Token::Float(value) => serializer.serialize_f64(value),
            Token::String(value) => serializer.serialize_str(value),
            Token::Bytes(value) => serializer.serialize_bytes(value),
            Token::Array(length) => {
                let mut list = serializer.serialize_seq(Some(length))?;
                for _ in 0..length {
                    list.serialize_element(&Raw(reader.take_value().map_err(malformed)?))?;
                }
                list.end()
            }
            Token::Map(length) => {
                let mut map = serializer.serialize_map(Some(length))?;
                for _ in 0..length {
                    let key = reader.take_value().map_err(malformed)?;
                    map.serialize_key(&Raw(key))?;
                    let value = Raw(reader.take_value().map_err(malformed)?);
                    let name = Reader::new(key).next().map_err(malformed)?;
                    match matches!(name, Token::String(name) if name == INNER_NODES) {
                        true => map.serialize_value(&InnerNodes(value))?,
                        false => map.serialize_value(&value)?,
                    }
                }
                map.end()
            }
        }
    }
}

/// What is in a field of that name, for a serializer that does not see it.
struct InnerNodes<'a>(Raw<'a>);

impl Serialize for InnerNodes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(INNER_NODES, &self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::{
        super::{to_writer, Writer},
        *,
    };

    #[derive(Serialize)]
    struct Outer {
        numbers: Vec<u32>,
        list: Vec<Inner>,
        none: Option<u8>,
    }

    #[derive(Serialize)]
    struct Inner {
        name: &'static str,
        bytes: Vec<u8>,
        flag: bool,
        negative: i32,
        float: f64,
    }

    fn encoded<T: Serialize>(value: &T) -> Vec<u8> {
        let mut writer = Writer::with_capacity(0);
        to_writer(&mut writer, value).unwrap();
        writer.into_bytes().to_vec()
    }

    fn outer() -> Vec<u8> {
        let inner = |name| Inner {
            name,
            bytes: vec![1, 2, 3],
            flag: true,
            negative: -7,
            float: 0.5,
        };
        encoded(&Outer {
            numbers: vec![300, 70_000],
            list: vec![inner("first"), inner("second")],
            none: None,
        })
    }

    #[test]
    fn finds_a_value_by_its_path() {
        let bytes = outer();
        let content = locate_bytes(&bytes, &["list", "0", "bytes"]).unwrap();
        assert_eq!(bytes[content], [1, 2, 3]);
        let name = locate(&bytes, &["list", "0", "name"]).unwrap();
        assert_eq!(bytes[name], encoded(&"first"));
        let list = locate(&bytes, &["list"]).unwrap();
        assert_eq!(length_of(&bytes[list]).unwrap(), 2);
        assert_eq!(bytes[locate(&bytes, &["none"]).unwrap()], [0xc0]);
        for path in [
            &["other"][..],
            &["numbers", "name"],
            &["list", "1"],
            &["none", "0"],
        ] {
            assert!(locate(&bytes, path).is_err(), "{path:?}");
        }
        for length in 0..bytes.len() {
            assert!(locate(&bytes[..length], &["none"]).is_err());
        }
    }

    #[test]
    fn writes_what_it_has_read() {
        let bytes = outer();
        assert_eq!(encoded(&Raw(&bytes)), bytes);
    }
}
