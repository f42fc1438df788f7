//! OpenMLS over the store of a client.

use openmls::prelude::{
    tls_codec::Serialize as _, BasicCredential, Ciphersuite, CredentialWithKey, KeyPackage,
    Lifetime, MlsMessageOut, SignatureScheme,
};
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::RustCrypto;
use openmls_traits::OpenMlsProvider;
use openmls_wasm::{GranularStorage, MlsClient};

/// OpenMLS without our client on top: what a member can do who means harm.
pub struct Bare<'a>(pub RustCrypto, pub &'a GranularStorage);

impl OpenMlsProvider for Bare<'_> {
    type CryptoProvider = RustCrypto;
    type RandProvider = RustCrypto;
    type StorageProvider = GranularStorage;
    fn storage(&self) -> &GranularStorage {
        self.1
    }
    fn crypto(&self) -> &RustCrypto {
        &self.0
    }
    fn rand(&self) -> &RustCrypto {
        &self.0
    }
}

/// A key package of the client with any lifetime: it stands as one does that was made then.
pub fn key_package_of(client: &MlsClient, not_before: u64, not_after: u64) -> Vec<u8> {
    let public = client.identity().unwrap().unwrap();
    let provider = Bare(RustCrypto::default(), client.storage());
    let key = &public.signature_public_key;
    let signer = SignatureKeyPair::read(client.storage(), key, SignatureScheme::ED25519).unwrap();
    let credential = CredentialWithKey {
        credential: BasicCredential::new(public.identity).into(),
        signature_key: key.as_slice().into(),
    };
    let bundle = KeyPackage::builder()
        .key_package_lifetime(Lifetime::init(not_before, not_after))
        .build(
            Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519,
            &provider,
            &signer,
            credential,
        )
        .unwrap();
    MlsMessageOut::from(bundle.into_key_package())
        .tls_serialize_detached()
        .unwrap()
}
