//! Extensions of the group context and of leaf nodes (RFC 9420 §13).

use openmls::prelude::{Extension as MlsExtension, ExtensionValidator, Extensions, ExternalSender};
use serde::{Deserialize, Serialize};
use tls_codec::{DeserializeBytes as _, Serialize as _, VLBytes};

use super::{ClientError, Party, Result};

/// An extension (RFC 9420 §13). Two of the group context are spelled out, because apps set them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Extension {
    /// What every member must support (RFC 9420 §11.1), by the numbers of RFC 9420 §17.
    RequiredCapabilities {
        /// Extension types.
        extension_types: Vec<u16>,
        /// Proposal types.
        proposal_types: Vec<u16>,
        /// Credential types.
        credential_types: Vec<u16>,
    },
    /// Who may propose to the group from outside (RFC 9420 §12.1.8.1); an external proposal names
    /// its sender by the place in this list.
    ExternalSenders {
        /// The senders.
        senders: Vec<Party>,
    },
    /// Any other.
    Other {
        /// The extension type (RFC 9420 §17.3).
        extension_type: u16,
        /// The content (`extension_data`).
        data: Vec<u8>,
    },
}

impl Extension {
    pub(super) fn from_mls(extension: &MlsExtension) -> Result<Self> {
        match extension {
            MlsExtension::RequiredCapabilities(required) => Ok(Self::RequiredCapabilities {
                extension_types: numbers(required.extension_types()),
                proposal_types: numbers(required.proposal_types()),
                credential_types: numbers(required.credential_types()),
            }),
            MlsExtension::ExternalSenders(senders) => Ok(Self::ExternalSenders {
                senders: senders.iter().map(party).collect::<Result<_>>()?,
            }),
            other => Ok(Self::Other {
                extension_type: other.extension_type().into(),
                data: content(other)?,
            }),
        }
    }

    /// The list of extensions of a group context or of a leaf node.
    pub(super) fn list_from_mls<T: ExtensionValidator>(
        extensions: &Extensions<T>,
    ) -> Result<Vec<Self>> {
        extensions.iter().map(Self::from_mls).collect()
    }
}

fn numbers<T: Copy + Into<u16>>(types: &[T]) -> Vec<u16> {
    types.iter().map(|number| (*number).into()).collect()
}

/// `extension_data`: what follows the type in the encoding.
fn content(extension: &MlsExtension) -> Result<Vec<u8>> {
    let encoded = extension
        .tls_serialize_detached()
        .map_err(ClientError::internal)?;
    let data = encoded.get(2..).unwrap_or_default();
    let data = VLBytes::tls_deserialize_exact_bytes(data).map_err(ClientError::internal)?;
    Ok(data.into())
}

/// OpenMLS does not say what is in an `ExternalSender`; its encoding does.
fn party(sender: &ExternalSender) -> Result<Party> {
    let encoded = sender
        .tls_serialize_detached()
        .map_err(ClientError::internal)?;
    let (signature_key, credential) =
        VLBytes::tls_deserialize_bytes(&encoded).map_err(ClientError::internal)?;
    let credential = openmls::prelude::Credential::tls_deserialize_exact_bytes(credential)
        .map_err(ClientError::internal)?;
    Ok(Party::new(&credential, signature_key.as_slice()))
}
