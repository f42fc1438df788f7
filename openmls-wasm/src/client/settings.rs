//! How a group treats its messages: settings of this client, not agreed with the other members.

use openmls::prelude::{
    MlsGroupCreateConfig, MlsGroupCreateConfigBuilder, MlsGroupJoinConfig,
    SenderRatchetConfiguration, MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY,
    MIXED_PLAINTEXT_WIRE_FORMAT_POLICY, PURE_CIPHERTEXT_WIRE_FORMAT_POLICY,
    PURE_PLAINTEXT_WIRE_FORMAT_POLICY,
};
use openmls_traits::OpenMlsProvider;
use serde::Deserialize;

use super::{
    key_package_state::now,
    retained_epochs::{self, Policy},
    ClientError, MlsClient, Result,
};
use crate::storage::{key, Category, GranularStorage};

/// Whether proposals and commits travel encrypted (RFC 9420 §6). Application messages always do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum WireFormatPolicy {
    /// Sends and accepts PrivateMessages only.
    #[default]
    PureCiphertext,
    /// Sends and accepts PublicMessages only.
    PurePlaintext,
    /// Sends PrivateMessages, accepts both.
    MixedCiphertext,
    /// Sends PublicMessages, accepts both. Needed to leave by SelfRemove.
    MixedPlaintext,
}

/// The settings a group is created or joined with. They are stored with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSettings {
    /// Whether handshake messages are encrypted.
    pub wire_format_policy: WireFormatPolicy,
    /// Messages are padded to a multiple of this many bytes; 0 for none (RFC 9420 §6.3.1).
    pub padding_size: usize,
    /// How many messages of a sender may be missing before one that arrives.
    pub maximum_forward_distance: u32,
    /// How many generations back a late message of a sender is still decrypted.
    pub out_of_order_tolerance: u32,
    /// Of how many past epochs application messages can still be read. Each costs forward secrecy:
    /// the keys of the messages that have not come. It costs no bytes with a message.
    pub max_past_epochs: usize,
    /// For how many seconds after the end of an epoch its application messages can still be read;
    /// `None` for as long as it is among the last `max_past_epochs`. Its keys are deleted with the
    /// next message or commit that is processed after that time.
    pub max_past_epoch_age: Option<u64>,
    /// Of how many epochs the resumption PSK is kept (RFC 9420 §8.6), the present one included.
    pub number_of_resumption_psks: usize,
    /// Whether a Welcome carries the ratchet tree (RFC 9420 §12.4.3.3). If not, the app must.
    pub use_ratchet_tree_extension: bool,
}

impl Default for GroupSettings {
    fn default() -> Self {
        Self {
            wire_format_policy: WireFormatPolicy::default(),
            padding_size: 0,
            maximum_forward_distance: 1000,
            out_of_order_tolerance: 5,
            max_past_epochs: 10,
            max_past_epoch_age: None,
            number_of_resumption_psks: 0,
            use_ratchet_tree_extension: true,
        }
    }
}

/// The most that a message is padded to a multiple of: whoever receives one pays for it too.
const MAX_PADDING: usize = 1 << 16;

impl GroupSettings {
    fn ratchets(&self) -> SenderRatchetConfiguration {
        SenderRatchetConfiguration::new(self.out_of_order_tolerance, self.maximum_forward_distance)
    }

    /// # Errors
    /// `invalid-argument` for a padding size beyond 65,536.
    pub(super) fn join_config(&self) -> Result<MlsGroupJoinConfig> {
        if self.padding_size > MAX_PADDING {
            return Err(ClientError::InvalidArgument("padding to more than 65536"));
        }
        Ok(MlsGroupJoinConfig::builder()
            .wire_format_policy(self.wire_format_policy.into())
            .padding_size(self.padding_size)
            // They are kept by `retained_epochs`.
            .max_past_epochs(0)
            .number_of_resumption_psks(self.number_of_resumption_psks)
            .sender_ratchet_configuration(self.ratchets())
            .use_ratchet_tree_extension(self.use_ratchet_tree_extension)
            .build())
    }

    /// # Errors
    /// Those of [`join_config`](Self::join_config).
    pub(super) fn create_config(&self) -> Result<MlsGroupCreateConfigBuilder> {
        let join = self.join_config()?;
        Ok(MlsGroupCreateConfig::builder()
            .wire_format_policy(join.wire_format_policy())
            .padding_size(join.padding_size())
            .max_past_epochs(0)
            .number_of_resumption_psks(self.number_of_resumption_psks)
            .sender_ratchet_configuration(self.ratchets())
            .use_ratchet_tree_extension(self.use_ratchet_tree_extension))
    }

