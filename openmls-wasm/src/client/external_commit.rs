//! Making an external commit (RFC 9420 §12.4.3.2), in a store of its own.

use openmls::group::{CreateCommitError, MlsGroup};
use openmls::messages::group_info::VerifiableGroupInfo;
use openmls::prelude::{
    Capabilities, CreationFromExternalError, ExternalCommitBuilderError,
    ExternalCommitBuilderFinalizeError, LeafNodeParameters, MlsMessageBodyIn, MlsMessageIn,
    MlsMessageOut, PreSharedKeyProposal, PublicMessageIn,
};
use openmls::schedule::{errors::PskError, ExternalPsk, PreSharedKeyId, Psk};
use openmls_traits::OpenMlsProvider;
use tls_codec::DeserializeBytes as _;

use super::{
    extensions::Extension, group_info, groups, identity::LoadedIdentity, inspection,
    provider::Provider, summaries, AppCapabilities, ClientError, CredentialToValidate,
    GroupSettings, Member, Result,
};
use crate::storage::{Category, GranularStorage, Record, StorageError};

/// What an external commit is made of, besides the group info.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExternalJoin {
    /// The ratchet tree (TLS encoded), for a group info that does not bring it.
    pub ratchet_tree: Option<Vec<u8>>,
    /// Authenticated data that travels with the commit in the clear.
    pub authenticated_data: Vec<u8>,
    /// The ids of external pre-shared keys that the commit proposes; all members must have them.
    pub external_psks: Vec<Vec<u8>>,
    /// SelfRemove proposals of members that are leaving (MLSMessages): they go with this commit.
    /// What else is in the list is left out of it.
    pub self_removes: Vec<Vec<u8>>,
    /// How the group treats its messages here. By default as it did before, if it is stored, or else
    /// as the client was told for all groups.
    pub settings: Option<GroupSettings>,
    /// What the app supports beside what this library does. By default what the client was told, and
    /// what the old leaf in the group says.
    pub capabilities: Option<AppCapabilities>,
}

/// What joining by external commit leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalJoinInfo {
    /// The group.
    pub group_id: Vec<u8>,
    /// The epoch that is joined.
    pub epoch: u64,
    /// The ciphersuite's number (RFC 9420 §17.1).
    pub ciphersuite: u16,
    /// The members, this client included, by leaf index.
    pub members: Vec<Member>,
    /// Every credential that is in the group (RFC 9420 §5.3.1): those of the members and of the
    /// external senders.
    pub credentials: Vec<CredentialToValidate>,
}

/// An external commit and the group that it makes, in a store of its own.
pub(super) struct ExternalCommit {
    pub(super) provider: Provider,
    pub(super) group: MlsGroup,
    pub(super) message: MlsMessageOut,
    /// The signature key of the leaf that it adds.
    pub(super) signature_key: Vec<u8>,
}

impl ExternalCommit {
    pub(super) fn new(
        storage: &GranularStorage,
        identity: &LoadedIdentity,
        capabilities: Capabilities,
        settings: &GroupSettings,
        info: VerifiableGroupInfo,
        join: &ExternalJoin,
    ) -> Result<Self> {
        let suite = info.ciphersuite();
        if suite.signature_algorithm() != identity.ciphersuite.signature_algorithm() {
            return Err(ClientError::UnsupportedCiphersuite(suite.into()));
        }
        let provider = Provider::default();
        provider.storage().adopt(pre_shared_keys(storage)?)?;
        let mut builder = MlsGroup::external_commit_builder()
            .with_config(settings.join_config()?)
            .with_aad(join.authenticated_data.clone())
            .with_proposals(proposals(&join.self_removes)?)
            // As for a Welcome: a member that was away for long keeps nobody out.
            .skip_lifetime_validation();
        if let Some(tree) = &join.ratchet_tree {
            builder = builder.with_ratchet_tree(group_info::parse_ratchet_tree(tree)?);
        }
        let psks = join.external_psks.iter().map(|id| {
            let psk = Psk::External(ExternalPsk::new(id.clone()));
            PreSharedKeyId::new(suite, provider.rand(), psk)
                .map(PreSharedKeyProposal::new)
                .map_err(ClientError::internal)
        });
        let psks = psks.collect::<Result<Vec<_>>>()?;
        let parameters = LeafNodeParameters::builder()
            .with_capabilities(capabilities)
            .build();
        let (group, bundle) = builder
            .build_group(&provider, info, identity.credential_with_key())?
            .leaf_node_parameters(parameters)
            .add_psk_proposals(psks)
            .load_psks(provider.storage())
            .map_err(psk_error)?
            .create_group_info(false)
            .build(provider.rand(), provider.crypto(), &identity.signer, |_| {
                true
            })?
            .finalize(&provider)?;
        let (message, _, _) = bundle.into_contents();
        let policy = settings.past_epoch_policy();
        policy.put(provider.storage(), group.group_id().as_slice())?;
        summaries::note(&provider, &group)?;
        Ok(Self {
            provider,
            group,
            message,
            signature_key: identity.public.signature_public_key.clone(),
        })
    }

    /// What it leads to.
    pub(super) fn info(&self) -> Result<ExternalJoinInfo> {
        let members = groups::members(&self.group);
        let extensions = Extension::list_from_mls(self.group.extensions())?;
        Ok(ExternalJoinInfo {
            group_id: self.group.group_id().to_vec(),
            epoch: self.group.epoch().as_u64(),
            ciphersuite: self.group.ciphersuite().into(),
            credentials: inspection::credentials(&members, &extensions),
            members,
        })
    }
}

fn pre_shared_keys(storage: &GranularStorage) -> Result<Vec<Record>> {
    let mut records = storage.records()?;
    records.retain(|record| record.category == Category::Psk);
    Ok(records)
}

fn proposals(messages: &[Vec<u8>]) -> Result<Vec<PublicMessageIn>> {
    messages
        .iter()
        .map(|bytes| {
            let message = MlsMessageIn::tls_deserialize_exact_bytes(bytes)
                .map_err(|_| ClientError::MalformedMessage)?;
            match message.extract() {
                MlsMessageBodyIn::PublicMessage(message) => Ok(message),
                _ => Err(ClientError::WrongKind("not a PublicMessage")),
            }
        })
        .collect()
}

fn psk_error(error: CreateCommitError) -> ClientError {
    match error {
        CreateCommitError::PskError(PskError::KeyNotFound) => ClientError::UnknownPsk,
        other => other.into(),
    }
}

impl From<ExternalCommitBuilderError<StorageError>> for ClientError {
    fn from(error: ExternalCommitBuilderError<StorageError>) -> Self {
        use ExternalCommitBuilderError as Error;
        match error {
            Error::MissingRatchetTree => Self::RatchetTreeMissing,
            Error::UnsupportedCiphersuite(suite)
            | Error::PublicGroupError(CreationFromExternalError::UnsupportedCiphersuite(suite)) => {
                Self::UnsupportedCiphersuite(suite.into())
            }
            Error::StorageError(error) => error.into(),
            Error::LibraryError(error) => Self::internal(error),
            Error::InvalidProposal(error) => Self::InvalidMessage(error.to_string()),
            other => Self::InvalidGroupInfo(other.to_string()),
        }
    }
}

impl From<ExternalCommitBuilderFinalizeError<StorageError>> for ClientError {
    fn from(error: ExternalCommitBuilderFinalizeError<StorageError>) -> Self {
        match error {
            ExternalCommitBuilderFinalizeError::StorageError(error) => error.into(),
            ExternalCommitBuilderFinalizeError::MergeCommitError(error) => error.into(),
            other => Self::internal(other),
        }
    }
}
