//! The signature key by itself: one that is there before its credential, because a certificate
//! authority makes the certificate for it; and the export of the private key.

use der::{asn1::AnyRef, Decode as _, Reader as _, SliceReader};
use openmls_basic_credential::SignatureKeyPair;
use openmls_traits::{signatures::Signer as _, types::SignatureScheme, OpenMlsProvider};
use serde::{Deserialize, Serialize};
use tls_codec::{DeserializeBytes as _, SecretVLBytes, Serialize as _};
use zeroize::Zeroizing;

use super::{credential, crypto::SupportedCrypto, identity, ClientError, MlsClient, Result};
use crate::storage::{key::SINGLETON, Category, GranularStorage};

/// Which of the stored signature key pairs waits for its credential.
#[derive(Serialize, Deserialize)]
struct Generated {
    public_key: Vec<u8>,
    scheme: SignatureScheme,
}

/// The key pair that waits for its credential.
pub(super) fn generated(storage: &GranularStorage) -> Result<Option<SignatureKeyPair>> {
    let Some(generated) = storage.get::<Generated>(Category::GeneratedSignatureKey, SINGLETON)?
    else {
        return Ok(None);
    };
    // The build with post-quantum ciphersuites may have generated it.
    SupportedCrypto::default()
        .check_scheme(generated.scheme)
        .map_err(|_| {
            ClientError::InvalidArgument(
                "a key of a signature scheme that this build does not have",
            )
        })?;
    SignatureKeyPair::read(storage, &generated.public_key, generated.scheme)
        .map(Some)
        .ok_or(ClientError::SignatureKeyMissing)
}

/// Deletes the key pair that waits for its credential, if there is one: whoever has a use for it
/// stores it again.
pub(super) fn discard_generated(storage: &GranularStorage) -> Result<()> {
    let generated: Option<Generated> = storage.get(Category::GeneratedSignatureKey, SINGLETON)?;
    if let Some(generated) = generated {
        SignatureKeyPair::delete(storage, &generated.public_key, generated.scheme)?;
        storage.delete(Category::GeneratedSignatureKey, SINGLETON)?;
    }
    Ok(())
}

/// Lets a key pair that is stored wait for its credential again, unless another one does by now.
/// Returns whether it does.
pub(super) fn wait_again(
    storage: &GranularStorage,
    public_key: &[u8],
    scheme: SignatureScheme,
) -> Result<bool> {
    if storage.contains(Category::GeneratedSignatureKey, SINGLETON)? {
        return Ok(false);
    }
    let generated = Generated {
        public_key: public_key.to_vec(),
        scheme,
    };
    storage.put(Category::GeneratedSignatureKey, SINGLETON, &generated)?;
    Ok(true)
}

/// Whether a private key is as long as the scheme asks for. RustCrypto panics for ECDSA keys that
/// are not. Those of ML-DSA are seeds.
pub(super) fn has_private_key_length(scheme: SignatureScheme, private_key: &[u8]) -> bool {
    let length = match scheme {
        SignatureScheme::ECDSA_SECP384R1_SHA384 => 48,
        SignatureScheme::ECDSA_SECP521R1_SHA512 => 66,
        SignatureScheme::ED448 => 57,
        _ => 32,
    };
    private_key.len() == length
}

impl MlsClient {
    /// Generates a signature key pair of the ciphersuite's scheme for a credential that is made
    /// later, and returns the public key. One that was generated before and not used is deleted.
    ///
    /// # Errors
    /// `unsupported-ciphersuite`.
    pub fn generate_signature_key(&mut self, ciphersuite: u16) -> Result<Vec<u8>> {
        let suite = identity::supported(&self.provider, ciphersuite)?;
        let scheme = suite.signature_algorithm();
        let signer = SignatureKeyPair::new(scheme)
            .map_err(|_| ClientError::UnsupportedCiphersuite(ciphersuite))?;
        let public_key = signer.to_public_vec();
        self.atomically(|provider| {
            let storage = provider.storage();
            discard_generated(storage)?;
            signer.store(storage)?;
            let generated = Generated {
                public_key: public_key.clone(),
                scheme,
            };
            Ok(storage.put(Category::GeneratedSignatureKey, SINGLETON, &generated)?)
        })?;
        Ok(public_key)
    }

    /// Signs the CertificationRequestInfo (RFC 2986 §4.1, DER) of a PKCS #10 request, with the
    /// generated key or that of the identity, whichever it names. Returns the content of the
    /// request's signature field.
    ///
    /// Nothing else is signed like this: every signature of MLS begins with another byte than DER.
    ///
    /// # Errors
    /// `invalid-argument` for anything but a CertificationRequestInfo with one of these keys.
    pub fn sign_certification_request(&mut self, info: &[u8]) -> Result<Vec<u8>> {
        let key = requested_key(info).map_err(|_| {
            ClientError::InvalidArgument("not a CertificationRequestInfo of PKCS #10")
        })?;
        let signature = match generated(self.storage())? {
            Some(signer) if signer.public() == key => signer.sign(info),
            _ => {
                self.load_identity()?;
                let identity = self.identity.as_ref();
                let own = identity.filter(|own| own.public.signature_public_key == key);
                own.ok_or(ClientError::InvalidArgument(
                    "the request is for a key that is not stored here",
                ))?
                .signer
                .sign(info)
            }
        };
        signature.map_err(|_| ClientError::internal("signing failed"))
    }

    /// The private signature key of the identity, in the encoding of the ciphersuite: for a backup.
    /// Whoever has it can pose as this client. [`restore_identity`](Self::restore_identity) takes
    /// it back.
    ///
    /// # Errors
    /// `no-identity`.
    pub fn export_signature_private_key(&mut self) -> Result<Zeroizing<Vec<u8>>> {
        let signer = &self.loaded_identity()?.signer;
        // The crate of the key pair has no getter; its encoding begins with the private key.
        let encoded = signer.tls_serialize_detached().map(Zeroizing::new);
        let encoded = encoded.map_err(ClientError::internal)?;
        let (private, _) =
            SecretVLBytes::tls_deserialize_bytes(&encoded).map_err(ClientError::internal)?;
        Ok(Zeroizing::new(private.as_slice().to_vec()))
    }
}

/// The key that a CertificationRequestInfo is for (RFC 2986 §4.1).
fn requested_key(info: &[u8]) -> der::Result<&[u8]> {
    let mut fields = SliceReader::new(credential::sequence(AnyRef::from_der(info)?)?)?;
    let _version: u8 = fields.decode()?;
    let _subject: AnyRef<'_> = fields.decode()?;
    let key = credential::public_key(fields.decode()?)?;
    let _attributes: AnyRef<'_> = fields.decode()?;
    fields.finish(key)
}
