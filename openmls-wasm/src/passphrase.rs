//! Argon2id (RFC 9106), version 1.3: a key from a passphrase, at a cost.
//!
//! The one piece of a vault that WebCrypto does not have.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroizing;

/// Why no key was derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseError {
    /// Parameters that Argon2id does not have, or a salt of fewer than 8 bytes.
    #[error("these are no parameters of Argon2id")]
    InvalidParameters,
    /// The memory cannot be had.
    #[error("there is not enough memory for Argon2id")]
    OutOfMemory,
}

/// 32 bytes from a passphrase: `memory_kib` KiB, `iterations` passes over them, one lane.
///
/// # Errors
/// [`PassphraseError`].
pub fn stretch(
    passphrase: &[u8],
    salt: &[u8],
    memory_kib: u32,
    iterations: u32,
) -> Result<Zeroizing<[u8; 32]>, PassphraseError> {
    let invalid = |_| PassphraseError::InvalidParameters;
    let params = Params::new(memory_kib, iterations, 1, Some(32)).map_err(invalid)?;
    let mut blocks = Zeroizing::new(Vec::new());
    let count = params.block_count();
    // Of its own, so that there being no room for it is an error and no panic.
    blocks
        .try_reserve_exact(count)
        .map_err(|_| PassphraseError::OutOfMemory)?;
    blocks.resize(count, Block::default());
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(passphrase, salt, key.as_mut(), blocks.as_mut_slice())
        .map_err(invalid)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the reference implementation's `argon2` prints for this.
    #[test]
    fn a_key_is_that_of_the_reference_implementation() {
        let key = stretch(b"password", b"somesalt", 65_536, 2).unwrap();
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"
        );
    }

    #[test]
    fn what_is_no_parameter_is_refused() {
        for (salt, memory, iterations) in [
            (&b"short"[..], 65_536, 3),
            (b"long enough", 4, 3),
            (b"long enough", 64, 0),
        ] {
            let refusal = stretch(b"password", salt, memory, iterations).unwrap_err();
            assert_eq!(refusal, PassphraseError::InvalidParameters);
        }
    }
}
