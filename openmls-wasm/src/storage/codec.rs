//! Values: how a record's content becomes bytes.
//!
//! ```text
//! format tag (1 byte) | checksum (8 bytes, little-endian) | named MessagePack
//! ```
//!
//! A record in which others are stored (`packed`) has a tag of its own, and the others, each with its header.
//!
//! A value of a category that is stored in parts ([`Category::has_parts`]) is several records: see
//! `msgpack::parts` for what their contents are.
//!
//! MessagePack with field names, because OpenMLS's types gain fields between versions and one of
//! them (`MlsGroupJoinConfig`) deserializes through an untagged enum, which only a self-describing
//! format can do.
//!
//! The checksum (XXH64 over category, key and content) finds a record that a disk cut short or
//! altered, or that stands under another key. It is no protection against someone who wants to
//! deceive: it needs no secret.

use serde::de::DeserializeOwned;
use xxhash_rust::xxh64::Xxh64;
use zeroize::Zeroizing;

use super::{
    msgpack::{self, Encode, Encoded, Known, Malformed, Stored, Writer},
    state::Value,
    Category, StorageError,
};

/// The newest format of records that this version reads and writes: the tag of records that hold others.
pub const FORMAT: u8 = 3;

/// The tag of a record by itself.
const SINGLE: u8 = 2;

const HEADER: usize = 1 + size_of::<u64>();

/// Encodes `content` for the record `key` of `category`. `size_hint` is the expected size in bytes.
pub(crate) fn encode(
    category: Category,
    key: &str,
    content: &dyn Encode,
    size_hint: usize,
) -> Result<Zeroizing<Vec<u8>>, StorageError> {
    let mut writer = Writer::with_capacity(HEADER + size_hint);
    writer.append(&[0; HEADER]);
    msgpack::to_writer(&mut writer, content).map_err(|_| StorageError::Encode(category))?;
    Ok(with_header(SINGLE, category, key, writer.into_bytes()))
}

/// Encodes `content` in parts, none of them with its header yet.
#[cfg(feature = "test-hooks")]
pub(crate) fn encode_parts(
    category: Category,
    content: &dyn Encode,
) -> Result<Encoded, StorageError> {
    msgpack::to_parts(content).map_err(|_| StorageError::Encode(category))
}

/// Encodes those parts of `content` that are not as in `stored`, which are in the order of their ids.
pub(crate) fn encode_changed_parts<'a>(
    category: Category,
    content: &dyn Encode,
    stored: impl Iterator<Item = (u64, &'a Value)>,
) -> Result<Encoded, StorageError> {
    let stored = stored.map(|(id, value)| {
        let value = value.clone();
        let start = HEADER;
        (id, Stored { value, start })
    });
    msgpack::to_changed_parts(content, Known::new(stored))
        .map_err(|_| StorageError::Encode(category))
}

/// The head of `content`, and the shapes of its parts.
pub(crate) fn encode_shapes(
    category: Category,
    content: &dyn Encode,
) -> Result<Encoded, StorageError> {
    msgpack::to_shapes(content).map_err(|_| StorageError::Encode(category))
}

/// Encodes these parts of `content`.
pub(crate) fn encode_some_parts(
    category: Category,
    content: &dyn Encode,
    ids: &[u64],
) -> Result<Encoded, StorageError> {
    msgpack::to_some_parts(content, ids).map_err(|_| StorageError::Encode(category))
}

/// A hash of something that is secret, of 64 bits.
pub(crate) fn hash(content: &[u8]) -> u64 {
    xxhash_rust::xxh64::xxh64(content, 0)
}

/// The record of content that is encoded already: a head, or a part.
pub(crate) fn record(category: Category, key: &str, content: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(HEADER + content.len()));
    bytes.extend_from_slice(&[0; HEADER]);
    bytes.extend_from_slice(content);
    with_header(SINGLE, category, key, bytes)
}

/// The record that holds others: of each the name of its category, what is in its key behind `key`, and it.
pub(crate) fn packed<'a>(
    category: Category,
    key: &str,
    records: impl Iterator<Item = (&'a str, &'a str, &'a [u8])> + Clone,
) -> Result<Zeroizing<Vec<u8>>, StorageError> {
    let size = records
        .clone()
        .map(|(name, rest, value)| name.len() + rest.len() + value.len() + 16);
    let mut writer = Writer::with_capacity(HEADER + size.sum::<usize>());
    writer.append(&[0; HEADER]);
    for record in records {
        msgpack::write_named(&mut writer, record).map_err(|_| StorageError::Encode(category))?;
    }
    Ok(with_header(FORMAT, category, key, writer.into_bytes()))
}

/// Whether it is a record that holds others.
pub(crate) fn is_packed(bytes: &[u8]) -> bool {
    bytes.first() == Some(&FORMAT)
}

