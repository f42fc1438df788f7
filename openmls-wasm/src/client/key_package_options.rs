//! What key packages are made with (RFC 9420 §10).

use openmls::prelude::{Ciphersuite, Extensions, KeyPackage, KeyPackageBuilder, Lifetime};

use super::{
    capabilities, extensions,
    identity::{self, LoadedIdentity},
    key_package_state::MAX_LIFETIME_SECONDS,
    provider::Provider,
    AppCapabilities, ClientError, Extension, Result,
};

/// What key packages are made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPackageOptions {
    /// How many, 1 to 1000.
    pub count: u32,
    /// Whether they may be used more than once, when no other is left (RFC 9420 §16.8).
    pub last_resort: bool,
    /// For how many seconds from now others may use them: 1 to twelve weeks, which is the default.
    /// They are valid from an hour ago, for clocks that are late.
    pub lifetime: Option<u64>,
    /// The ciphersuite of the groups they are for (RFC 9420 §17.1), with the signature scheme of the
    /// identity's, which is the default.
    pub ciphersuite: Option<u16>,
    /// Extensions of the key package. Their types are added to the capabilities.
    pub extensions: Vec<Extension>,
    /// Extensions of its leaf. Their types are added to the capabilities.
    pub leaf_extensions: Vec<Extension>,
    /// What the app supports beside what this library does; by default what the client was told.
    pub capabilities: Option<AppCapabilities>,
}

impl Default for KeyPackageOptions {
    fn default() -> Self {
        Self {
            count: 1,
            last_resort: false,
            lifetime: None,
            ciphersuite: None,
            extensions: vec![],
            leaf_extensions: vec![],
            capabilities: None,
        }
    }
}

impl KeyPackageOptions {
    /// The ciphersuite they are for.
    ///
    /// # Errors
    /// `unsupported-ciphersuite`; `invalid-argument` for one with another signature scheme.
    pub(super) fn suite(
        &self,
        provider: &Provider,
        identity: &LoadedIdentity,
    ) -> Result<Ciphersuite> {
        let Some(number) = self.ciphersuite else {
            return Ok(identity.ciphersuite);
        };
        let suite = identity::supported(provider, number)?;
        if suite.signature_algorithm() != identity.ciphersuite.signature_algorithm() {
            return Err(ClientError::InvalidArgument(
                "the ciphersuite has another signature scheme than the identity",
            ));
        }
        Ok(suite)
    }

    /// A builder of such key packages. `app`: what the client was told that the app supports.
    ///
    /// # Errors
    /// `invalid-argument` for a lifetime out of range, and for extensions that do not belong there.
    pub(super) fn builder(
        &self,
        provider: &Provider,
        app: &AppCapabilities,
    ) -> Result<KeyPackageBuilder> {
        let lifetime = self.lifetime.unwrap_or(MAX_LIFETIME_SECONDS);
        if !(1..=MAX_LIFETIME_SECONDS).contains(&lifetime) {
            return Err(ClientError::InvalidArgument(
                "a key package lives from one second to twelve weeks",
            ));
        }
        // A key package may only carry extensions that its leaf says it supports (RFC 9420 §10.1).
        let mut app = self.capabilities.as_ref().unwrap_or(app).clone();
        let used = self.extensions.iter().chain(&self.leaf_extensions);
        app.extensions
            .extend(used.map(|extension| u16::from(extension.extension_type())));
        let extensions: Extensions<KeyPackage> = extensions::list_to_mls(&self.extensions)?;
        let builder = KeyPackage::builder()
            .key_package_lifetime(Lifetime::new(lifetime))
            .leaf_node_capabilities(capabilities::own(provider, &app))
            .key_package_extensions(extensions)
            .leaf_node_extensions(extensions::list_to_mls(&self.leaf_extensions)?);
        Ok(if self.last_resort {
            builder.mark_as_last_resort()
        } else {
            builder
        })
    }
}
