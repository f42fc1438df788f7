//! Group infos and ratchet trees: what a new member needs to join by itself (RFC 9420 §12.4.3).

use openmls::{
    messages::group_info::VerifiableGroupInfo,
    prelude::{Extension, MlsMessageBodyIn, MlsMessageIn, RatchetTreeIn},
};
use openmls_traits::OpenMlsProvider;
use tls_codec::{Deserialize as _, DeserializeBytes as _, Serialize as _, Size as _, VLBytes};

use super::{groups, ClientError, MlsClient, Result};

/// What a group info says of itself. Nothing of it is verified: only joining does that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupInfoDetails {
    /// The group id.
    pub group_id: Vec<u8>,
    /// The epoch it describes; a commit made from it leads to the next.
    pub epoch: u64,
    /// The ciphersuite's number (RFC 9420 §17.1).
    pub ciphersuite: u16,
    /// The types of the extensions of the group info itself (RFC 9420 §17.3).
    pub extensions: Vec<u16>,
    /// The types of the extensions of the group context in it.
    pub group_context_extensions: Vec<u16>,
    /// Whether it brings the ratchet tree (RFC 9420 §12.4.3.3). If not, the app must.
    pub has_ratchet_tree: bool,
    /// Whether it has the external public key without which nobody can join by it.
    pub has_external_pub: bool,
    /// The leaf index of the member that signed it.
    pub signer: u32,
}

impl MlsClient {
    /// Exports a signed group info of the present epoch (an MLSMessage, RFC 9420 §12.4.3), by which
    /// others can join. It is of no use any more as soon as the group moves on.
    ///
    /// # Errors
    /// `group-inactive`, `group-not-found`.
    pub fn export_group_info(
        &mut self,
        group_id: &[u8],
        with_ratchet_tree: bool,
    ) -> Result<Vec<u8>> {
        self.with_group(group_id, |provider, identity, group| {
            groups::check_active(group)?;
            group
                .export_group_info(provider.crypto(), &identity.signer, with_ratchet_tree)
                .map_err(ClientError::internal)?
                .tls_serialize_detached()
                .map_err(ClientError::internal)
        })
    }

    /// Exports the ratchet tree of the present epoch (RFC 9420 §12.4.3.3, TLS encoded), for those
    /// whose Welcome or group info does not bring it.
    ///
    /// # Errors
    /// `group-inactive`, `group-not-found`.
    pub fn export_ratchet_tree(&mut self, group_id: &[u8]) -> Result<Vec<u8>> {
        self.with_group(group_id, |_, _, group| {
            groups::check_active(group)?;
            group
                .export_ratchet_tree()
                .tls_serialize_detached()
                .map_err(ClientError::internal)
        })
    }

    /// Reads a group info (an MLSMessage) without joining by it.
    ///
    /// # Errors
    /// `malformed-message`, `wrong-kind`.
    pub fn inspect_group_info(&self, group_info: &[u8]) -> Result<GroupInfoDetails> {
        let info = parse(group_info)?;
        Ok(GroupInfoDetails {
            group_id: info.group_id().to_vec(),
            epoch: info.epoch().as_u64(),
            ciphersuite: info.ciphersuite().into(),
            extensions: types(info.extensions().iter()),
            group_context_extensions: types(info.group_context().extensions().iter()),
            has_ratchet_tree: info.extensions().ratchet_tree().is_some(),
            has_external_pub: info.extensions().external_pub().is_some(),
            signer: signer(&info)?,
        })
    }
}

/// Parses a group info; verifies nothing.
pub(super) fn parse(group_info: &[u8]) -> Result<VerifiableGroupInfo> {
    let message = MlsMessageIn::tls_deserialize_exact_bytes(group_info)
        .map_err(|_| ClientError::MalformedMessage)?;
    match message.extract() {
        MlsMessageBodyIn::GroupInfo(info) => Ok(info),
        _ => Err(ClientError::WrongKind("not a group info")),
    }
}

fn types<'a>(extensions: impl Iterator<Item = &'a Extension>) -> Vec<u16> {
    extensions
        .map(|extension| extension.extension_type().into())
        .collect()
}

/// Parses a ratchet tree; verifies nothing.
pub(super) fn parse_ratchet_tree(ratchet_tree: &[u8]) -> Result<RatchetTreeIn> {
    // Not by `tls_deserialize_exact_bytes`: for a byte string that is cut short, tls_codec 0.5.0
    // panics there in debug builds (quic_vec.rs:370).
    RatchetTreeIn::tls_deserialize_exact(ratchet_tree).map_err(|_| ClientError::MalformedMessage)
}

/// The signer's leaf index, which OpenMLS keeps to itself: it follows the group context, the
/// extensions and the confirmation tag (RFC 9420 §12.4.3).
fn signer(info: &VerifiableGroupInfo) -> Result<u32> {
    let bytes = info
        .tls_serialize_detached()
        .map_err(ClientError::internal)?;
    let before = info.group_context().tls_serialized_len() + info.extensions().tls_serialized_len();
    let (_, rest) = VLBytes::tls_deserialize_bytes(bytes.get(before..).unwrap_or_default())
        .map_err(ClientError::internal)?;
    let (signer, _) = u32::tls_deserialize_bytes(rest).map_err(ClientError::internal)?;
    Ok(signer)
}
