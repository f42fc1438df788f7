//! RustCrypto, for the ciphersuites it supports and no others.
//!
//! RustCrypto can do parts of ciphersuites that it does not support as a whole, and would do them
//! for whoever sends a key package of such a one. Here they are refused at the door. So the wasm need
//! not hold their code: `scripts/lib/snip.mjs` takes it out.

use openmls_rust_crypto::RustCrypto;
use openmls_traits::{
    crypto::OpenMlsCrypto,
    random::OpenMlsRand,
    types::{
        AeadType, Ciphersuite, CryptoError, ExporterSecret, HashType, HpkeCiphertext, HpkeConfig,
        HpkeKeyPair, KemOutput, SignatureScheme,
    },
};
use tls_codec::SecretVLBytes;

/// Random bytes straight from the operating system or the browser. RustCrypto would draw them from a
/// generator of its own, whose state would be one more secret in memory.
#[derive(Debug, Default)]
pub struct SystemRand;

impl OpenMlsRand for SystemRand {
    type Error = getrandom::Error;

    fn random_array<const N: usize>(&self) -> Result<[u8; N], Self::Error> {
        let mut bytes = [0; N];
        getrandom::getrandom(&mut bytes)?;
        Ok(bytes)
    }

    fn random_vec(&self, len: usize) -> Result<Vec<u8>, Self::Error> {
        let mut bytes = vec![0; len];
        getrandom::getrandom(&mut bytes)?;
        Ok(bytes)
    }
}

#[derive(Debug, Default)]
pub struct SupportedCrypto(RustCrypto);

impl SupportedCrypto {
    fn any_suite(&self, has: impl Fn(Ciphersuite) -> bool) -> bool {
        self.0.supported_ciphersuites().into_iter().any(has)
    }

    /// Also for key pairs, which sign by themselves.
    pub(super) fn check_scheme(&self, scheme: SignatureScheme) -> Result<(), CryptoError> {
        self.any_suite(|suite| suite.signature_algorithm() == scheme)
            .then_some(())
            .ok_or(CryptoError::UnsupportedSignatureScheme)
    }

    fn check_hash(&self, hash: HashType) -> Result<(), CryptoError> {
        self.any_suite(|suite| suite.hash_algorithm() == hash)
            .then_some(())
            .ok_or(CryptoError::UnsupportedHashAlgorithm)
    }

    fn check_config(&self, HpkeConfig(kem, kdf, _): &HpkeConfig) -> Result<(), CryptoError> {
        let known = |suite: Ciphersuite| {
            suite.hpke_kem_algorithm() == *kem && suite.hpke_kdf_algorithm() == *kdf
        };
        self.any_suite(known)
            .then_some(())
            .ok_or(CryptoError::UnsupportedCiphersuite)
    }
}

impl OpenMlsCrypto for SupportedCrypto {
    fn supports(&self, ciphersuite: Ciphersuite) -> Result<(), CryptoError> {
        self.0.supports(ciphersuite)
    }

    fn supported_ciphersuites(&self) -> Vec<Ciphersuite> {
        self.0.supported_ciphersuites()
    }

    fn hkdf_extract(
        &self,
        hash_type: HashType,
        salt: &[u8],
        ikm: &[u8],
    ) -> Result<SecretVLBytes, CryptoError> {
        self.check_hash(hash_type)?;
        self.0.hkdf_extract(hash_type, salt, ikm)
    }

    fn hmac(
        &self,
        hash_type: HashType,
        key: &[u8],
        message: &[u8],
    ) -> Result<SecretVLBytes, CryptoError> {
        self.check_hash(hash_type)?;
        self.0.hmac(hash_type, key, message)
    }

    fn hkdf_expand(
        &self,
        hash_type: HashType,
        prk: &[u8],
        info: &[u8],
        okm_len: usize,
    ) -> Result<SecretVLBytes, CryptoError> {
        self.check_hash(hash_type)?;
        self.0.hkdf_expand(hash_type, prk, info, okm_len)
    }

    fn hash(&self, hash_type: HashType, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.check_hash(hash_type)?;
        self.0.hash(hash_type, data)
    }

    fn aead_encrypt(
        &self,
        alg: AeadType,
        key: &[u8],
        data: &[u8],
        nonce: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        self.0.aead_encrypt(alg, key, data, nonce, aad)
    }

    fn aead_decrypt(
        &self,
        alg: AeadType,
        key: &[u8],
        ct_tag: &[u8],
        nonce: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        self.0.aead_decrypt(alg, key, ct_tag, nonce, aad)
    }

    fn signature_key_gen(&self, alg: SignatureScheme) -> Result<(Vec<u8>, Vec<u8>), CryptoError> {
        self.check_scheme(alg)?;
        self.0.signature_key_gen(alg)
    }

