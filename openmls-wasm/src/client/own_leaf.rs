//! The own leaf of a group (RFC 9420 §7.2): its credential, and the key pairs made for it.
//!
//! A client begins every group with the credential and signature key of its identity; an update or
//! a commit gives its leaf in that group others. So whatever is signed for a group is signed with
//! the key of the own leaf there. A key pair that was made for a leaf is deleted when the leaf has
//! another and no proposal or commit that waits may bring it back (G7).

use openmls::prelude::{
    Ciphersuite, CredentialWithKey, Extensions, LeafNode, LeafNodeParameters, MlsGroup,
    NewSignerBundle, Proposal, Sender,
};
use openmls_basic_credential::SignatureKeyPair;
use openmls_traits::{storage::StorageProvider as _, OpenMlsProvider};
use serde::{Deserialize, Serialize};

use super::{
    capabilities, credential, extensions, groups,
    identity::{Identity, LoadedIdentity},
    pending_join,
    provider::Provider,
    retained_epochs, signature_key, AppCapabilities, ClientError, Credential, Extension, Result,
};
use crate::storage::{key, Category, GranularStorage};

/// What is to change in the own leaf. Its HPKE key always does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeafUpdate {
    /// The new credential. A certificate chain is for the leaf's signature key, or for the one that
    /// [`generate_signature_key`](super::MlsClient::generate_signature_key) made; that one waits
    /// again if the proposal or commit is lost.
    pub credential: Option<Credential>,
    /// Whether the leaf gets a new signature key. With a certificate chain for a generated key it
    /// gets that one.
    pub new_signature_key: bool,
    /// What the app supports beside what this library does.
    pub capabilities: Option<AppCapabilities>,
    /// The extensions of the leaf, all of them.
    pub extensions: Option<Vec<Extension>>,
}

impl LeafUpdate {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The parts of a new leaf. A new signature key pair is stored already.
#[derive(Default)]
pub(super) struct NewLeaf {
    pub(super) parameters: LeafNodeParameters,
    signer: Option<(SignatureKeyPair, CredentialWithKey)>,
}

impl NewLeaf {
    pub(super) fn signer(&self) -> Option<NewSignerBundle<'_, SignatureKeyPair>> {
        let (signer, credential_with_key) = self.signer.as_ref()?;
        Some(NewSignerBundle {
            signer,
            credential_with_key: credential_with_key.clone(),
        })
    }
}

/// Prepares the new leaf of this client, whose identity in the group is `identity`; to be called
/// inside a savepoint.
///
/// # Errors
/// `invalid-credential` for a certificate chain that is not for the leaf's key.
pub(super) fn prepare(
    provider: &Provider,
    identity: &LoadedIdentity,
    group: &MlsGroup,
    update: &LeafUpdate,
) -> Result<NewLeaf> {
    let credential = match &update.credential {
        Some(credential) => credential.clone(),
        None => identity.public.credential(),
    };
    let mut parameters = LeafNodeParameters::builder();
    let signer = new_signer(provider, identity, group, update, &credential)?;
    let with_key = |signature_key: &[u8]| -> Result<_> {
        Ok(CredentialWithKey {
            credential: credential.to_mls()?,
            signature_key: signature_key.into(),
        })
    };
    let signer = match signer {
        Some(signer) => {
            let with_key = with_key(signer.public())?;
            Some((signer, with_key))
        }
        None => {
            if update.credential.is_some() {
                let with_key = with_key(&identity.public.signature_public_key)?;
                parameters = parameters.with_credential_with_key(with_key);
            }
            None
        }
    };
    if let Some(app) = &update.capabilities {
        parameters = parameters.with_capabilities(capabilities::own(provider, app));
    }
    if let Some(list) = &update.extensions {
        let extensions: Extensions<LeafNode> = extensions::list_to_mls(list)?;
        parameters = parameters.with_extensions(extensions);
    }
    Ok(NewLeaf {
        parameters: parameters.build(),
        signer,
    })
}

