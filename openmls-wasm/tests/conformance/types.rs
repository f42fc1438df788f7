//! Keys and values for the checks.
//!
//! The keys have the shapes that OpenMLS's ids have in serde's eyes (structs around byte vectors,
//! an integer for the epoch, an enum for PSKs), because a provider sees nothing else of them.

use std::collections::BTreeMap;

use openmls_traits::storage::{traits, Entity, Key};
use serde::{de::IgnoredAny, Deserialize, Deserializer, Serialize, Serializer};

/// Bytes as `tls_codec::VLBytes` shows them: a struct around a sequence of numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VlBytes {
    vec: Vec<u8>,
}

macro_rules! byte_ids {
    ($($name:ident { $field:ident } as $($role:ident),+;)*) => {$(
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub struct $name {
            $field: VlBytes,
        }

        impl $name {
            pub fn new(bytes: &[u8]) -> Self {
                Self { $field: VlBytes { vec: bytes.to_vec() } }
            }
        }

        impl Key<1> for $name {}
        $(impl traits::$role<1> for $name {})+
    )*};
}

byte_ids! {
    Group { value } as GroupId;
    Reference { value } as ProposalRef, HashReference;
    HpkeKey { key } as EncryptionKey;
}

impl Entity<1> for Reference {}

/// As `openmls_basic_credential::StorageId`: no `VLBytes` around the bytes.
#[derive(Clone, Debug, Serialize)]
pub struct SignatureId {
    value: Vec<u8>,
}

impl SignatureId {
    pub fn new(bytes: &[u8]) -> Self {
        let value = bytes.to_vec();
        Self { value }
    }
}

impl Key<1> for SignatureId {}
impl traits::SignaturePublicKey<1> for SignatureId {}

/// As `GroupEpoch`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Epoch(pub u64);

impl Key<1> for Epoch {}
impl traits::EpochKey<1> for Epoch {}

/// As `Psk`: three kinds of ids in one type.
#[derive(Clone, Debug, Serialize)]
pub enum PskKey {
    External(ExternalPskKey),
    Resumption(ResumptionPskKey),
    Application(ApplicationPskKey),
}

#[derive(Clone, Debug, Serialize)]
pub struct ExternalPskKey {
    psk_id: VlBytes,
}

#[derive(Clone, Debug, Serialize)]
pub struct ResumptionPskKey {
    pub usage: Usage,
    pub psk_group_id: Group,
    pub psk_epoch: Epoch,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub enum Usage {
    Application = 1,
    Branch = 3,
}

#[derive(Clone, Debug, Serialize)]
pub struct ApplicationPskKey {
    component_id: u16,
    psk_id: VlBytes,
}

impl PskKey {
    pub fn external(id: &[u8]) -> Self {
        let psk_id = VlBytes { vec: id.to_vec() };
        Self::External(ExternalPskKey { psk_id })
    }

    pub fn resumption(usage: Usage, group: &[u8], epoch: u64) -> Self {
        Self::Resumption(ResumptionPskKey {
            usage,
            psk_group_id: Group::new(group),
            psk_epoch: Epoch(epoch),
        })
    }

    pub fn application(component_id: u16, id: &[u8]) -> Self {
        let psk_id = VlBytes { vec: id.to_vec() };
        Self::Application(ApplicationPskKey {
            component_id,
            psk_id,
        })
    }
}

impl Key<1> for PskKey {}
impl traits::PskId<1> for PskKey {}

/// Makes a type a value of every kind.
macro_rules! every_entity {
    ($type:ty) => {
        impl Entity<1> for $type {}
        every_entity!($type: QueuedProposal, TreeSync, GroupContext, InterimTranscriptHash,
            ConfirmationTag, SignatureKeyPair, PskBundle, HpkeKeyPair, GroupState,
            GroupEpochSecrets, LeafNodeIndex, MessageSecrets, ResumptionPskStore, KeyPackage,
            MlsGroupJoinConfig, LeafNode, ApplicationExportTree);
    };
    ($type:ty: $($role:ident),*) => { $(impl traits::$role<1> for $type {})* };
}
pub(super) use every_entity;

/// A value with everything in it that OpenMLS's values have and a codec may get wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    label: String,
    bytes: Vec<u8>,
    #[serde(with = "serde_bytes")]
    real_bytes: Vec<u8>,
    array: [u8; 4],
    no_bytes: Vec<u8>,
    nothing: Vec<Sample>,
    flags: Vec<bool>,
    signed: Vec<i8>,
    variants: Vec<Variant>,
    policy: Policy,
    numbers: (u8, u16, u32, u64, i64),
    nodes: Vec<Option<VlBytes>>,
    absent: Option<u64>,
    by_epoch: BTreeMap<u64, Vec<u8>>,
    maybe_bytes: Vec<Option<u8>>,
    float: f64,
    unit: (),
    pairs: Vec<(VlBytes, Variant)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Variant {
    Plain,
    Tuple(u8, u64),
    Named { value: u32 },
}

/// As in `MlsGroupJoinConfig`: which variant it is shows only in the content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Policy {
    KeepAll { keep_all: bool },
    Epochs(u64),
}

impl Sample {
    /// A value that differs from that of every other label.
    pub fn new(label: &str) -> Self {
        Self {
            label: label.into(),
            bytes: label.bytes().chain([0, 127, 128, 255]).collect(),
            real_bytes: label.bytes().rev().collect(),
            array: [0, 1, 254, 255],
            no_bytes: vec![],
            nothing: vec![],
            flags: vec![true, false],
            signed: vec![-128, -1, 0, 127],
            variants: vec![
                Variant::Plain,
                Variant::Tuple(255, u64::MAX),
                Variant::Named { value: 7 },
            ],
            policy: if label.len().is_multiple_of(2) {
                Policy::KeepAll { keep_all: true }
            } else {
                Policy::Epochs(5)
            },
            numbers: (u8::MAX, u16::MAX, u32::MAX, u64::MAX, i64::MIN),
            nodes: vec![None, Some(VlBytes { vec: vec![1, 2] }), None],
            absent: None,
            maybe_bytes: vec![Some(1), None],
            float: 0.1,
            by_epoch: [(0, vec![]), (u64::MAX, vec![9; 3])].into(),
            unit: (),
            pairs: vec![(VlBytes { vec: vec![] }, Variant::Plain)],
        }
    }

    /// A value with a sequence of more than 64 kB, in which every byte counts.
    pub fn large(label: &str) -> Self {
        let mut sample = Self::new(label);
        sample.bytes = (0..65_600u32)
            .map(|n| (n.wrapping_mul(n) / 7) as u8)
            .collect();
        sample.nodes = vec![Some(VlBytes { vec: vec![3; 3] }); 300];
        sample
    }
}

every_entity!(Sample);

/// A small value, for lists of many.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Numbered {
    pub number: u32,
}

every_entity!(Numbered);

/// Stands for a value that only OpenMLS can read: present or not is all that a check may ask.
#[derive(Debug)]
pub struct Opaque;

impl Serialize for Opaque {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Opaque {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Opaque)
    }
}

every_entity!(Opaque);
