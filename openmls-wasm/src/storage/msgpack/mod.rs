//! MessagePack with field names, thin.
//!
//! Why not `rmp-serde`: it writes the reading of a marker into every deserializer of every type,
//! which made up 970 kB of a wasm of 2.5 MB. Here everything that looks at bytes is ordinary,
//! non-generic code ([`read`], [`write`]), and what serde multiplies by the number of types is a
//! call to it. The bytes are MessagePack all the same: the tests read and write them with
//! `rmp-serde`.
//!
//! Two choices of ours within the format:
//! - a list of bytes is written as `bin`, because serde hands a `Vec<u8>` over as a list of numbers;
//! - a struct is a map from field names, an enum its variant's name, alone or as a map of one.

mod byte;
mod de;
mod layout;
mod parts;
mod raw;
mod read;
mod ser;
mod write;

use serde::{de::DeserializeOwned, Serialize};

pub(crate) use layout::is_near_root;
#[cfg(feature = "test-hooks")]
pub(crate) use parts::to_parts;
pub(crate) use parts::{
    assemble, head_of, ids_of_list, rest_of, to_changed_parts, to_shapes, to_some_parts, Encoded,
    Known, Stored,
};
pub(crate) use raw::{length_of, locate, locate_bytes, read_named, write_named, Raw};
pub(crate) use write::Writer;

/// The value or the bytes do not fit the format.
#[derive(Debug, thiserror::Error)]
#[error("malformed MessagePack")]
pub(crate) struct Malformed;

impl serde::ser::Error for Malformed {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        // The text may quote the value, which may be secret.
        Malformed
    }
}

impl serde::de::Error for Malformed {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Malformed
    }
    // The default implementations build a text first, for every field and variant of every type.
    fn invalid_type(_: serde::de::Unexpected<'_>, _: &dyn serde::de::Expected) -> Self {
        Malformed
    }
    fn invalid_value(_: serde::de::Unexpected<'_>, _: &dyn serde::de::Expected) -> Self {
        Malformed
    }
    fn invalid_length(_: usize, _: &dyn serde::de::Expected) -> Self {
        Malformed
    }
    fn unknown_variant(_: &str, _: &'static [&'static str]) -> Self {
        Malformed
    }
    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        Malformed
    }
    fn missing_field(_: &'static str) -> Self {
        Malformed
    }
    fn duplicate_field(_: &'static str) -> Self {
        Malformed
    }
}

/// A value of whatever type: what takes one as `&dyn Encode` is compiled once, and not for each of the types
/// that OpenMLS stores.
pub(crate) trait Encode {
    /// Appends the value to what `writer` holds.
    fn encode_to(&self, writer: &mut Writer) -> Result<(), Malformed>;
}

impl<T: Serialize> Encode for T {
    fn encode_to(&self, writer: &mut Writer) -> Result<(), Malformed> {
        self.serialize(&mut ser::Serializer::new(writer))
    }
}

/// Appends `value` to what `writer` holds.
pub(crate) fn to_writer(writer: &mut Writer, value: &dyn Encode) -> Result<(), Malformed> {
    value.encode_to(writer)
}

