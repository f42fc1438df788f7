//! What two people compare to be sure that nobody is between them: MLS authenticates a member's
//! messages by its signature key, and somebody must say whose key that is (RFC 9420 §5.3, §16.10).
//!
//! A fingerprint stands for one leaf's credential and signature key, and for nothing else: not for
//! the group, so that two people compare once and not per group; not for the HPKE keys, which change
//! all the time. It is made in the manner of Signal: SHA-256, iterated so that finding a second credential
//! or key of the same digits costs more, and 30 decimal digits of the result (99 bits). Whoever wants
//! to be between two people has to find one for a given fingerprint: 2^99 attempts of 5200 hashes.

use openmls::prelude::{LeafNodeIndex, Member as MlsMember, MlsGroup};
use openmls_traits::{
    crypto::OpenMlsCrypto as _,
    types::{CryptoError, HashType},
    OpenMlsProvider,
};
use tls_codec::{Serialize as _, VLBytes};

use super::{provider::Provider, ClientError, MlsClient, Result};

/// What is hashed first. The number is the version of all of this.
const LABEL: &[u8] = b"openmls-wasm fingerprint 1";
const ITERATIONS: usize = 5200;
const GROUPS_OF_DIGITS: usize = 6;

impl MlsClient {
    /// The fingerprint of a member: 30 decimal digits over its credential (type and content) and its
    /// public signature key, in whichever group. It changes when one of them does.
    ///
    /// # Errors
    /// `unknown-member`, `group-not-found`.
    pub fn fingerprint(&mut self, group_id: &[u8], leaf_index: u32) -> Result<String> {
        self.with_group(group_id, |provider, _, group| {
            of_member(provider, &member(group, leaf_index)?)
        })
    }

    /// The safety number of this client and a member: 60 decimal digits, their two fingerprints, the
    /// smaller one first. Both see the same, and it is different if anybody is between them.
    ///
    /// # Errors
    /// `unknown-member`, `group-not-found`; `invalid-argument` for the own leaf.
    pub fn safety_number(&mut self, group_id: &[u8], leaf_index: u32) -> Result<String> {
        self.with_group(group_id, |provider, _, group| {
            let own = group.own_leaf_index().u32();
            if own == leaf_index {
                return Err(ClientError::InvalidArgument(
                    "a safety number is of two members",
                ));
            }
            let mut both = [own, leaf_index]
                .map(|index| member(group, index).and_then(|member| of_member(provider, &member)))
                .into_iter()
                .collect::<Result<Vec<_>>>()?;
            // In the same order on both sides.
            if both.first() > both.last() {
                both.reverse();
            }
            Ok(both.concat())
        })
    }
}

fn member(group: &MlsGroup, leaf_index: u32) -> Result<MlsMember> {
    group
        .member_at(LeafNodeIndex::new(leaf_index))
        .ok_or(ClientError::UnknownMember(leaf_index))
}

fn of_member(provider: &Provider, member: &MlsMember) -> Result<String> {
    let mut leaf = vec![];
    member
        .credential
        .tls_serialize(&mut leaf)
        .and_then(|_| VLBytes::from(member.signature_key.as_slice()).tls_serialize(&mut leaf))
        .map_err(ClientError::internal)?;
    let hash = |hashed: Vec<u8>, _| {
        let input = [&hashed[..], &leaf].concat();
        provider.crypto().hash(HashType::Sha2_256, &input)
    };
    let hash = (0..ITERATIONS)
        .try_fold(LABEL.to_vec(), hash)
        .map_err(|error: CryptoError| ClientError::internal(error))?;
    // Five bytes make five digits, as evenly as matters: 2^40 is 10^5 many times over.
    let digits = |bytes: &[u8]| {
        let number = bytes
            .iter()
            .fold(0u64, |all, byte| all << 8 | u64::from(*byte));
        format!("{:05}", number % 100_000)
    };
    Ok(hash
        .chunks_exact(5)
        .take(GROUPS_OF_DIGITS)
        .map(digits)
        .collect())
}