    pub(super) fn past_epoch_policy(&self) -> Policy {
        Policy {
            max_epochs: self.max_past_epochs,
            max_age: self.max_past_epoch_age,
        }
    }

    /// The settings of a group.
    pub(super) fn of(storage: &GranularStorage, group_id: &[u8]) -> Result<Self> {
        let missing = || ClientError::internal("the group has no settings");
        let key = key::bytes_key(group_id);
        let config: MlsGroupJoinConfig = storage
            .get(Category::JoinConfig, &key)?
            .ok_or_else(missing)?;
        let stored: StoredConfig = storage
            .get(Category::JoinConfig, &key)?
            .ok_or_else(missing)?;
        let ratchets = config.sender_ratchet_configuration();
        let past = Policy::of(storage, group_id)?;
        Ok(Self {
            wire_format_policy: WireFormatPolicy::of(&config.wire_format_policy()),
            padding_size: config.padding_size(),
            maximum_forward_distance: ratchets.maximum_forward_distance(),
            out_of_order_tolerance: ratchets.out_of_order_tolerance(),
            max_past_epochs: past.max_epochs,
            max_past_epoch_age: past.max_age,
            number_of_resumption_psks: stored.number_of_resumption_psks,
            use_ratchet_tree_extension: stored.use_ratchet_tree_extension,
        })
    }
}

/// What OpenMLS keeps in a group's settings and does not show.
#[derive(Deserialize)]
struct StoredConfig {
    number_of_resumption_psks: usize,
    use_ratchet_tree_extension: bool,
}

impl MlsClient {
    /// Gives a group other settings. Fewer past epochs are the latest of those that were kept; with
    /// more, the next ones are kept.
    ///
    /// The number of resumption PSKs that are kept stays what it was when the group was joined
    /// (OpenMLS 0.9.2 keeps 32 of a group that was created here or joined by external commit).
    ///
    /// # Errors
    /// `invalid-argument`, `group-not-found`.
    pub fn configure_group(&mut self, group_id: &[u8], settings: &GroupSettings) -> Result<()> {
        let config = settings.join_config()?;
        let policy = settings.past_epoch_policy();
        self.with_group(group_id, |provider, _, group| {
            let storage = provider.storage();
            policy.put(storage, group_id)?;
            retained_epochs::delete_beyond(storage, &key::bytes_key(group_id), policy, now())?;
            Ok(group.set_configuration(storage, &config)?)
        })
    }

    /// Deletes what late messages of past epochs of a group are read with: of those that ended more
    /// than `older_than` seconds ago, and of all but the latest `max_past_epochs`. Without either, of
    /// all of them.
    ///
    /// # Errors
    /// `group-not-found`.
    pub fn delete_past_epoch_secrets(
        &mut self,
        group_id: &[u8],
        older_than: Option<u64>,
        max_past_epochs: Option<usize>,
    ) -> Result<()> {
        self.with_group(group_id, |provider, _, _| {
            retained_epochs::delete(provider.storage(), group_id, older_than, max_past_epochs)
        })
    }
}

impl WireFormatPolicy {
    fn of(policy: &openmls::prelude::WireFormatPolicy) -> Self {
        use openmls::prelude::{IncomingWireFormatPolicy, OutgoingWireFormatPolicy};
        let accepts_both = policy.incoming() == IncomingWireFormatPolicy::Mixed;
        match (policy.outgoing(), accepts_both) {
            (OutgoingWireFormatPolicy::AlwaysCiphertext, false) => Self::PureCiphertext,
            (OutgoingWireFormatPolicy::AlwaysCiphertext, true) => Self::MixedCiphertext,
            (OutgoingWireFormatPolicy::AlwaysPlaintext, false) => Self::PurePlaintext,
            (OutgoingWireFormatPolicy::AlwaysPlaintext, true) => Self::MixedPlaintext,
        }
    }
}

impl From<WireFormatPolicy> for openmls::prelude::WireFormatPolicy {
    fn from(policy: WireFormatPolicy) -> Self {
        match policy {
            WireFormatPolicy::PureCiphertext => PURE_CIPHERTEXT_WIRE_FORMAT_POLICY,
            WireFormatPolicy::PurePlaintext => PURE_PLAINTEXT_WIRE_FORMAT_POLICY,
            WireFormatPolicy::MixedCiphertext => MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY,
            WireFormatPolicy::MixedPlaintext => MIXED_PLAINTEXT_WIRE_FORMAT_POLICY,
        }
    }
}
