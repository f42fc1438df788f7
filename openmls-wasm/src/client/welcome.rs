//! Joining by Welcome (RFC 9420 §12.4.3.1).

use openmls::prelude::{MlsGroup, MlsMessageBodyIn, MlsMessageIn, StagedWelcome};
use openmls::schedule::PreSharedKeyId;
use openmls_traits::OpenMlsProvider;
use tls_codec::DeserializeBytes as _;

use super::{
    group_info, groups, key_package_state, provider::Provider, settled, summaries, ClientError,
    GroupSettings, MlsClient, Result,
};

/// What a group is joined with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JoinOptions {
    /// How the group treats its messages here; by default as the client was told for all groups.
    pub settings: Option<GroupSettings>,
    /// The ratchet tree (RFC 9420 §12.4.3.3, TLS encoded), if the Welcome does not carry it.
    pub ratchet_tree: Option<Vec<u8>>,
}

impl MlsClient {
    /// Joins the group of a Welcome (an MLSMessage) and returns its id. The key package is deleted
    /// and the group is stored in one batch; a Welcome that fails deletes nothing.
    ///
    /// # Errors
    /// `malformed-message`, `wrong-kind`, `group-exists`, `stale-welcome`, `ratchet-tree-missing`,
    /// `invalid-welcome`; for a key package whose private keys are not here: `key-package-used`,
    /// `key-package-expired` (and purged), `key-package-of-other-client`, and
    /// `no-matching-key-package` for one that was never of this client, or was deleted by the app.
    pub fn join_group(&mut self, welcome: &[u8]) -> Result<Vec<u8>> {
        self.join_group_with(welcome, &JoinOptions::default())
    }

    /// Joins like [`join_group`](Self::join_group), with the ratchet tree (RFC 9420 §12.4.3.3, TLS
    /// encoded) that the Welcome itself does not carry.
    ///
    /// # Errors
    /// Those of [`join_group_with`](Self::join_group_with).
    pub fn join_group_with_tree(
        &mut self,
        welcome: &[u8],
        ratchet_tree: Option<&[u8]>,
    ) -> Result<Vec<u8>> {
        let options = JoinOptions {
            ratchet_tree: ratchet_tree.map(<[u8]>::to_vec),
            ..JoinOptions::default()
        };
        self.join_group_with(welcome, &options)
    }

    /// Joins like [`join_group`](Self::join_group), with these options.
    ///
    /// # Errors
    /// Those of [`join_group`](Self::join_group); `ratchet-tree-missing`; `malformed-message` for
    /// the tree too;
    /// `invalid-argument` for settings that cannot be.
    pub fn join_group_with(&mut self, welcome: &[u8], options: &JoinOptions) -> Result<Vec<u8>> {
        let settings = options.settings.as_ref().unwrap_or(&self.settings);
        let ratchet_tree = options.ratchet_tree.as_deref();
        let savepoint = self.provider.storage().savepoint()?;
        let group = settled(
            savepoint,
            join(&self.provider, settings, welcome, ratchet_tree),
        )?;
        let group_id = group.group_id().to_vec();
        self.groups.insert(group_id.clone(), group);
        Ok(group_id)
    }
}

/// Joins; to be called inside a savepoint.
pub(super) fn join(
    provider: &Provider,
    settings: &GroupSettings,
    welcome: &[u8],
    ratchet_tree: Option<&[u8]>,
) -> Result<MlsGroup> {
    let (staged, _) = stage(provider, settings, welcome, ratchet_tree, |_| Ok(()))?;
    let group = staged.into_group(provider)?;
    let policy = settings.past_epoch_policy();
    policy.put(provider.storage(), group.group_id().as_slice())?;
    summaries::note(provider, &group)?;
    Ok(group)
}

/// Opens and verifies a Welcome, and makes room for its group; to be called inside a savepoint or
/// on a scratch copy. `with_group` is told which group it is for, before that is looked at.
///
/// Returns the pre-shared keys too that the epoch rests on.
pub(super) fn stage(
    provider: &Provider,
    settings: &GroupSettings,
    welcome: &[u8],
    ratchet_tree: Option<&[u8]>,
    with_group: impl FnOnce(&[u8]) -> Result<()>,
) -> Result<(StagedWelcome, Vec<PreSharedKeyId>)> {
    let config = settings.join_config()?;
    let ratchet_tree = ratchet_tree
        .map(group_info::parse_ratchet_tree)
        .transpose()?;
    let message = MlsMessageIn::tls_deserialize_exact_bytes(welcome)
        .map_err(|_| ClientError::MalformedMessage)?;
    let MlsMessageBodyIn::Welcome(welcome) = message.extract() else {
        return Err(ClientError::WrongKind("not a Welcome"));
    };
    let used = key_package_state::welcomed(provider, &welcome)?;
    let builder = StagedWelcome::build_from_welcome(provider, &config, welcome)?
        // The key package of a member that has never updated its leaf expires while the member
        // stays (RFC 9420 §7.3 asks for the check where a leaf is added). A group must not become
        // impossible to join because one of its members was away for three months.
        .skip_lifetime_validation();
    let builder = match ratchet_tree {
        Some(tree) => builder.with_ratchet_tree(tree),
        None => builder,
    };
    let opened = builder.processed_welcome();
    let context = opened.unverified_group_info().group_context();
    let (group_id, epoch) = (context.group_id().to_vec(), context.epoch().as_u64());
    let psks = opened.psks().to_vec();
    with_group(&group_id)?;
    groups::prepare_to_join(provider, &group_id, epoch)?;
    let staged = builder.build()?;
    used.put(provider.storage())?;
    Ok((staged, psks))
}
