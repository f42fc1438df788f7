//! How a group treats its messages: settings of this client, not agreed with the other members.

use openmls::prelude::{
    Capabilities, Ciphersuite, MlsGroupCreateConfig, MlsGroupJoinConfig,
    SenderRatchetConfiguration, MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY,
    MIXED_PLAINTEXT_WIRE_FORMAT_POLICY, PURE_CIPHERTEXT_WIRE_FORMAT_POLICY,
    PURE_PLAINTEXT_WIRE_FORMAT_POLICY,
};

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
    /// Of how many past epochs application messages can still be read. Each costs forward secrecy,
    /// and (until the store writes parts) bytes with every message.
    pub max_past_epochs: usize,
    /// Of how many past epochs the resumption PSK is kept (RFC 9420 §8.6).
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
            max_past_epochs: 0,
            number_of_resumption_psks: 0,
            use_ratchet_tree_extension: true,
        }
    }
}

impl GroupSettings {
    fn ratchets(&self) -> SenderRatchetConfiguration {
        SenderRatchetConfiguration::new(self.out_of_order_tolerance, self.maximum_forward_distance)
    }

    pub(super) fn join_config(&self) -> MlsGroupJoinConfig {
        MlsGroupJoinConfig::builder()
            .wire_format_policy(self.wire_format_policy.into())
            .padding_size(self.padding_size)
            .max_past_epochs(self.max_past_epochs)
            .number_of_resumption_psks(self.number_of_resumption_psks)
            .sender_ratchet_configuration(self.ratchets())
            .use_ratchet_tree_extension(self.use_ratchet_tree_extension)
            .build()
    }

    pub(super) fn create_config(
        &self,
        ciphersuite: Ciphersuite,
        capabilities: Capabilities,
    ) -> MlsGroupCreateConfig {
        MlsGroupCreateConfig::builder()
            .ciphersuite(ciphersuite)
            .capabilities(capabilities)
            .wire_format_policy(self.wire_format_policy.into())
            .padding_size(self.padding_size)
            .max_past_epochs(self.max_past_epochs)
            .number_of_resumption_psks(self.number_of_resumption_psks)
            .sender_ratchet_configuration(self.ratchets())
            .use_ratchet_tree_extension(self.use_ratchet_tree_extension)
            .build()
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