    fn verify_signature(
        &self,
        alg: SignatureScheme,
        data: &[u8],
        pk: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        self.check_scheme(alg)?;
        self.0.verify_signature(alg, data, pk, signature)
    }

    fn sign(&self, alg: SignatureScheme, data: &[u8], key: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.check_scheme(alg)?;
        self.0.sign(alg, data, key)
    }

    fn hpke_seal(
        &self,
        config: HpkeConfig,
        pk_r: &[u8],
        info: &[u8],
        aad: &[u8],
        ptxt: &[u8],
    ) -> Result<HpkeCiphertext, CryptoError> {
        self.check_config(&config)?;
        self.0.hpke_seal(config, pk_r, info, aad, ptxt)
    }

    fn hpke_open(
        &self,
        config: HpkeConfig,
        input: &HpkeCiphertext,
        sk_r: &[u8],
        info: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        self.check_config(&config)?;
        self.0.hpke_open(config, input, sk_r, info, aad)
    }

    fn hpke_setup_sender_and_export(
        &self,
        config: HpkeConfig,
        pk_r: &[u8],
        info: &[u8],
        exporter_context: &[u8],
        exporter_length: usize,
    ) -> Result<(KemOutput, ExporterSecret), CryptoError> {
        self.check_config(&config)?;
        self.0
            .hpke_setup_sender_and_export(config, pk_r, info, exporter_context, exporter_length)
    }

    fn hpke_setup_receiver_and_export(
        &self,
        config: HpkeConfig,
        enc: &[u8],
        sk_r: &[u8],
        info: &[u8],
        exporter_context: &[u8],
        exporter_length: usize,
    ) -> Result<ExporterSecret, CryptoError> {
        self.check_config(&config)?;
        self.0.hpke_setup_receiver_and_export(
            config,
            enc,
            sk_r,
            info,
            exporter_context,
            exporter_length,
        )
    }

    fn derive_hpke_keypair(
        &self,
        config: HpkeConfig,
        ikm: &[u8],
    ) -> Result<HpkeKeyPair, CryptoError> {
        self.check_config(&config)?;
        self.0.derive_hpke_keypair(config, ikm)
    }
}

#[cfg(test)]
mod tests {
    use openmls_traits::types::{HpkeAeadType, HpkeKdfType, HpkeKemType};

    use super::*;

    const SHA384: HpkeKdfType = HpkeKdfType::HkdfSha384;
    const AES256: HpkeAeadType = HpkeAeadType::AesGcm256;

    // RustCrypto itself does both; with the post-quantum ciphersuites they are needed.
    #[cfg(not(feature = "pq"))]
    #[test]
    fn what_belongs_to_no_supported_ciphersuite_is_refused() {
        let crypto = SupportedCrypto::default();
        let scheme = SignatureScheme::ECDSA_SECP384R1_SHA384;
        let refused = Err(CryptoError::UnsupportedSignatureScheme);
        assert!(crypto.0.signature_key_gen(scheme).is_ok());
        assert_eq!(crypto.signature_key_gen(scheme), refused);
        assert_eq!(
            crypto.sign(scheme, b"", b""),
            refused.clone().map(|(key, _)| key)
        );
        assert_eq!(
            crypto.verify_signature(scheme, b"", b"", b""),
            refused.map(drop)
        );

        assert!(crypto.0.hash(HashType::Sha2_512, b"").is_ok());
        let unsupported = Some(CryptoError::UnsupportedHashAlgorithm);
        assert_eq!(crypto.hash(HashType::Sha2_512, b"").err(), unsupported);
        assert_eq!(crypto.hmac(HashType::Sha2_384, b"", b"").err(), unsupported);

        let p384 = || HpkeConfig(HpkeKemType::DhKemP384, SHA384, AES256);
        assert!(crypto.0.derive_hpke_keypair(p384(), b"ikm").is_ok());
        let refused = CryptoError::UnsupportedCiphersuite;
        assert_eq!(
            crypto.derive_hpke_keypair(p384(), b"ikm").err(),
            Some(refused)
        );
        assert_eq!(
            crypto.hpke_seal(p384(), b"", b"", b"", b"").err(),
            Some(refused)
        );
    }

    #[test]
    fn every_supported_ciphersuite_passes() {
        let crypto = SupportedCrypto::default();
        for suite in crypto.supported_ciphersuites() {
            assert!(crypto
                .signature_key_gen(suite.signature_algorithm())
                .is_ok());
            let config = suite.hpke_config();
            assert!(crypto.derive_hpke_keypair(config, &[7; 64]).is_ok());
        }
    }
}
