//! Who this client is: an identity, a ciphersuite and a signature key pair (RFC 9420 §5).

use openmls::prelude::{Ciphersuite, Credential as MlsCredential, CredentialWithKey};
use openmls_basic_credential::SignatureKeyPair;
use openmls_traits::{crypto::OpenMlsCrypto, signatures::Signer, OpenMlsProvider};
use serde::{Deserialize, Serialize};
use tls_codec::{Serialize as _, TlsSerialize, TlsSize, VLBytes};

use super::{provider::Provider, signature_key, ClientError, Credential, MlsClient, Result};
use crate::storage::{key::SINGLETON, Category};

/// Ciphersuite 1 of RFC 9420: X25519, AES-128-GCM, SHA-256, Ed25519. The one every client must know.
pub const DEFAULT_CIPHERSUITE: u16 = 1;

/// The public half of an identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The identity of the basic credential: opaque bytes that the app chooses. Empty for an X.509
    /// credential.
    pub identity: Vec<u8>,
    /// The chain of the X.509 credential: DER-encoded certificates, that of this client first. Empty
    /// for a basic credential.
    #[serde(default)]
    pub certificates: Vec<Vec<u8>>,
    /// The public signature key, in the encoding of the ciphersuite.
    pub signature_public_key: Vec<u8>,
    /// The ciphersuite's number (RFC 9420 §17.1).
    pub ciphersuite: u16,
}

impl Identity {
    /// The credential.
    pub fn credential(&self) -> Credential {
        Credential::from_parts(&self.identity, &self.certificates)
    }

    fn new(credential: &Credential, signature_public_key: Vec<u8>, ciphersuite: u16) -> Self {
        let (identity, certificates) = credential.clone().into_parts();
        Self {
            identity,
            certificates,
            signature_public_key,
            ciphersuite,
        }
    }
}

/// An identity with its private key.
#[derive(Debug)]
pub(super) struct LoadedIdentity {
    pub(super) public: Identity,
    pub(super) credential: MlsCredential,
    pub(super) ciphersuite: Ciphersuite,
    pub(super) signer: SignatureKeyPair,
}

impl LoadedIdentity {
    pub(super) fn credential_with_key(&self) -> CredentialWithKey {
        CredentialWithKey {
            credential: self.credential.clone(),
            signature_key: self.public.signature_public_key.clone().into(),
        }
    }
}

/// `SignContent` of RFC 9420 §5.1.2.
#[derive(TlsSerialize, TlsSize)]
struct SignContent {
    label: VLBytes,
    content: VLBytes,
}

impl MlsClient {
    /// Creates the identity of this client: a basic credential and a new signature key pair.
    ///
    /// # Errors
    /// Those of [`create_identity_with`](Self::create_identity_with).
    pub fn create_identity(&mut self, identity: &[u8], ciphersuite: u16) -> Result<Identity> {
        self.create_identity_with(&Credential::basic(identity), ciphersuite)
    }

    /// Creates the identity of this client with any credential.
    ///
    /// An X.509 chain is made for a key that is there already: first
    /// [`generate_signature_key`](Self::generate_signature_key), then the certificate authority,
    /// then this. A basic credential gets the generated key, if there is one of the ciphersuite's
    /// signature scheme, or else a new one.
    ///
    /// # Errors
    /// `identity-exists` if the client has one; `unsupported-ciphersuite` for a number that the
    /// crypto provider does not implement; `invalid-credential` for a chain that does not parse,
    /// or whose first certificate is for a key that was not generated here.
    pub fn create_identity_with(
        &mut self,
        credential: &Credential,
        ciphersuite: u16,
    ) -> Result<Identity> {
        if self.identity()?.is_some() {
            return Err(ClientError::IdentityExists);
        }
        let scheme = supported(&self.provider, ciphersuite)?.signature_algorithm();
        let generated = signature_key::generated(self.storage())?;
        let generated = generated.filter(|signer| signer.signature_scheme() == scheme);
        let signer = match (credential.certified_key()?, generated) {
            (Some(key), Some(signer)) if signer.public() == key => signer,
            (Some(_), _) => {
                return Err(ClientError::InvalidCredential(
                    "the certificate is for a key that was not generated here",
                ))
            }
            (None, Some(signer)) => signer,
            (None, None) => SignatureKeyPair::new(scheme)
                .map_err(|_| ClientError::UnsupportedCiphersuite(ciphersuite))?,
        };
        let public = Identity::new(credential, signer.to_public_vec(), ciphersuite);
        self.store_identity(&public, &signer)?;
        Ok(public)
    }

