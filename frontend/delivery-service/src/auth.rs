//! Signing in: a client proves that it holds its signature key by signing a fresh challenge.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::http::StatusCode;
use openmls::prelude::tls_codec::{Serialize, VLBytes};
use openmls_rust_crypto::RustCrypto;
use openmls_traits::crypto::OpenMlsCrypto;
use openmls_traits::types::SignatureScheme;

use crate::bytes;
use crate::error::{Refusal, Result};
use crate::limits;

/// The label of the signature over a challenge, before "MLS 1.0 " is put in front (RFC 9420 §5.1.2).
/// A label of its own: no signature made for MLS can be passed off as a sign-in, nor the reverse.
pub const SIGN_IN_LABEL: &str = "openmls-wasm sign-in";

/// Challenges that wait for their signature. In memory only: after a restart a client asks for another.
#[derive(Default)]
pub struct Challenges(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    made: HashMap<[u8; 32], Instant>,
    order: VecDeque<[u8; 32]>,
}

impl Challenges {
    /// A new random challenge, good once and for [`limits::CHALLENGE_LIFE`].
    pub fn issue(&self) -> Result<[u8; 32]> {
        let challenge = random()?;
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(oldest) = waiting.order.front().copied() {
            match waiting.made.get(&oldest) {
                Some(made) if made.elapsed() < limits::CHALLENGE_LIFE => break,
                _ => {
                    waiting.order.pop_front();
                    waiting.made.remove(&oldest);
                }
            }
        }
        if waiting.order.len() >= limits::CHALLENGES {
            return Err(Refusal::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-challenges",
                "too many clients are signing in; try again in a minute",
            ));
        }
        waiting.made.insert(challenge, Instant::now());
        waiting.order.push_back(challenge);
        Ok(challenge)
    }

    /// Takes a challenge out, so that it can never be used again, whatever comes of this attempt.
    pub fn redeem(&self, challenge: &[u8]) -> Result<()> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let made = <[u8; 32]>::try_from(challenge)
            .ok()
            .and_then(|challenge| waiting.made.remove(&challenge));
        match made {
            Some(made) if made.elapsed() < limits::CHALLENGE_LIFE => Ok(()),
            _ => Err(unauthorized(
                "unknown-challenge",
                "the challenge was not issued here, was used already or has expired; ask for another",
            )),
        }
    }
}

/// Refuses a signature key that is neither Ed25519 nor an uncompressed P-256 point.
pub fn check_public_key(public_key: &[u8]) -> Result<()> {
    signature_scheme(public_key).map(|_| ())
}

fn signature_scheme(public_key: &[u8]) -> Result<SignatureScheme> {
    match (public_key.len(), public_key.first()) {
        (32, _) => Ok(SignatureScheme::ED25519),
        (65, Some(4)) => Ok(SignatureScheme::ECDSA_SECP256R1_SHA256),
        _ => Err(Refusal::bad_request(
            "malformed-public-key",
            "the public key is neither Ed25519 (32 bytes) nor an uncompressed P-256 point (65 bytes)",
        )),
    }
}

/// Checks a signature over `SignContent { "MLS 1.0 openmls-wasm sign-in", challenge }`.
pub fn verify_sign_in(public_key: &[u8], challenge: &[u8], signature: &[u8]) -> Result<()> {
    let scheme = signature_scheme(public_key)?;
    let label = VLBytes::new(format!("MLS 1.0 {SIGN_IN_LABEL}").into_bytes());
    let content = VLBytes::new(challenge.to_vec());
    let signed = [
        label.tls_serialize_detached(),
        content.tls_serialize_detached(),
    ]
    .into_iter()
    .collect::<std::result::Result<Vec<_>, _>>()
    .map_err(Refusal::internal)?
    .concat();
    RustCrypto::default()
        .verify_signature(scheme, &signed, public_key, signature)
        .map_err(|_| wrong_signature())
}

/// The answer to a signature that does not verify, and to a client that does not exist: the same, so
/// that signing in does not tell who is registered.
pub fn wrong_signature() -> Refusal {
    unauthorized(
        "wrong-signature",
        "the signature over the challenge is not one by this client's key",
    )
}

/// 401 with a code.
pub fn unauthorized(code: &'static str, message: &str) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, code, message)
}

/// A token, and the form in which it is stored: a copy of the database signs nobody in.
pub struct Token {
    /// What the client sends with each request.
    pub text: String,
    /// What is stored.
    pub hash: [u8; 32],
}

impl Token {
    /// 32 random bytes.
    pub fn new() -> Result<Self> {
        let secret = random()?;
        Ok(Self {
            text: bytes::encode(&secret),
            hash: bytes::digest([&secret[..]]),
        })
    }

    /// The stored form of a token that a client sent.
    pub fn hash_of(text: &str) -> Result<[u8; 32]> {
        bytes::decode(text)
            .filter(|secret| secret.len() == 32)
            .map(|secret| bytes::digest([&secret[..]]))
            .ok_or_else(unknown_token)
    }
}

/// The answer to a missing, unknown or expired token.
pub fn unknown_token() -> Refusal {
    unauthorized(
        "unknown-token",
        "the token is missing, unknown or expired; sign in again",
    )
}

/// Seconds since 1970 of this machine's clock.
pub fn now() -> i64 {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

fn random() -> Result<[u8; 32]> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(Refusal::internal)?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_good_once() {
        let challenges = Challenges::default();
        let challenge = challenges.issue().unwrap();
        assert!(challenges.redeem(&challenge).is_ok());
        assert!(challenges.redeem(&challenge).is_err());
        assert!(challenges.redeem(&[0; 32]).is_err());
        assert!(challenges.redeem(b"short").is_err());
    }

    #[test]
    fn only_known_kinds_of_key_are_taken() {
        assert!(check_public_key(&[1; 32]).is_ok());
        assert!(check_public_key(&[4; 65]).is_ok());
        assert!(check_public_key(&[2; 65]).is_err());
        assert!(check_public_key(&[2; 33]).is_err());
        assert!(check_public_key(&[]).is_err());
    }

    #[test]
    fn a_malformed_key_or_signature_is_refused_quietly() {
        assert!(verify_sign_in(&[255; 32], &[0; 32], &[0; 64]).is_err());
        assert!(verify_sign_in(&[4; 65], &[0; 32], &[0; 64]).is_err());
        assert!(verify_sign_in(&[1; 32], &[0; 32], &[]).is_err());
    }
}
