//! Creating a group with everything that OpenMLS lets one choose (RFC 9420 §11).

use openmls::prelude::{
    Extensions, GroupContext, LeafNode, Lifetime, MlsGroup, MlsGroupCreateConfig,
};
use openmls_traits::OpenMlsProvider;

use super::{
    capabilities, delivery,
    extensions::{self, Extension},
    groups,
    identity::{self, LoadedIdentity},
    inert,
    provider::Provider,
    settled, summaries, AppCapabilities, ClientError, GroupSettings, MlsClient, Result,
};

/// How long the leaf of a group's creator lives: twelve weeks, as OpenMLS has it.
const MAX_LIFETIME_SECONDS: u64 = 60 * 60 * 24 * 28 * 3;

/// What a group is created with. By default what the client was told for all groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupOptions {
    /// How the group treats its messages here.
    pub settings: Option<GroupSettings>,
    /// The ciphersuite (RFC 9420 §17.1), with the signature scheme of the identity's, which is the
    /// default.
    pub ciphersuite: Option<u16>,
    /// What the app supports beside what this library does. What the group requires, and the types
    /// of the extensions below, are added.
    pub capabilities: Option<AppCapabilities>,
    /// For how many seconds from now the own leaf is valid: 1 to twelve weeks, which is the default.
    /// (From the first own commit or update on it is valid as long as this client is a member.)
    pub lifetime: Option<u64>,
    /// The extensions of the group context: required capabilities, external senders, and those of
    /// the app, which must be required.
    pub group_context_extensions: Vec<Extension>,
    /// The extensions of the own leaf.
    pub leaf_extensions: Vec<Extension>,
}

impl MlsClient {
    /// Creates a group with this client as its only member, and returns its id. Without an id, a
    /// random one is chosen.
    ///
    /// # Errors
    /// `no-identity`; `group-exists` if a group of that id is stored already;
    /// `unsupported-ciphersuite` for one that the crypto provider does not implement or that has
    /// another signature scheme than the identity; `invalid-argument` for settings, a lifetime or
    /// extensions that cannot be; `invalid-credential` for that of an external sender.
    pub fn create_group_with(
        &mut self,
        group_id: Option<&[u8]>,
        options: &GroupOptions,
    ) -> Result<Vec<u8>> {
        self.load_identity()?;
        let identity = self.identity.as_ref().ok_or(ClientError::NoIdentity)?;
        let group_id = match group_id {
            Some(group_id) => inert::unless_inert(self.provider.storage(), group_id)?,
            None => groups::new_id(&self.provider)?,
        };
        let settings = options.settings.as_ref().unwrap_or(&self.settings);
        let app = options.capabilities.as_ref().unwrap_or(&self.capabilities);
        let config = config(&self.provider, identity, settings, app, options)?;
        let savepoint = self.provider.storage().savepoint()?;
        let created = MlsGroup::new_with_group_id(
            &self.provider,
            &identity.signer,
            &config,
            group_id.clone(),
            identity.credential_with_key(),
        );
        // This client is there from the start: the first message of the log is at position 1.
        let created = created.map_err(ClientError::from).and_then(|group| {
            let storage = self.provider.storage();
            delivery::put_cursor(storage, group_id.as_slice(), 0)?;
            let policy = settings.past_epoch_policy();
            policy.put(storage, group_id.as_slice())?;
            summaries::note(&self.provider, &group)?;
            Ok(group)
        });
        let group = settled(savepoint, created)?;
        self.groups.insert(group_id.to_vec(), group);
        Ok(group_id.to_vec())
    }
}

fn config(
    provider: &Provider,
    identity: &LoadedIdentity,
    settings: &GroupSettings,
    app: &AppCapabilities,
    options: &GroupOptions,
) -> Result<MlsGroupCreateConfig> {
    let ciphersuite = match options.ciphersuite {
        Some(number) => identity::supported(provider, number)
            .ok()
            .filter(|suite| {
                suite.signature_algorithm() == identity.ciphersuite.signature_algorithm()
            })
            .ok_or(ClientError::UnsupportedCiphersuite(number))?,
        None => identity.ciphersuite,
    };
    let lifetime = options.lifetime.unwrap_or(MAX_LIFETIME_SECONDS);
    if !(1..=MAX_LIFETIME_SECONDS).contains(&lifetime) {
        return Err(ClientError::InvalidArgument(
            "a leaf lives from one second to twelve weeks",
        ));
    }
    let in_context: Extensions<GroupContext> =
        extensions::list_to_mls(&options.group_context_extensions)?;
    let in_leaf: Extensions<LeafNode> = extensions::list_to_mls(&options.leaf_extensions)?;
    let app = supporting(app, options)?;
    settings
        .create_config()?
        .ciphersuite(ciphersuite)
        .capabilities(capabilities::own(provider, &app))
        .lifetime(Lifetime::new(lifetime))
        .with_group_context_extensions(in_context)
        .with_leaf_node_extensions(in_leaf)
        .map(|builder| builder.build())
        .map_err(|_| ClientError::InvalidArgument("an extension does not belong into a leaf"))
}

/// The capabilities of a creator who supports what its group requires: a group whose only member
/// does not could take in nobody and commit nothing.
///
/// # Errors
/// `invalid-argument` for an extension of the app's own that the group does not require: no later
/// change of the extensions could contain it (RFC 9420 §12.1.7).
fn supporting(app: &AppCapabilities, options: &GroupOptions) -> Result<AppCapabilities> {
    let mut app = app.clone();
    let mut required: &[u16] = &[];
    for extension in &options.group_context_extensions {
        if let Extension::RequiredCapabilities {
            extension_types,
            proposal_types,
            ..
        } = extension
        {
            required = extension_types;
            app.proposals
                .extend(proposal_types.iter().filter(|it| !is_of_all(**it, 7)));
        }
    }
    for extension in &options.group_context_extensions {
        if let Extension::Other { extension_type, .. } = extension {
            if !required.contains(extension_type) {
                return Err(ClientError::InvalidArgument(
                    "an extension of the group context that the group does not require",
                ));
            }
        }
    }
    let in_leaf = options
        .leaf_extensions
        .iter()
        .filter_map(|extension| match extension {
            Extension::Other { extension_type, .. } => Some(extension_type),
            _ => None,
        });
    app.extensions.extend(
        required
            .iter()
            .chain(in_leaf)
            .filter(|it| !is_of_all(**it, 5)),
    );
    Ok(app)
}

/// Whether this is one of the types that every client supports and none lists (RFC 9420 §7.2).
fn is_of_all(number: u16, last: u16) -> bool {
    (1..=last).contains(&number)
}
