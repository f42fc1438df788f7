//! Who this client is: credentials, signature keys, and what people compare.

use js_sys::Uint8Array;
use serde::Serialize;
use serde_bytes::Bytes;
use wasm_bindgen::prelude::*;

use super::{
    client::{uint8, JsMlsClient},
    convert::{
        bytes, invalid, optional_bytes, optional_list_of_bytes, optional_string, property,
        sequence, thrown, to_js, JsResult,
    },
    view::list_of_bytes,
};
use crate::client::{identity::DEFAULT_CIPHERSUITE, Credential, Identity};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IdentityView<'a> {
    identity: &'a Bytes,
    certificates: Vec<&'a Bytes>,
    signature_public_key: &'a Bytes,
    ciphersuite: u16,
}

impl<'a> From<&'a Identity> for IdentityView<'a> {
    fn from(identity: &'a Identity) -> Self {
        Self {
            identity: Bytes::new(&identity.identity),
            certificates: list_of_bytes(&identity.certificates),
            signature_public_key: Bytes::new(&identity.signature_public_key),
            ciphersuite: identity.ciphersuite,
        }
    }
}

/// Told apart by `kind`.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum CredentialView<'a> {
    Basic { identity: &'a Bytes },
    X509 { certificates: Vec<&'a Bytes> },
}

impl<'a> From<&'a Credential> for CredentialView<'a> {
    fn from(credential: &'a Credential) -> Self {
        match credential {
            Credential::Basic { identity } => Self::Basic {
                identity: Bytes::new(identity),
            },
            Credential::X509 { certificates } => Self::X509 {
                certificates: list_of_bytes(certificates),
            },
        }
    }
}

/// Reads `{ kind: 'basic', identity }` or `{ kind: 'x509', certificates }`.
pub(super) fn credential(value: &JsValue) -> JsResult<Credential> {
    match optional_string(value, "kind")?.as_deref() {
        Some("basic") => Ok(Credential::Basic {
            identity: bytes(value, "identity")?,
        }),
        Some("x509") => Ok(Credential::X509 {
            certificates: optional_list_of_bytes(value, "certificates")?.unwrap_or_default(),
        }),
        _ => Err(invalid("a credential is of kind basic or x509")),
    }
}

fn identity(value: &JsValue) -> JsResult<Identity> {
    let suite = property(value, "ciphersuite").as_f64().unwrap_or(-1.0);
    Ok(Identity {
        identity: optional_bytes(value, "identity")?.unwrap_or_default(),
        certificates: optional_list_of_bytes(value, "certificates")?.unwrap_or_default(),
        signature_public_key: bytes(value, "signaturePublicKey")?,
        ciphersuite: u16::try_from(sequence(suite)?)
            .map_err(|_| invalid("a ciphersuite is a number of 16 bits"))?,
    })
}

/// Identity.
#[wasm_bindgen(js_class = MlsClient)]
impl JsMlsClient {
    /// Creates the identity of this client, with a basic credential.
    #[wasm_bindgen(js_name = createIdentity)]
    pub fn create_identity(
        &mut self,
        identity: &[u8],
        ciphersuite: Option<u16>,
    ) -> JsResult<JsValue> {
        let suite = ciphersuite.unwrap_or(DEFAULT_CIPHERSUITE);
        let identity = self.0.create_identity(identity, suite).map_err(thrown)?;
        to_js(&IdentityView::from(&identity))
    }

    /// Creates the identity of this client, with any credential.
    #[wasm_bindgen(js_name = createIdentityWith)]
    pub fn create_identity_with(
        &mut self,
        credential: JsValue,
        ciphersuite: Option<u16>,
    ) -> JsResult<JsValue> {
        let suite = ciphersuite.unwrap_or(DEFAULT_CIPHERSUITE);
        let credential = self::credential(&credential)?;
        let created = self.0.create_identity_with(&credential, suite);
        to_js(&IdentityView::from(&created.map_err(thrown)?))
    }

    /// Takes over an identity that was created elsewhere.
    #[wasm_bindgen(js_name = restoreIdentity)]
    pub fn restore_identity(
        &mut self,
        identity: JsValue,
        signature_private_key: &[u8],
    ) -> JsResult<()> {
        let identity = self::identity(&identity)?;
        self.0
            .restore_identity(identity, signature_private_key)
            .map_err(thrown)
    }

    /// The identity, or `undefined`.
    pub fn identity(&self) -> JsResult<JsValue> {
        match self.0.identity().map_err(thrown)? {
            Some(identity) => to_js(&IdentityView::from(&identity)),
            None => Ok(JsValue::UNDEFINED),
        }
    }

    /// The numbers of the ciphersuites that this build implements.
    #[wasm_bindgen(js_name = supportedCiphersuites)]
    pub fn supported_ciphersuites(&self) -> Vec<u16> {
        self.0.supported_ciphersuites()
    }

    /// Generates a signature key pair for a credential that is made later.
    #[wasm_bindgen(js_name = generateSignatureKey)]
    pub fn generate_signature_key(&mut self, ciphersuite: Option<u16>) -> JsResult<Uint8Array> {
        self.0
            .generate_signature_key(ciphersuite.unwrap_or(DEFAULT_CIPHERSUITE))
            .map(uint8)
            .map_err(thrown)
    }

    /// Signs a CertificationRequestInfo.
    #[wasm_bindgen(js_name = signCertificationRequest)]
    pub fn sign_certification_request(&mut self, info: &[u8]) -> JsResult<Uint8Array> {
        self.0
            .sign_certification_request(info)
            .map(uint8)
            .map_err(thrown)
    }

    /// The private signature key of the identity.
    #[wasm_bindgen(js_name = exportSignaturePrivateKey)]
    pub fn export_signature_private_key(&mut self) -> JsResult<Uint8Array> {
        let private = self.0.export_signature_private_key().map_err(thrown)?;
        Ok(Uint8Array::from(private.as_slice()))
    }

    /// Signs as RFC 9420 §5.1.2 says.
    #[wasm_bindgen(js_name = signWithLabel)]
    pub fn sign_with_label(&mut self, label: &str, content: &[u8]) -> JsResult<Uint8Array> {
        self.0
            .sign_with_label(label, content)
            .map(uint8)
            .map_err(thrown)
    }

    /// The fingerprint of a member.
    pub fn fingerprint(&mut self, group_id: &[u8], leaf_index: u32) -> JsResult<String> {
        self.0.fingerprint(group_id, leaf_index).map_err(thrown)
    }

    /// The safety number of this client and a member.
    #[wasm_bindgen(js_name = safetyNumber)]
    pub fn safety_number(&mut self, group_id: &[u8], leaf_index: u32) -> JsResult<String> {
        self.0.safety_number(group_id, leaf_index).map_err(thrown)
    }
}
