//! The message secrets of a group: one value in parts for each epoch.
//!
//! OpenMLS writes the secrets of the present epoch under the group's id, over those of the epoch
//! before. Here the epoch is part of the key. Then those of an epoch that is over, and of which late
//! messages may still come, can stay where they are: they are not written again when the epoch ends,
//! nor with any message after it (G9). They stay if there is a `retained_epoch` for it, and go
//! otherwise, as with OpenMLS.
//!
//! Of an epoch that is over, less is kept than OpenMLS would keep: what decrypts its application
//! messages, and not the ratchets of handshake messages, nor the keys that authenticate them, all of
//! which come too late (G7). Of a member that has not spoken in the epoch there are no ratchets yet but
//! the secret that both come from (RFC 9420 §9): it stays until a message of that member is read, and
//! only the ratchet for application messages after that.

use std::ops::Range;

use serde::{de::DeserializeOwned, Serialize};
use zeroize::Zeroizing;

use super::{
    category::Category,
    codec, key,
    msgpack::{self, Encode, Malformed, Raw, Writer},
    state::{Record, State, Value},
    GranularStorage, StorageError,
};

const CATEGORY: Category = Category::MessageSecrets;

impl GranularStorage {
    /// Writes the secrets of the present epoch of `group` (a part of a key), which they name
    /// themselves.
    pub(super) fn put_message_secrets(
        &self,
        group: &str,
        secrets: &dyn Encode,
    ) -> Result<(), StorageError> {
        let written = self
            .writing(CATEGORY, group)?
            .set_message_secrets(group, secrets);
        self.noted(written)
    }

    /// Leaves of the secrets of an epoch that is over what decrypts its application messages.
    pub(crate) fn retain_message_secrets(
        &self,
        group: &str,
        epoch: u64,
    ) -> Result<(), StorageError> {
        let key = epoch_key(group, epoch);
        let retained = self.writing(CATEGORY, group)?.retain_message_secrets(&key);
        self.noted(retained)
    }

    /// Deletes the secrets of an epoch.
    pub(crate) fn delete_message_secrets_of(
        &self,
        group: &str,
        epoch: u64,
    ) -> Result<(), StorageError> {
        self.delete(CATEGORY, &epoch_key(group, epoch))
    }

    /// The secrets of an epoch that is over, as OpenMLS wants them: past ones, with those who were
    /// members then. For a scratch store; in the place of the present ones, that nothing is processed
    /// with there, they stand too.
    pub(crate) fn past_message_secrets<M: Serialize>(
        &self,
        group: &str,
        epoch: u64,
        leaves: &[M],
    ) -> Result<Option<Record>, StorageError> {
        let key = epoch_key(group, epoch);
        let whole = self.reading(CATEGORY, group)?.get_whole(CATEGORY, &key);
        let Some(whole) = self.noted(whole)? else {
            return Ok(None);
        };
        let undecodable = |_| codec::undecodable(CATEGORY, &key);
        let secrets = msgpack::locate(&whole, &["message_secrets"]).map_err(undecodable)?;
        let secrets = Raw(whole.get(secrets).unwrap_or_default());
        let past = PastSecrets {
            max_epochs: 1,
            past_epoch_trees: [EpochTree {
                epoch,
                message_secrets: &secrets,
                leaves,
            }],
            message_secrets: &secrets,
        };
        let mut writer = Writer::with_capacity(3 * whole.len());
        msgpack::to_writer(&mut writer, &past).map_err(|_| StorageError::Encode(CATEGORY))?;
        let head = msgpack::head_of(&writer.into_bytes());
        Ok(Some(Record {
            category: CATEGORY,
            value: Value::new(codec::record(CATEGORY, &key, &head)),
            key,
        }))
    }

    /// Takes over what reading a message in a scratch store has changed in the secrets of an epoch
    /// that is over.
    pub(crate) fn put_past_message_secrets(
        &self,
        group: &str,
        epoch: u64,
        scratch: &GranularStorage,
    ) -> Result<(), StorageError> {
        let key = epoch_key(group, epoch);
        let whole = scratch.read_state()?.get_whole(CATEGORY, &key)?;
        let written = whole
            .ok_or_else(|| codec::undecodable(CATEGORY, &key))
            .and_then(|whole| self.write_state()?.set_past_message_secrets(&key, &whole));
        self.noted(written)
    }

    /// The secrets of the present epoch.
    pub(crate) fn message_secrets_of<T: DeserializeOwned>(
        &self,
        group: &str,
    ) -> Result<Option<T>, StorageError> {
        let last = self.reading(CATEGORY, group)?.last_epoch(group);
        match last {
            Some(key) => self.get(CATEGORY, &key),
            None => Ok(None),
        }
    }
}

/// `MessageSecretsStore` of OpenMLS.
#[derive(Serialize)]
struct PastSecrets<'a, M> {
    max_epochs: usize,
    past_epoch_trees: [EpochTree<'a, M>; 1],
    message_secrets: &'a Raw<'a>,
}

/// `EpochTree` of OpenMLS.
#[derive(Serialize)]
struct EpochTree<'a, M> {
    epoch: u64,
    message_secrets: &'a Raw<'a>,
    leaves: &'a [M],
}

/// `MessageSecretsStore` of OpenMLS, with nothing of the past in it.
#[derive(Serialize)]
struct PresentSecrets<'a> {
    max_epochs: usize,
    past_epoch_trees: &'a [u8],
    message_secrets: Raw<'a>,
}