/// The signature key pair that the new leaf gets, if it does not keep the one it has.
fn new_signer(
    provider: &Provider,
    identity: &LoadedIdentity,
    group: &MlsGroup,
    update: &LeafUpdate,
    credential: &Credential,
) -> Result<Option<SignatureKeyPair>> {
    let storage = provider.storage();
    let scheme = group.ciphersuite().signature_algorithm();
    let certified = credential.certified_key()?;
    let signer = match certified {
        Some(key) if key == identity.public.signature_public_key && !update.new_signature_key => {
            return Ok(None)
        }
        Some(key) => {
            let generated = signature_key::generated(storage)?;
            let signer = generated.filter(|signer| signer.public() == key);
            signature_key::discard_generated(storage)?;
            signer.ok_or(ClientError::InvalidCredential(
                "the certificate is for a key that was not generated here",
            ))?
        }
        None if update.new_signature_key => {
            SignatureKeyPair::new(scheme).map_err(ClientError::internal)?
        }
        None => return Ok(None),
    };
    signer.store(storage)?;
    let made = MadeKey {
        waits_for_its_leaf: certified.is_some(),
    };
    let key = record_key(group, signer.public());
    storage.put(Category::OwnSignatureKey, &key, &made)?;
    Ok(Some(signer))
}

/// A signature key pair that was made for the own leaf of a group.
#[derive(Serialize, Deserialize)]
struct MadeKey {
    /// Whether there is a certificate for it and no leaf has had it yet: if its proposal or commit is
    /// lost, the certificate is not to be lost with it.
    waits_for_its_leaf: bool,
}

fn record_key(group: &MlsGroup, public_key: &[u8]) -> String {
    let group_id = key::bytes_key(group.group_id().as_slice());
    format!("{group_id}/{}", key::bytes_key(public_key))
}

/// The identity of this client in a group, where the own leaf says something else than the client's
/// identity does.
pub(super) fn identity_in(
    provider: &Provider,
    identity: &LoadedIdentity,
    group: &MlsGroup,
) -> Result<Option<LoadedIdentity>> {
    match group.own_leaf_node().filter(|_| group.is_active()) {
        Some(leaf) => identity_of(provider, identity, leaf, group.ciphersuite()),
        None => Ok(None),
    }
}

/// The identity of this client in a group where its leaf is, or was, `leaf`.
pub(super) fn identity_of(
    provider: &Provider,
    identity: &LoadedIdentity,
    leaf: &LeafNode,
    ciphersuite: Ciphersuite,
) -> Result<Option<LoadedIdentity>> {
    let public_key = leaf.signature_key().as_slice();
    if public_key == identity.public.signature_public_key
        && *leaf.credential() == identity.credential
    {
        return Ok(None);
    }
    let scheme = ciphersuite.signature_algorithm();
    let signer = SignatureKeyPair::read(provider.storage(), public_key, scheme)
        .ok_or(ClientError::SignatureKeyMissing)?;
    let (name, certificates) = credential::parts(leaf.credential(), public_key);
    Ok(Some(LoadedIdentity {
        public: Identity {
            identity: name,
            certificates,
            signature_public_key: public_key.to_vec(),
            ciphersuite: ciphersuite.into(),
        },
        credential: leaf.credential().clone(),
        ciphersuite,
        signer,
    }))
}

/// What the app supports, with what the own leaf of a group says.
pub(super) fn app_capabilities(leaf: Option<&LeafNode>, app: &AppCapabilities) -> AppCapabilities {
    let mut app = app.clone();
    if let Some(leaf) = leaf {
        let said = leaf.capabilities();
        let extensions = said.extensions().iter().copied().map(u16::from);
        let proposals = said.proposals().iter().copied().map(u16::from);
        app.extensions.extend(extensions);
        app.proposals.extend(proposals);
    }
    app
}

/// Runs what ends an epoch, keeps what its late messages need, and deletes the key pairs that were only
/// for it: OpenMLS keeps those of update proposals that were not committed.
pub(super) fn ending_epoch(
    provider: &Provider,
    group: &mut MlsGroup,
    end: impl FnOnce(&mut MlsGroup) -> Result<()>,
) -> Result<()> {
    let proposed: Vec<LeafNode> = provider.storage().own_leaf_nodes(group.group_id())?;
    retained_epochs::keeping(provider, group, end)?;
    delete_encryption_keys(provider.storage(), &proposed)?;
    collect_signature_keys(provider.storage(), group)
}

