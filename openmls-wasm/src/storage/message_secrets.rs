//! The message secrets of a group: one value in parts for each epoch.
//!
//! OpenMLS writes the secrets of the present epoch under the group's id, over those of the epoch
//! before. Here the epoch is part of the key. Then those of an epoch that is over, and of which late
//! messages may still come, can stay where they are: they are not written again when the epoch ends,
//! nor with any message after it (G9). They stay if there is a `retained_epoch` for it, and go
//! otherwise, as with OpenMLS.

use serde::{de::DeserializeOwned, Deserialize, Serialize};

use super::{
    category::Category, codec, key, msgpack, msgpack::Encoded, state::State, GranularStorage,
    StorageError,
};

const CATEGORY: Category = Category::MessageSecrets;

impl GranularStorage {
    /// Writes the secrets of the present epoch of `group` (a part of a key), which they name
    /// themselves.
    pub(super) fn put_message_secrets<T: Serialize + ?Sized>(
        &self,
        group: &str,
        secrets: &T,
    ) -> Result<(), StorageError> {
        let written = self.write_state()?.set_message_secrets(group, secrets);
        self.noted(written)
    }

    /// The secrets of the present epoch.
    pub(crate) fn message_secrets_of<T: DeserializeOwned>(
        &self,
        group: &str,
    ) -> Result<Option<T>, StorageError> {
        let state = self.read_state()?;
        let read = state
            .last_epoch(group)
            .map_or(Ok(None), |key| state.get_parts(CATEGORY, &key));
        self.noted(read)
    }
}

impl State {
    fn set_message_secrets<T: Serialize + ?Sized>(
        &mut self,
        group: &str,
        secrets: &T,
    ) -> Result<(), StorageError> {
        let last = self.last_epoch(group);
        let shapes = codec::encode_shapes(CATEGORY, secrets)?;
        let epoch = key::integer_key(epoch_of(&shapes).unwrap_or_default());
        let key = format!("{group}/{epoch}");
        self.set_shaped(CATEGORY, &key, secrets, &shapes)?;
        if last.is_none_or(|last| last == key) {
            return Ok(());
        }
        // The keys of other epochs, each found by a step over all of the one before.
        let mut ended = vec![];
        let mut from = format!("{group}/");
        while let Some(found) = self.first_from(CATEGORY, &from).and_then(epoch_key) {
            if key::group_part(&found) != group {
                break;
            }
            from = key::group_range_end(&found);
            if found != key && self.get(Category::RetainedEpoch, &found).is_none() {
                ended.push(found);
            }
        }
        ended
            .iter()
            .try_for_each(|epoch| self.delete_range(CATEGORY, epoch))
    }

    /// The key of the secrets of the last epoch.
    fn last_epoch(&self, group: &str) -> Option<String> {
        let (last, _) = self.below(CATEGORY, group).next_back()?;
        epoch_key(last)
    }
}

/// The group and epoch of a key, without the number of a part.
fn epoch_key(key: &str) -> Option<String> {
    let mut parts = key.split('/');
    Some(format!("{}/{}", parts.next()?, parts.next()?))
}

/// The epoch that the secrets are of: the group context is among them, to verify signatures over.
fn epoch_of(encoded: &Encoded) -> Option<u64> {
    #[derive(Deserialize)]
    struct Outline {
        message_secrets: Secrets,
    }
    #[derive(Deserialize)]
    struct Secrets {
        #[serde(with = "serde_bytes")]
        serialized_context: Vec<u8>,
    }
    let rest = msgpack::rest_of(&encoded.head).ok()?;
    let outline: Outline = msgpack::from_slice(rest).ok()?;
    epoch_in_context(&outline.message_secrets.serialized_context)
}

/// The epoch in a serialized GroupContext (RFC 9420 §8.1): version, ciphersuite, `opaque
/// group_id<V>`, epoch.
fn epoch_in_context(context: &[u8]) -> Option<u64> {
    let rest = context.get(4..)?;
    let first = *rest.first()?;
    // The two highest bits say how many bytes the length has (RFC 9420 §2.1.2).
    let size = 1usize << (first >> 6);
    let length = rest
        .get(..size)?
        .iter()
        .fold(0usize, |length, byte| (length << 8) | usize::from(*byte));
    let length = length & ((1usize << (8 * size - 2)) - 1);
    let epoch = rest.get(size..)?.get(length..)?.first_chunk()?;
    Some(u64::from_be_bytes(*epoch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_epoch_stands_behind_a_group_id_of_any_length() {
        for length in [0usize, 1, 63, 64, 300, 16_383, 16_384] {
            let mut context = vec![0, 1, 0, 1];
            match length {
                0..=63 => context.push(length as u8),
                64..=16_383 => context.extend(((length as u16) | 0x4000).to_be_bytes()),
                _ => context.extend(((length as u32) | 0x8000_0000).to_be_bytes()),
            }
            context.extend(vec![0xff; length]);
            context.extend(0x0102_0304_0506_0708u64.to_be_bytes());
            context.extend([9; 40]);
            assert_eq!(epoch_in_context(&context), Some(0x0102_0304_0506_0708));
            assert_eq!(epoch_in_context(&context[..4 + length]), None);
        }
    }
}
