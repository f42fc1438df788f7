//! All records of the kind "one value per key", as a table: the checks on them are loops.

use openmls_traits::storage::StorageProvider;

use super::types::{Group, HpkeKey, PskKey, Reference, Sample, SignatureId};

/// Three methods of the trait that belong together.
pub struct Slot<S> {
    pub name: &'static str,
    pub write: fn(&S, &[u8], &Sample),
    pub read: fn(&S, &[u8]) -> Option<Sample>,
    pub delete: fn(&S, &[u8]),
}

macro_rules! slots {
    ($($name:literal, $key:expr, $write:ident, $read:ident, $delete:ident $(::<$($type:ty),*>)?;)*) => {
        /// The table. The bytes that a slot takes become a key of the type that OpenMLS uses.
        pub fn slots<S: StorageProvider<1>>() -> Vec<Slot<S>> {
            vec![$(Slot {
                name: $name,
                write: |store, key, value| {
                    store.$write(&$key(key), value).expect(concat!("write ", $name));
                },
                read: |store, key| store.$read(&$key(key)).expect(concat!("read ", $name)),
                delete: |store, key| {
                    store.$delete$(::<$($type),*>)?(&$key(key)).expect(concat!("delete ", $name));
                },
            }),*]
        }
    };
}

slots! {
    "join config", Group::new, write_mls_join_config, mls_group_join_config, delete_group_config;
    "tree", Group::new, write_tree, tree, delete_tree;
    "interim transcript hash", Group::new, write_interim_transcript_hash, interim_transcript_hash, delete_interim_transcript_hash;
    "group context", Group::new, write_context, group_context, delete_context;
    "confirmation tag", Group::new, write_confirmation_tag, confirmation_tag, delete_confirmation_tag;
    "group state", Group::new, write_group_state, group_state, delete_group_state;
    "message secrets", Group::new, write_message_secrets, message_secrets, delete_message_secrets;
    "resumption PSK store", Group::new, write_resumption_psk_store, resumption_psk_store, delete_all_resumption_psk_secrets;
    "own leaf index", Group::new, write_own_leaf_index, own_leaf_index, delete_own_leaf_index;
    "group epoch secrets", Group::new, write_group_epoch_secrets, group_epoch_secrets, delete_group_epoch_secrets;
    "application export tree", Group::new, write_application_export_tree, application_export_tree, delete_application_export_tree::<Group, Sample>;
    "signature key pair", SignatureId::new, write_signature_key_pair, signature_key_pair, delete_signature_key_pair;
    "encryption key pair", HpkeKey::new, write_encryption_key_pair, encryption_key_pair, delete_encryption_key_pair;
    "key package", Reference::new, write_key_package, key_package, delete_key_package;
    "PSK", PskKey::external, write_psk, psk, delete_psk;
}