    /// Takes over an identity that was created elsewhere, with its signature key pair in the encoding
    /// of the ciphersuite.
    ///
    /// # Errors
    /// Those of [`create_identity_with`](Self::create_identity_with); `invalid-argument` if the
    /// keys do not belong together.
    pub fn restore_identity(
        &mut self,
        identity: Identity,
        signature_private_key: &[u8],
    ) -> Result<()> {
        if self.identity()?.is_some() {
            return Err(ClientError::IdentityExists);
        }
        let scheme = supported(&self.provider, identity.ciphersuite)?.signature_algorithm();
        identity
            .credential()
            .check_key(&identity.signature_public_key)?;
        let mismatch = ClientError::InvalidArgument("the signature keys do not match");
        if !signature_key::has_private_key_length(scheme, signature_private_key) {
            return Err(mismatch);
        }
        let signer = SignatureKeyPair::from_raw(
            scheme,
            signature_private_key.to_vec(),
            identity.signature_public_key.clone(),
        );
        let probe = b"do these keys belong together?";
        let matching = signer.sign(probe).is_ok_and(|signature| {
            let crypto = self.provider.crypto();
            crypto
                .verify_signature(scheme, probe, &identity.signature_public_key, &signature)
                .is_ok()
        });
        if !matching {
            return Err(mismatch);
        }
        self.store_identity(&identity, &signer)
    }

    fn store_identity(&mut self, public: &Identity, signer: &SignatureKeyPair) -> Result<()> {
        self.atomically(|provider| {
            signature_key::discard_generated(provider.storage())?;
            signer.store(provider.storage())?;
            Ok(provider
                .storage()
                .put(Category::Identity, SINGLETON, public)?)
        })?;
        self.load_identity()
    }

    /// The numbers of the ciphersuites (RFC 9420 §17.1) that the crypto provider implements.
    pub fn supported_ciphersuites(&self) -> Vec<u16> {
        let suites = self.provider.crypto().supported_ciphersuites();
        suites.into_iter().map(u16::from).collect()
    }

    /// The identity, if one was created or hydrated.
    pub fn identity(&self) -> Result<Option<Identity>> {
        Ok(self.storage().get(Category::Identity, SINGLETON)?)
    }

    /// Signs `content` under `label` with the client's signature key (RFC 9420 §5.1.2,
    /// `SignWithLabel`), for instance to prove possession of it to a delivery service.
    ///
    /// # Errors
    /// `no-identity`; `reserved-label` for a label that MLS itself signs under.
    pub fn sign_with_label(&mut self, label: &str, content: &[u8]) -> Result<Vec<u8>> {
        // A signature under one of these would be a message of the protocol.
        const RESERVED: [&str; 5] = [
            "FramedContentTBS",
            "LeafNodeTBS",
            "KeyPackageTBS",
            "GroupInfoTBS",
            "ComponentOperationLabel",
        ];
        if RESERVED.contains(&label) {
            return Err(ClientError::ReservedLabel);
        }
        let payload = SignContent {
            label: format!("MLS 1.0 {label}").into_bytes().into(),
            content: content.into(),
        }
        .tls_serialize_detached()
        .map_err(ClientError::internal)?;
        let signer = &self.loaded_identity()?.signer;
        signer
            .sign(&payload)
            .map_err(|_| ClientError::internal("signing failed"))
    }

    pub(super) fn loaded_identity(&mut self) -> Result<&LoadedIdentity> {
        self.load_identity()?;
        self.identity.as_ref().ok_or(ClientError::NoIdentity)
    }

    /// Loads the identity from the records if there is one and it is not loaded yet.
    pub(super) fn load_identity(&mut self) -> Result<()> {
        if self.identity.is_none() {
            self.identity = load(&self.provider)?;
        }
        Ok(())
    }
}

/// The identity that is stored.
///
/// # Errors
/// `unsupported-ciphersuite`, `signature-key-missing`.
pub(super) fn load(provider: &Provider) -> Result<Option<LoadedIdentity>> {
    let storage = provider.storage();
    let Some(public) = storage.get::<Identity>(Category::Identity, SINGLETON)? else {
        return Ok(None);
    };
    let ciphersuite = supported(provider, public.ciphersuite)?;
    let signer = SignatureKeyPair::read(
        storage,
        &public.signature_public_key,
        ciphersuite.signature_algorithm(),
    )
    .ok_or(ClientError::SignatureKeyMissing)?;
    let credential = public.credential().to_mls()?;
    Ok(Some(LoadedIdentity {
        public,
        credential,
        ciphersuite,
        signer,
    }))
}

pub(super) fn supported(provider: &Provider, number: u16) -> Result<Ciphersuite> {
    Ciphersuite::try_from(number)
        .ok()
        .filter(|suite| provider.crypto().supports(*suite).is_ok())
        .ok_or(ClientError::UnsupportedCiphersuite(number))
}
