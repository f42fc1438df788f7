//! Who this client is: an identity, a ciphersuite and a signature key pair (RFC 9420 §5).

use openmls::prelude::{BasicCredential, Ciphersuite, CredentialWithKey};
use openmls_basic_credential::SignatureKeyPair;
use openmls_traits::{crypto::OpenMlsCrypto, signatures::Signer, OpenMlsProvider};
use serde::{Deserialize, Serialize};
use tls_codec::{Serialize as _, TlsSerialize, TlsSize, VLBytes};

use super::{provider::Provider, ClientError, MlsClient, Result};
use crate::storage::{key::SINGLETON, Category};

/// Ciphersuite 1 of RFC 9420: X25519, AES-128-GCM, SHA-256, Ed25519. The one every client must know.
pub const DEFAULT_CIPHERSUITE: u16 = 1;

/// The public half of an identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The identity of the basic credential: opaque bytes that the app chooses.
    pub identity: Vec<u8>,
    /// The public signature key, in the encoding of the ciphersuite.
    pub signature_public_key: Vec<u8>,
    /// The ciphersuite's number (RFC 9420 §17.1).
    pub ciphersuite: u16,
}

/// An identity with its private key.
#[derive(Debug)]
pub(super) struct LoadedIdentity {
    pub(super) public: Identity,
    pub(super) ciphersuite: Ciphersuite,
    pub(super) signer: SignatureKeyPair,
}

impl LoadedIdentity {
    pub(super) fn credential_with_key(&self) -> CredentialWithKey {
        CredentialWithKey {
            credential: BasicCredential::new(self.public.identity.clone()).into(),
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
    /// Creates the identity of this client with a new signature key pair.
    ///
    /// # Errors
    /// `identity-exists` if the client has one; `unsupported-ciphersuite` for a number that the
    /// crypto provider does not implement.
    pub fn create_identity(&mut self, identity: &[u8], ciphersuite: u16) -> Result<Identity> {
        if self.identity()?.is_some() {
            return Err(ClientError::IdentityExists);
        }
        let suite = supported(&self.provider, ciphersuite)?;
        let signer = SignatureKeyPair::new(suite.signature_algorithm())
            .map_err(|_| ClientError::UnsupportedCiphersuite(ciphersuite))?;
        let public = Identity {
            identity: identity.to_vec(),
            signature_public_key: signer.to_public_vec(),
            ciphersuite,
        };
        self.store_identity(&public, &signer)?;
        Ok(public)
    }

    /// Takes over an identity that was created elsewhere, with its signature key pair in the encoding
    /// of the ciphersuite.
    ///
    /// # Errors
    /// Those of [`create_identity`](Self::create_identity); `invalid-argument` if the keys do not
    /// belong together.
    pub fn restore_identity(
        &mut self,
        identity: Identity,
        signature_private_key: &[u8],
    ) -> Result<()> {
        if self.identity()?.is_some() {
            return Err(ClientError::IdentityExists);
        }
        let scheme = supported(&self.provider, identity.ciphersuite)?.signature_algorithm();
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
            return Err(ClientError::InvalidArgument(
                "the signature keys do not match",
            ));
        }
        self.store_identity(&identity, &signer)
    }

    fn store_identity(&mut self, public: &Identity, signer: &SignatureKeyPair) -> Result<()> {
        self.atomically(|provider| {
            signer.store(provider.storage())?;
            Ok(provider
                .storage()
                .put(Category::Identity, SINGLETON, public)?)
        })?;
        self.load_identity()
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
        if self.identity.is_some() {
            return Ok(());
        }
        let Some(public) = self.identity()? else {
            return Ok(());
        };
        let ciphersuite = supported(&self.provider, public.ciphersuite)?;
        let signer = SignatureKeyPair::read(
            self.storage(),
            &public.signature_public_key,
            ciphersuite.signature_algorithm(),
        )
        .ok_or(ClientError::SignatureKeyMissing)?;
        self.identity = Some(LoadedIdentity {
            public,
            ciphersuite,
            signer,
        });
        Ok(())
    }
}

fn supported(provider: &Provider, number: u16) -> Result<Ciphersuite> {
    Ciphersuite::try_from(number)
        .ok()
        .filter(|suite| provider.crypto().supports(*suite).is_ok())
        .ok_or(ClientError::UnsupportedCiphersuite(number))
}
