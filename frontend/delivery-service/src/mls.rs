//! What the service reads of an MLS message: the header that is in clear, nothing behind it.

use openmls::prelude::tls_codec::Deserialize;
use openmls::prelude::{
    BasicCredential, ContentType, KeyPackageIn, MlsMessageBodyIn, MlsMessageIn, ProtocolMessage,
    ProtocolVersion,
};
use openmls_rust_crypto::RustCrypto;

use crate::error::{Refusal, Result};
use crate::limits;

/// The clear header of a group message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The group the message says it is for.
    pub group_id: Vec<u8>,
    /// The epoch it was made in.
    pub epoch: u64,
    /// Whether it is a commit; otherwise an application message or a proposal.
    pub is_commit: bool,
    /// Whether it is a commit by which its sender joins (RFC 9420 §12.4.3.2).
    pub is_external_commit: bool,
}

/// Reads the header of a `PublicMessage` or `PrivateMessage`.
///
/// Refuses what a member cannot send: external proposals, and application data in clear (RFC 9420 §6.2
/// forbids it, and the service must not be able to read it). An external commit a member can send, to
/// join anew.
pub fn read_header(message: &[u8]) -> Result<Header> {
    if message.len() > limits::MESSAGE {
        return Err(Refusal::too_large(
            "message-too-large",
            format!(
                "a message may have {} bytes, this one has {}",
                limits::MESSAGE,
                message.len()
            ),
        ));
    }
    let message: ProtocolMessage = match parse(message)? {
        MlsMessageBodyIn::PublicMessage(message) => message.into(),
        MlsMessageBodyIn::PrivateMessage(message) => message.into(),
        _ => {
            return Err(Refusal::bad_request(
                "wrong-wire-format",
                "expected a PublicMessage or a PrivateMessage",
            ))
        }
    };
    let content_type = message.content_type();
    let is_commit = content_type == ContentType::Commit;
    if message.is_external() && !is_commit {
        return Err(Refusal::bad_request(
            "external-sender",
            "proposals from outside the group are not accepted here",
        ));
    }
    if content_type == ContentType::Application
        && matches!(message, ProtocolMessage::PublicMessage(_))
    {
        return Err(Refusal::bad_request(
            "public-application-message",
            "application data must be sent in a PrivateMessage",
        ));
    }
    Ok(Header {
        group_id: message.group_id().as_slice().to_vec(),
        epoch: message.epoch().as_u64(),
        is_commit,
        is_external_commit: is_commit && message.is_external(),
    })
}

/// Checks that the bytes are a group info.
pub fn check_group_info(info: &[u8]) -> Result<()> {
    if info.len() > limits::GROUP_INFO {
        return Err(Refusal::too_large(
            "group-info-too-large",
            format!("a group info may have {} bytes", limits::GROUP_INFO),
        ));
    }
    match parse(info)? {
        MlsMessageBodyIn::GroupInfo(_) => Ok(()),
        _ => Err(Refusal::bad_request(
            "wrong-wire-format",
            "expected a group info in an MLSMessage",
        )),
    }
}

/// Checks that the bytes are a Welcome with one set of secrets for each added client.
pub fn check_welcome(welcome: &[u8], added: usize) -> Result<()> {
    if welcome.len() > limits::WELCOME {
        return Err(Refusal::too_large(
            "welcome-too-large",
            format!(
                "a Welcome may have {} bytes, this one has {}",
                limits::WELCOME,
                welcome.len()
            ),
        ));
    }
    let MlsMessageBodyIn::Welcome(welcome) = parse(welcome)? else {
        return Err(Refusal::bad_request(
            "wrong-wire-format",
            "expected a Welcome",
        ));
    };
    if welcome.secrets().len() != added {
        return Err(Refusal::bad_request(
            "welcome-mismatch",
            format!(
                "the Welcome is for {} clients, {added} are added",
                welcome.secrets().len()
            ),
        ));
    }
    Ok(())
}

/// A key package that is valid and belongs to the client that uploads it.
#[derive(Debug)]
pub struct CheckedKeyPackage {
    /// Its `KeyPackageRef`.
    pub reference: Vec<u8>,
    /// The MLSMessage as uploaded.
    pub message: Vec<u8>,
    /// Seconds since 1970 after which nobody may use it.
    pub not_after: u64,
}

/// Validates a key package (RFC 9420 §10.1) and checks that it carries the caller's identity and key.
pub fn check_key_package(
    message: Vec<u8>,
    last_resort: bool,
    identity: &str,
    public_key: &[u8],
) -> Result<CheckedKeyPackage> {
    if message.len() > limits::KEY_PACKAGE {
        return Err(Refusal::too_large(
            "key-package-too-large",
            format!("a key package may have {} bytes", limits::KEY_PACKAGE),
        ));
    }
    let MlsMessageBodyIn::KeyPackage(key_package) = parse(&message)? else {
        return Err(Refusal::bad_request(
            "wrong-wire-format",
            "expected a key package in an MLSMessage",
        ));
    };
    check_owner(&key_package, identity, public_key)?;
    let crypto = RustCrypto::default();
    let key_package = key_package
        .validate(&crypto, ProtocolVersion::Mls10)
        .map_err(|error| {
            Refusal::bad_request(
                "invalid-key-package",
                format!("the key package is not valid: {error}"),
            )
        })?;
    if key_package.last_resort() != last_resort {
        return Err(Refusal::bad_request(
            "wrong-key-package-kind",
            "a last-resort key package, and only that, carries the last_resort extension",
        ));
    }
    let reference = key_package.hash_ref(&crypto).map_err(Refusal::internal)?;
    Ok(CheckedKeyPackage {
        reference: reference.as_slice().to_vec(),
        not_after: key_package.life_time().not_after(),
        message,
    })
}

fn check_owner(key_package: &KeyPackageIn, identity: &str, public_key: &[u8]) -> Result<()> {
    let owner = key_package.unverified_credential();
    let has_identity = BasicCredential::try_from(owner.credential)
        .is_ok_and(|credential| credential.identity() == identity.as_bytes());
    if has_identity && owner.signature_key.as_slice() == public_key {
        return Ok(());
    }
    Err(Refusal::forbidden(
        "foreign-key-package",
        format!("the key package does not carry the identity {identity} and its signature key"),
    ))
}

/// Parses one whole MLSMessage: bytes after its end are an error.
fn parse(mut bytes: &[u8]) -> Result<MlsMessageBodyIn> {
    MlsMessageIn::tls_deserialize(&mut bytes)
        .ok()
        .filter(|_| bytes.is_empty())
        .map(MlsMessageIn::extract)
        .ok_or_else(|| Refusal::bad_request("malformed-message", "the bytes are not an MLSMessage"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic() {
        // A fixed linear congruential generator: the same bytes in every run.
        let mut state = 1_u64;
        for round in 0..2000_usize {
            let mut bytes: Vec<u8> = (0..round % 97)
                .map(|_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    (state >> 56) as u8
                })
                .collect();
            assert!(check_welcome(&bytes, 1).is_err());
            // A plausible start gets further into the parser.
            let start = [0, 1, 0, (round % 6) as u8];
            bytes.splice(0..0, start);
            let _ = read_header(&bytes);
            let _ = check_group_info(&bytes);
            let _ = check_welcome(&bytes, 1);
            let _ = check_key_package(bytes, false, "ann/phone", &[0; 32]);
        }
    }
}