/// Reads a value that takes up all of `bytes`.
pub(crate) fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Malformed> {
    let mut deserializer = de::Deserializer::new(bytes);
    let value = T::deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Everything {
        small: u8,
        numbers: (u16, u32, u64, i8, i64),
        flag: bool,
        text: String,
        bytes: Vec<u8>,
        fixed: [u8; 3],
        list: Vec<u32>,
        nested: Vec<Vec<u8>>,
        nothing: Option<u8>,
        something: Option<Vec<u8>>,
        map: BTreeMap<u32, String>,
        empty: Vec<u8>,
        enums: Vec<Kind>,
        wrapped: Wrapped,
        unit: (),
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Kind {
        Unit,
        Newtype(u64),
        Tuple(u8, String),
        Struct { id: Vec<u8> },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Wrapped(u32);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        New { value: u32, policy: u8 },
        Old { value: u32 },
    }

    fn everything(size: usize) -> Everything {
        Everything {
            small: 200,
            numbers: (300, 70_000, u64::MAX, -5, i64::MIN),
            flag: true,
            text: "é".repeat(size),
            bytes: (0..size).map(|n| (n * 7) as u8).collect(),
            fixed: [1, 128, 255],
            list: vec![1, 2, 70_000],
            nested: vec![vec![1, 2], vec![], vec![255; size]],
            nothing: None,
            something: Some(vec![9]),
            map: (0..20).map(|n| (n, n.to_string())).collect(),
            empty: vec![],
            enums: vec![
                Kind::Unit,
                Kind::Newtype(7),
                Kind::Tuple(1, "two".into()),
                Kind::Struct { id: vec![3] },
            ],
            wrapped: Wrapped(4),
            unit: (),
        }
    }

    fn encode<T: Serialize>(value: &T) -> Vec<u8> {
        let mut writer = Writer::with_capacity(0);
        to_writer(&mut writer, value).unwrap();
        writer.into_bytes().to_vec()
    }

    #[test]
    fn reads_back_what_it_wrote() {
        for size in [0, 1, 31, 32, 255, 256, 65_535, 65_536] {
            let value = everything(size);
            assert_eq!(
                from_slice::<Everything>(&encode(&value)).unwrap(),
                value,
                "{size}"
            );
        }
    }

    #[test]
    fn rmp_serde_reads_what_we_write() {
        for size in [0, 40, 300, 70_000] {
            let value = everything(size);
            let bytes = encode(&value);
            assert_eq!(
                rmp_serde::from_slice::<Everything>(&bytes).unwrap(),
                value,
                "{size}"
            );
        }
    }

    #[test]
    fn reads_what_rmp_serde_writes() {
        for size in [0, 40, 300, 70_000] {
            let value = everything(size);
            let bytes = rmp_serde::to_vec_named(&value).unwrap();
            assert_eq!(from_slice::<Everything>(&bytes).unwrap(), value, "{size}");
        }
    }

    #[test]
    fn an_untagged_enum_finds_its_variant() {
        for value in [
            Untagged::New {
                value: 1,
                policy: 2,
            },
            Untagged::Old { value: 3 },
        ] {
            assert_eq!(from_slice::<Untagged>(&encode(&value)).unwrap(), value);
        }
    }

    #[test]
    fn bytes_in_disguise_read_back() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Small(u8);
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        #[serde(untagged)]
        enum Either {
            Bytes { id: Vec<u8> },
            Names { names: Vec<String> },
        }
        let small = vec![vec![Small(1), Small(200)], vec![]];
        assert_eq!(
            from_slice::<Vec<Vec<Small>>>(&encode(&small)).unwrap(),
            small
        );
        for value in [
            Either::Bytes { id: vec![1, 200] },
            Either::Names { names: vec![] },
            Either::Names {
                names: vec!["a".into()],
            },
        ] {
            assert_eq!(from_slice::<Either>(&encode(&value)).unwrap(), value);
        }
    }

    #[test]
    fn fields_that_are_not_known_are_skipped() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Part {
            list: Vec<u32>,
            wrapped: Wrapped,
        }
        let part: Part = from_slice(&encode(&everything(40))).unwrap();
        assert_eq!(
            part,
            Part {
                list: vec![1, 2, 70_000],
                wrapped: Wrapped(4)
            }
        );
    }

    #[test]
    fn a_list_of_small_numbers_reads_back_whatever_they_are() {
        let list: Vec<u32> = vec![1, 2, 3];
        assert_eq!(from_slice::<Vec<u32>>(&encode(&list)).unwrap(), list);
        let bytes: Vec<u8> = vec![1, 2, 3];
        assert_eq!(encode(&bytes), [0xc4, 3, 1, 2, 3]);
    }

    #[test]
    fn whatever_is_cut_short_or_left_over_is_refused() {
        let bytes = encode(&everything(10));
        for length in 0..bytes.len() {
            assert!(
                from_slice::<Everything>(&bytes[..length]).is_err(),
                "{length}"
            );
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(from_slice::<Everything>(&longer).is_err());
    }

    #[test]
    fn hostile_lengths_and_depths_are_refused() {
        // A list that claims four billion elements, a string that does, and a thousand lists deep.
        assert!(from_slice::<Vec<u64>>(&[0xdd, 0xff, 0xff, 0xff, 0xff]).is_err());
        assert!(from_slice::<String>(&[0xdb, 0xff, 0xff, 0xff, 0xff]).is_err());
        let deep = vec![0x91; 100_000];
        assert!(from_slice::<serde::de::IgnoredAny>(&deep).is_err());
    }
}