impl State {
    fn set_past_message_secrets(&mut self, key: &str, whole: &[u8]) -> Result<(), StorageError> {
        let path = ["past_epoch_trees", "0", "message_secrets"];
        let secrets = msgpack::locate(whole, &path);
        let secrets = secrets.map_err(|_| codec::undecodable(CATEGORY, key))?;
        let secrets = PresentSecrets {
            max_epochs: 0,
            past_epoch_trees: &[],
            message_secrets: Raw(whole.get(secrets).unwrap_or_default()),
        };
        let shapes = codec::encode_shapes(CATEGORY, &secrets)?;
        let context = context_in(&shapes.head).ok_or(StorageError::Encode(CATEGORY))?;
        self.set_shaped(CATEGORY, key, &secrets, &shapes, codec::hash(context))?;
        // OpenMLS derives both ratchets of a member at its first message.
        self.retain_message_secrets(key)
    }

    fn set_message_secrets(
        &mut self,
        group: &str,
        secrets: &dyn Encode,
    ) -> Result<(), StorageError> {
        let last = self.last_epoch(group);
        let shapes = codec::encode_shapes(CATEGORY, secrets)?;
        let context = context_in(&shapes.head);
        let epoch = context.and_then(epoch_in_context);
        let context = match context.zip(epoch) {
            Some((context, _)) => codec::hash(context),
            // Of something else than the secrets of an epoch shapes say nothing.
            None => hash_of_all(secrets)?,
        };
        let epoch = epoch.unwrap_or_default();
        let key = epoch_key(group, epoch);
        self.set_shaped(CATEGORY, &key, secrets, &shapes, context)?;
        if last.is_none_or(|last| last == key) {
            return Ok(());
        }
        // The keys of other epochs, each found by a step over all of the one before.
        let mut ended = vec![];
        let mut from = format!("{group}/");
        while let Some(found) = self.first_from(CATEGORY, &from).and_then(without_part) {
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
        without_part(last)
    }

    /// Leaves of the secrets of an epoch that is over what decrypts its application messages.
    fn retain_message_secrets(&mut self, key: &str) -> Result<(), StorageError> {
        let Some(stored) = self.get(CATEGORY, key) else {
            return Ok(());
        };
        let head = Zeroizing::new(codec::content_of(stored).to_vec());
        let (head, gone) =
            without_handshakes(head).map_err(|_| codec::undecodable(CATEGORY, key))?;
        self.set_content(CATEGORY, key, Some(&head))?;
        let gone: Vec<u64> = self
            .parts(CATEGORY, key)
            .map(|(id, _)| id)
            .filter(|id| gone.contains(id))
            .collect();
        self.delete_parts(CATEGORY, key, &gone)
    }
}

/// The head of message secrets without what is for handshake messages, and the ids of the parts that
/// go with it.
fn without_handshakes(
    mut head: Zeroizing<Vec<u8>>,
) -> Result<(Zeroizing<Vec<u8>>, Range<u64>), Malformed> {
    let rest = head.len() - msgpack::rest_of(&head)?.len();
    for name in ["membership_key", "confirmation_key"] {
        let path = ["message_secrets", name, "secret", "value", "vec"];
        let secret = msgpack::locate_bytes(msgpack::rest_of(&head)?, &path)?;
        let secret = head.get_mut(rest + secret.start..rest + secret.end);
        secret.ok_or(Malformed)?.fill(0);
    }
    let path = [
        "message_secrets",
        "secret_tree",
        "handshake_sender_ratchets",
    ];
    let list = msgpack::locate(msgpack::rest_of(&head)?, &path)?;
    if let Some(ids) = msgpack::ids_of_list(&head, list.start)? {
        return Ok((head, ids));
    }
    // A list this short is not in parts, and then none is: all have an element per leaf.
    let (start, end) = (rest + list.start, rest + list.end);
    let (before, ratchets) = head.split_at_checked(start).ok_or(Malformed)?;
    let ratchets = ratchets.get(..end - start).ok_or(Malformed)?;
    let mut writer = Writer::with_capacity(head.len());
    writer.append(before);
    let blank = vec![(); msgpack::length_of(ratchets)?];
    msgpack::to_writer(&mut writer, &blank)?;
    writer.append(head.get(end..).ok_or(Malformed)?);
    Ok((writer.into_bytes(), 0..0))
}

fn hash_of_all(value: &dyn Encode) -> Result<u64, StorageError> {
    let mut writer = Writer::with_capacity(1024);
    msgpack::to_writer(&mut writer, value).map_err(|_| StorageError::Encode(CATEGORY))?;
    Ok(codec::hash(&writer.into_bytes()))
}

fn epoch_key(group: &str, epoch: u64) -> String {
    format!("{group}/{}", key::integer_key(epoch))
}

/// The group and epoch of a key, without the number of a part.
fn without_part(key: &str) -> Option<String> {
    let mut parts = key.split('/');
    Some(format!("{}/{}", parts.next()?, parts.next()?))
}

/// The serialized group context among the secrets, which signatures are verified with: it tells the
/// epoch from all others.
fn context_in(head: &[u8]) -> Option<&[u8]> {
    let rest = msgpack::rest_of(head).ok()?;
    let path = ["message_secrets", "serialized_context"];
    rest.get(msgpack::locate_bytes(rest, &path).ok()?)
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
