//! Credentials: what a leaf says about its owner (RFC 9420 §5.3).
//!
//! MLS carries a credential and binds it to a signature key; whether it tells the truth is for the
//! app to decide. An X.509 chain is carried as it is, and handed to the app's verifier.

use der::{
    asn1::{AnyRef, BitStringRef},
    Decode as _, Reader as _, SliceReader, Tag, Tagged as _,
};
use openmls::prelude::{BasicCredential, Credential as MlsCredential, CredentialType};
use serde::{Deserialize, Serialize};
use tls_codec::{DeserializeBytes as _, Serialize as _};

use super::{ClientError, Result};

/// A credential (RFC 9420 §5.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Credential {
    /// Opaque bytes that the app chooses.
    Basic {
        /// The identity.
        identity: Vec<u8>,
    },
    /// A certificate chain.
    X509 {
        /// DER-encoded certificates, the one of the client itself first. Certificates that the
        /// others know already, for instance the root, may be left out.
        certificates: Vec<Vec<u8>>,
    },
}

impl Credential {
    /// A basic credential.
    pub fn basic(identity: &[u8]) -> Self {
        Self::Basic {
            identity: identity.to_vec(),
        }
    }

    /// The credential that these parts of a member, a party or an identity are of.
    pub fn from_parts(identity: &[u8], certificates: &[Vec<u8>]) -> Self {
        if certificates.is_empty() {
            return Self::basic(identity);
        }
        Self::X509 {
            certificates: certificates.to_vec(),
        }
    }

    /// The identity and the certificates, one of them empty.
    pub fn into_parts(self) -> (Vec<u8>, Vec<Vec<u8>>) {
        match self {
            Self::Basic { identity } => (identity, vec![]),
            Self::X509 { certificates } => (vec![], certificates),
        }
    }

    /// The credential as OpenMLS carries it.
    ///
    /// # Errors
    /// `invalid-credential` for a chain without certificates or with an empty one.
    pub(super) fn to_mls(&self) -> Result<MlsCredential> {
        match self {
            Self::Basic { identity } => Ok(BasicCredential::new(identity.clone()).into()),
            Self::X509 { certificates } => {
                check_chain(certificates)?;
                // OpenMLS writes the content as one vector, as RFC 9420 writes `certificates<V>`:
                // what is inside are the certificates, each a vector of its own.
                let mut content = vec![];
                for certificate in certificates {
                    certificate
                        .tls_serialize(&mut content)
                        .map_err(|_| ClientError::InvalidCredential("a certificate is too long"))?;
                }
                Ok(MlsCredential::new(CredentialType::X509, content))
            }
        }
    }

    /// Reads a credential of a leaf.
    ///
    /// # Errors
    /// `invalid-credential` for another type, and for a chain that does not parse, is empty or has
    /// an empty certificate.
    pub(super) fn from_mls(credential: &MlsCredential) -> Result<Self> {
        let content = credential.serialized_content();
        match credential.credential_type() {
            CredentialType::Basic => Ok(Self::basic(content)),
            CredentialType::X509 => {
                let mut certificates = vec![];
                let mut rest = content;
                while !rest.is_empty() {
                    // Not `VLBytes`: it panics on truncated bytes in a debug build.
                    let (certificate, behind) = Vec::<u8>::tls_deserialize_bytes(rest)
                        .map_err(|_| ClientError::InvalidCredential("a malformed chain"))?;
                    certificates.push(certificate);
                    rest = behind;
                }
                check_chain(&certificates)?;
                Ok(Self::X509 { certificates })
            }
            _ => Err(ClientError::InvalidCredential("neither basic nor X.509")),
        }
    }

    /// Checks that an X.509 credential is for this signature key: the end-entity certificate must
    /// have the leaf's (RFC 9420 §5.3). A basic credential names no key.
    ///
    /// # Errors
    /// `invalid-credential`.
    pub(super) fn check_key(&self, signature_key: &[u8]) -> Result<()> {
        match self.certified_key()? {
            Some(key) if key != signature_key => Err(ClientError::InvalidCredential(
                "the certificate is for another key",
            )),
            _ => Ok(()),
        }
    }

    /// The public key in the end-entity certificate of an X.509 credential.
    ///
    /// # Errors
    /// `invalid-credential` for a certificate that does not parse.
    pub(super) fn certified_key(&self) -> Result<Option<&[u8]>> {
        match self {
            Self::Basic { .. } => Ok(None),
            Self::X509 { certificates } => {
                check_chain(certificates)?;
                subject_public_key(&certificates[0])
                    .map(Some)
                    .map_err(|_| ClientError::InvalidCredential("a malformed certificate"))
            }
        }
    }
}

/// The identity and the certificates of a leaf's credential. Both are empty for one that cannot be
/// read or whose certificate is for another key, so that it is never taken for somebody's: anyone
/// can put the certificate of another into its leaf.
pub(super) fn parts(credential: &MlsCredential, signature_key: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    Credential::from_mls(credential)
        .and_then(|credential| credential.check_key(signature_key).map(|()| credential))
        .map_or_else(|_| Default::default(), Credential::into_parts)
}

fn check_chain(certificates: &[Vec<u8>]) -> Result<()> {
    if certificates.is_empty() || certificates.iter().any(Vec::is_empty) {
        return Err(ClientError::InvalidCredential(
            "an empty chain or certificate",
        ));
    }
    Ok(())
}

/// The subject public key of a certificate (RFC 5280 §4.1), which for the signature schemes of MLS
/// is in the encoding of a signature key.
fn subject_public_key(certificate: &[u8]) -> der::Result<&[u8]> {
    let mut certificate = SliceReader::new(sequence(AnyRef::from_der(certificate)?)?)?;
    let mut fields = SliceReader::new(sequence(certificate.decode()?)?)?;
    // version [0], unless it is 1
    if let Tag::ContextSpecific { .. } = fields.peek_tag()? {
        fields.decode::<AnyRef<'_>>()?;
    }
    // serialNumber, signature, issuer, validity, subject
    for _ in 0..5 {
        fields.decode::<AnyRef<'_>>()?;
    }
    public_key(fields.decode()?)
}

/// The key of a SubjectPublicKeyInfo.
pub(super) fn public_key(info: AnyRef<'_>) -> der::Result<&[u8]> {
    let mut info = SliceReader::new(sequence(info)?)?;
    info.decode::<AnyRef<'_>>()?;
    let key: BitStringRef<'_> = info.decode()?;
    key.as_bytes().ok_or_else(|| Tag::BitString.value_error())
}

/// The content of a SEQUENCE.
pub(super) fn sequence(any: AnyRef<'_>) -> der::Result<&[u8]> {
    any.tag().assert_eq(Tag::Sequence)?;
    Ok(any.value())
}