/// Fills in the header in front of what is there.
fn with_header(
    tag: u8,
    category: Category,
    key: &str,
    mut bytes: Zeroizing<Vec<u8>>,
) -> Zeroizing<Vec<u8>> {
    let checksum = checksum(tag, category, key, content_of(&bytes)).to_le_bytes();
    if let Some((format, sum)) = bytes.get_mut(..HEADER).and_then(<[u8]>::split_first_mut) {
        *format = tag;
        sum.copy_from_slice(&checksum);
    }
    bytes
}

/// What a record holds behind its header.
pub(crate) fn content_of(bytes: &[u8]) -> &[u8] {
    bytes.get(HEADER..).unwrap_or_default()
}

/// The checksum that a record carries.
pub(crate) fn checksum_of(bytes: &[u8]) -> u64 {
    let checksum = bytes.get(1..).and_then(<[u8]>::first_chunk);
    checksum.map_or(0, |checksum| u64::from_le_bytes(*checksum))
}

/// Hands what a record holds, or what [`assemble`] put together, to `read`.
pub(crate) fn decode_with(
    category: Category,
    key: &str,
    content: &[u8],
    read: &mut dyn FnMut(&[u8]) -> Result<(), Malformed>,
) -> Result<(), StorageError> {
    read(content).map_err(|_| undecodable(category, key))
}

/// Decodes what [`encode`] wrote for the same category and key.
pub(crate) fn decode<T: DeserializeOwned>(
    category: Category,
    key: &str,
    bytes: &[u8],
) -> Result<T, StorageError> {
    msgpack::from_slice(content_of(bytes)).map_err(|_| undecodable(category, key))
}

/// The MessagePack of a value whose head is `head`, with the contents of the parts that `part` finds,
/// of `size_hint` bytes in all.
pub(crate) fn assemble<'a>(
    category: Category,
    key: &str,
    head: &[u8],
    size_hint: usize,
    part: impl Fn(u64) -> Option<&'a [u8]>,
) -> Result<Zeroizing<Vec<u8>>, StorageError> {
    msgpack::assemble(content_of(head), size_hint, part).map_err(|_| undecodable(category, key))
}

pub(crate) fn undecodable(category: Category, key: &str) -> StorageError {
    StorageError::Decode {
        category,
        key: key.into(),
    }
}

/// Checks format tag and checksum of a record that comes from outside.
pub(crate) fn check(category: Category, key: &str, bytes: &[u8]) -> Result<(), StorageError> {
    let damaged = || StorageError::DamagedRecord {
        category,
        key: key.into(),
    };
    let (header, content) = bytes.split_at_checked(HEADER).ok_or_else(damaged)?;
    if ![SINGLE, FORMAT].contains(&header[0]) {
        return Err(StorageError::UnsupportedFormat {
            category,
            key: key.into(),
            format: header[0],
        });
    }
    if header[1..] != checksum(header[0], category, key, content).to_le_bytes() {
        return Err(damaged());
    }
    Ok(())
}

fn checksum(tag: u8, category: Category, key: &str, content: &[u8]) -> u64 {
    // By the format, so that a record of one is none of another; the seed of the first was zero.
    let mut hasher = Xxh64::new(u64::from(tag.saturating_sub(SINGLE)));
    hasher.update(category.name().as_bytes());
    hasher.update(&[0]);
    hasher.update(key.as_bytes());
    hasher.update(&[0]);
    hasher.update(content);
    hasher.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0102";

    fn encoded() -> Zeroizing<Vec<u8>> {
        encode(Category::Tree, KEY, &("a tree", vec![1u8, 2, 3]), 0).unwrap()
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let bytes = encoded();
        check(Category::Tree, KEY, &bytes).unwrap();
        let value: (String, Vec<u8>) = decode(Category::Tree, KEY, &bytes).unwrap();
        assert_eq!(value, ("a tree".into(), vec![1, 2, 3]));
    }

    #[test]
    fn byte_vectors_are_packed() {
        let bytes = encode(Category::Tree, KEY, &vec![200u8; 100], 0).unwrap();
        assert!(bytes.len() <= HEADER + 102);
    }

    #[test]
    fn every_altered_or_missing_byte_is_found() {
        let bytes = encoded();
        for position in 0..bytes.len() {
            let mut altered = bytes.to_vec();
            altered[position] ^= 1;
            assert!(
                check(Category::Tree, KEY, &altered).is_err(),
                "byte {position}"
            );
            assert!(check(Category::Tree, KEY, &bytes[..position]).is_err());
        }
    }

    #[test]
    fn a_record_of_another_key_or_category_is_found() {
        let bytes = encoded();
        assert!(check(Category::Tree, "0103", &bytes).is_err());
        assert!(check(Category::GroupContext, KEY, &bytes).is_err());
    }

    #[test]
    fn another_format_is_named() {
        let mut bytes = encoded().to_vec();
        bytes[0] = FORMAT + 1;
        assert!(matches!(
            check(Category::Tree, KEY, &bytes),
            Err(StorageError::UnsupportedFormat { format, .. }) if format == FORMAT + 1
        ));
    }
}
