//! Signing in: a client proves that it holds its signature key by signing a fresh challenge.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::http::StatusCode;
use hmac::{Hmac, Mac};
use openmls::prelude::tls_codec::{Serialize, VLBytes};
use openmls_rust_crypto::RustCrypto;
use openmls_traits::crypto::OpenMlsCrypto;
use openmls_traits::types::SignatureScheme;
use sha2::Sha256;

use crate::bytes;
use crate::error::{Refusal, Result};
use crate::limits;

/// The label of the signature over a challenge, before "MLS 1.0 " is put in front (RFC 9420 §5.1.2).
/// A label of its own: no signature made for MLS can be passed off as a sign-in, nor the reverse.
pub const SIGN_IN_LABEL: &str = "openmls-wasm sign-in";

/// Makes and recognizes challenges. What it has issued it does not remember: anybody may ask for any
/// number of them. A challenge tells itself that it is from here and until when it is good:
///
/// `random (16 bytes) || expiry (8) || HMAC-SHA-256(key, random || expiry) (32)`
///
/// Only the redeemed ones are remembered, and those only until they expire. The key is this process's
/// own: after a restart a client asks for another challenge.
pub struct Challenges {
    key: [u8; 32],
    /// Expiries count from here: a change of the machine's clock does not matter.
    start: Instant,
    redeemed: Mutex<BTreeSet<Redeemed>>,
}

/// Expiry and random part, in the order in which they may be forgotten.
type Redeemed = (u64, [u8; RANDOM]);

const RANDOM: usize = 16;
const SIGNED: usize = RANDOM + 8;

/// A challenge that was issued here and has not expired. It may have been redeemed.
pub struct Challenge(Redeemed);

impl Challenges {
    /// With a new random key.
    pub fn new() -> Result<Self> {
        Ok(Self {
            key: random()?,
            start: Instant::now(),
            redeemed: Mutex::default(),
        })
    }

    /// A new random challenge, good for one sign-in within [`limits::CHALLENGE_LIFE`].
    pub fn issue(&self) -> Result<Vec<u8>> {
        self.issue_at(self.now())
    }

    fn issue_at(&self, now: u64) -> Result<Vec<u8>> {
        let mut challenge = random::<RANDOM>()?.to_vec();
        let expiry = now + limits::CHALLENGE_LIFE.as_secs();
        challenge.extend_from_slice(&expiry.to_be_bytes());
        let mac = self.mac(&challenge)?.finalize().into_bytes();
        challenge.extend_from_slice(&mac);
        Ok(challenge)
    }

    /// Refuses what was not issued here and what has expired.
    pub fn check(&self, challenge: &[u8]) -> Result<Challenge> {
        self.check_at(self.now(), challenge)
    }

    fn check_at(&self, now: u64, challenge: &[u8]) -> Result<Challenge> {
        let (signed, mac) = challenge
            .split_at_checked(SIGNED)
            .ok_or_else(unknown_challenge)?;
        self.mac(signed)?
            .verify_slice(mac)
            .map_err(|_| unknown_challenge())?;
        let (random, expiry) = signed
            .split_first_chunk::<RANDOM>()
            .ok_or_else(unknown_challenge)?;
        let expiry = expiry.try_into().map_err(|_| unknown_challenge())?;
        let expiry = u64::from_be_bytes(expiry);
        if expiry <= now {
            return Err(unknown_challenge());
        }
        Ok(Challenge((expiry, *random)))
    }

    /// Uses a challenge up. Call it when the signature is known to be good, so that only those who
    /// sign in take up memory, and before what the signature is to prove is done.
    pub fn redeem(&self, challenge: Challenge) -> Result<()> {
        self.redeem_at(self.now(), challenge, limits::REDEEMED_CHALLENGES)
    }

    fn redeem_at(&self, now: u64, Challenge(challenge): Challenge, room: usize) -> Result<()> {
        let mut redeemed = self.redeemed.lock().unwrap_or_else(PoisonError::into_inner);
        while redeemed.first().is_some_and(|(expiry, _)| *expiry <= now) {
            redeemed.pop_first();
        }
        // It may have expired since it was checked, and be forgotten.
        if challenge.0 <= now || redeemed.contains(&challenge) {
            return Err(unknown_challenge());
        }
        if redeemed.len() >= room {
            return Err(Refusal::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-sign-ins",
                "too many clients are signing in; try again in a minute",
            ));
        }
        redeemed.insert(challenge);
        Ok(())
    }

    fn mac(&self, signed: &[u8]) -> Result<Hmac<Sha256>> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.key).map_err(Refusal::internal)?;
        Ok(mac.chain_update(signed))
    }

    fn now(&self) -> u64 {
        self.start.elapsed().as_secs()
    }
}

fn unknown_challenge() -> Refusal {
    unauthorized(
        "unknown-challenge",
        "the challenge was not issued here, was used already or has expired; ask for another",
    )
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
        let secret: [u8; 32] = random()?;
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

fn random<const LENGTH: usize>() -> Result<[u8; LENGTH]> {
    let mut secret = [0; LENGTH];
    getrandom::fill(&mut secret).map_err(Refusal::internal)?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_good_once_and_for_its_time() {
        let challenges = Challenges::new().unwrap();
        let challenge = challenges.issue_at(100).unwrap();
        let check = |now| challenges.check_at(now, &challenge);
        let redeem = |now, challenge| challenges.redeem_at(now, challenge, 10);
        let late = check(159).unwrap();
        assert!(redeem(100, check(100).unwrap()).is_ok());
        assert!(redeem(100, check(100).unwrap()).is_err(), "used up");
        assert!(check(160).is_err(), "expired");
        // One that expires between the two steps is not taken because it was forgotten.
        assert!(redeem(160, late).is_err());
        assert!(challenges.redeemed.lock().unwrap().is_empty());
    }

    #[test]
    fn only_a_challenge_from_here_is_known() {
        let challenges = Challenges::new().unwrap();
        let challenge = challenges.issue().unwrap();
        assert!(challenges.check(&challenge).is_ok());
        for at in 0..challenge.len() {
            let mut changed = challenge.clone();
            changed[at] ^= 1;
            assert!(challenges.check(&changed).is_err(), "byte {at}");
            assert!(challenges.check(&challenge[..at]).is_err(), "{at} bytes");
        }
        assert!(challenges.check(&[&challenge[..], &[0]].concat()).is_err());
        assert!(Challenges::new().unwrap().check(&challenge).is_err());
    }

    #[test]
    fn issued_challenges_take_no_room_and_redeemed_ones_no_more_than_there_is() {
        let challenges = Challenges::new().unwrap();
        let redeem = |now| {
            let challenge = challenges.issue_at(now).unwrap();
            let challenge = challenges.check_at(now, &challenge).unwrap();
            challenges.redeem_at(now, challenge, 2)
        };
        for _ in 0..1000 {
            challenges.issue_at(0).unwrap();
        }
        assert!(redeem(0).is_ok());
        assert!(redeem(30).is_ok());
        assert!(redeem(59).is_err(), "both are remembered");
        assert!(redeem(60).is_ok(), "the first has expired");
        assert!(redeem(60).is_err());
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
