//! Capabilities: what a leaf says that its client supports (RFC 9420 §7.2).

use openmls::prelude::{
    Capabilities as MlsCapabilities, CredentialType, ExtensionType, ProposalType, ProtocolVersion,
};
use openmls_traits::{crypto::OpenMlsCrypto as _, types::VerifiableCiphersuite, OpenMlsProvider};

use super::provider::Provider;
use crate::sorted::sorted_by_key;

/// What a leaf supports beside what every client must.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Versions of the protocol; 1 is MLS 1.0.
    pub versions: Vec<u16>,
    /// Ciphersuites (RFC 9420 §17.1).
    pub ciphersuites: Vec<u16>,
    /// Extension types (RFC 9420 §17.3), the default ones of RFC 9420 §7.2 excepted.
    pub extensions: Vec<u16>,
    /// Proposal types (RFC 9420 §17.4), the default ones of RFC 9420 §7.2 excepted.
    pub proposals: Vec<u16>,
    /// Credential types (RFC 9420 §17.5): 1 is basic, 2 is X.509.
    pub credentials: Vec<u16>,
}

/// What an app supports beside what this library does: types of its own extensions and proposals. A
/// group can use one only if the leaf of every member lists it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct AppCapabilities {
    /// Extension types.
    pub extensions: Vec<u16>,
    /// Proposal types.
    pub proposals: Vec<u16>,
}

/// What the own leaves say.
///
/// Both credential types are listed, whichever the own one is: RFC 9420 §5.3.1 lets a member into a
/// group only if every other member lists the type of its credential.
pub(super) fn own(provider: &Provider, app: &AppCapabilities) -> MlsCapabilities {
    let extensions = with_own(ExtensionType::LastResort, &app.extensions);
    let proposals = with_own(ProposalType::SelfRemove, &app.proposals);
    MlsCapabilities::builder()
        .ciphersuites(provider.crypto().supported_ciphersuites())
        .extensions(extensions)
        .proposals(proposals)
        .credentials(vec![CredentialType::Basic, CredentialType::X509])
        .build()
}

/// What this library supports and what the app does, each number once.
fn with_own<T: Copy + Into<u16> + From<u16>>(own: T, app: &[u16]) -> Vec<T> {
    let mut numbers = vec![own.into()];
    numbers.extend(app);
    let mut numbers = sorted_by_key(numbers, |number| [u64::from(*number), 0, 0]);
    numbers.dedup();
    numbers.into_iter().map(T::from).collect()
}

impl From<&MlsCapabilities> for Capabilities {
    fn from(capabilities: &MlsCapabilities) -> Self {
        fn numbers<T: Copy + Into<u16>>(list: &[T]) -> Vec<u16> {
            list.iter().map(|entry| (*entry).into()).collect()
        }
        let version = |version: &ProtocolVersion| match version {
            ProtocolVersion::Mls10 => 1,
            ProtocolVersion::Other(number) => *number,
        };
        let suites = capabilities.ciphersuites().iter();
        Self {
            versions: capabilities.versions().iter().map(version).collect(),
            ciphersuites: suites.map(VerifiableCiphersuite::value).collect(),
            extensions: numbers(capabilities.extensions()),
            proposals: numbers(capabilities.proposals()),
            credentials: numbers(capabilities.credentials()),
        }
    }
}