/// Takes the key pairs of own update proposals that are not in the queue any more out of storage.
/// The live group is loaded anew: it holds the leaves too, and could process no commit without the
/// keys of all of them.
pub(super) fn collect_proposed(provider: &Provider, group: &mut MlsGroup) -> Result<()> {
    let storage = provider.storage();
    let waiting: Vec<LeafNode> = own_updates(group).cloned().collect();
    let proposed: Vec<LeafNode> = storage.own_leaf_nodes(group.group_id())?;
    let (kept, dropped): (Vec<_>, Vec<_>) = proposed
        .into_iter()
        .partition(|leaf| waiting.contains(leaf));
    if !dropped.is_empty() {
        storage.delete_own_leaf_nodes(group.group_id())?;
        for leaf in &kept {
            storage.append_own_leaf_node(group.group_id(), leaf)?;
        }
        delete_encryption_keys(storage, &dropped)?;
        *group = groups::load(provider, group.group_id().as_slice())?;
    }
    collect_signature_keys(storage, group)
}

/// Deletes every key pair that was made for the own leaf of a group that is about to be deleted, but
/// the signature key `kept`: of the leaf by which the group is joined anew.
pub(super) fn delete_all(
    storage: &GranularStorage,
    group: &MlsGroup,
    kept: Option<&[u8]>,
) -> Result<()> {
    let proposed: Vec<LeafNode> = storage.own_leaf_nodes(group.group_id())?;
    delete_encryption_keys(storage, &proposed)?;
    delete_made_keys(storage, group, kept.as_slice())
}

/// Deletes every signature key pair that was made for the own leaf of a group that is inert.
pub(super) fn delete_inert(
    storage: &GranularStorage,
    group_id: &[u8],
    ciphersuite: Ciphersuite,
) -> Result<()> {
    delete_signature_keys(storage, group_id, ciphersuite, None, &[])
}

/// Deletes the signature key pairs made for the own leaf that nothing can need any more.
pub(super) fn collect_signature_keys(storage: &GranularStorage, group: &MlsGroup) -> Result<()> {
    let committed = group
        .pending_commit()
        .and_then(|commit| commit.update_path_leaf_node());
    let joining = pending_join::signature_key(storage, group.group_id().as_slice())?;
    let needed: Vec<&[u8]> = group
        .own_leaf_node()
        .into_iter()
        .chain(own_updates(group))
        .chain(committed)
        .map(|leaf| leaf.signature_key().as_slice())
        .chain(joining.as_deref())
        .collect();
    delete_made_keys(storage, group, &needed)
}

fn delete_made_keys(storage: &GranularStorage, group: &MlsGroup, needed: &[&[u8]]) -> Result<()> {
    let group_id = group.group_id().as_slice();
    let in_leaf = group.own_leaf_node().map(|leaf| leaf.signature_key());
    let in_leaf = in_leaf.map(|key| key.as_slice());
    delete_signature_keys(storage, group_id, group.ciphersuite(), in_leaf, needed)
}

fn own_updates(group: &MlsGroup) -> impl Iterator<Item = &LeafNode> {
    let own = group.own_leaf_index();
    group
        .pending_proposals()
        .filter_map(move |queued| match (queued.sender(), queued.proposal()) {
            (Sender::Member(sender), Proposal::Update(update)) if *sender == own => {
                Some(update.leaf_node())
            }
            _ => None,
        })
}

fn delete_encryption_keys(storage: &GranularStorage, leaves: &[LeafNode]) -> Result<()> {
    Ok(leaves
        .iter()
        .try_for_each(|leaf| storage.delete_encryption_key_pair(leaf.encryption_key()))?)
}

fn delete_signature_keys(
    storage: &GranularStorage,
    group_id: &[u8],
    ciphersuite: Ciphersuite,
    in_leaf: Option<&[u8]>,
    needed: &[&[u8]],
) -> Result<()> {
    let category = Category::OwnSignatureKey;
    let scheme = ciphersuite.signature_algorithm();
    let group_id = key::bytes_key(group_id);
    for record in storage.keys_in_range(category, &group_id)? {
        let made: Option<MadeKey> = storage.get(category, &record)?;
        let waits = made.is_some_and(|made| made.waits_for_its_leaf);
        let Some(public_key) = record.rsplit('/').next().and_then(key::parse_bytes_key) else {
            continue;
        };
        let is_in_leaf = in_leaf == Some(public_key.as_slice());
        if needed.contains(&public_key.as_slice()) {
            if waits && is_in_leaf {
                let waits_for_its_leaf = false;
                storage.put(category, &record, &MadeKey { waits_for_its_leaf })?;
            }
            continue;
        }
        storage.delete(category, &record)?;
        if !waits || !signature_key::wait_again(storage, &public_key, scheme)? {
            SignatureKeyPair::delete(storage, &public_key, scheme)?;
        }
    }
    Ok(())
}
