//! Extensions of the group context and of leaf nodes (RFC 9420 §13).

use openmls::prelude::{
    CredentialType, Extension as MlsExtension, ExtensionType, ExtensionValidator, Extensions,
    ExternalSender, InvalidExtensionError, ProposalType, RequiredCapabilitiesExtension,
};
use serde::{Deserialize, Serialize};
use tls_codec::{DeserializeBytes as _, Serialize as _, VLBytes};

use super::{ClientError, Credential, Party, Result};

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

    pub(super) fn extension_type(&self) -> ExtensionType {
        match self {
            Self::RequiredCapabilities { .. } => ExtensionType::RequiredCapabilities,
            Self::ExternalSenders { .. } => ExtensionType::ExternalSenders,
            Self::Other { extension_type, .. } => (*extension_type).into(),
        }
    }

    /// The extension type and `extension_data`.
    fn parts(&self) -> Result<(ExtensionType, Vec<u8>)> {
        match self {
            Self::RequiredCapabilities {
                extension_types,
                proposal_types,
                credential_types,
            } => {
                let required = RequiredCapabilitiesExtension::new(
                    &types::<ExtensionType>(extension_types),
                    &types::<ProposalType>(proposal_types),
                    &types::<CredentialType>(credential_types),
                );
                Ok((ExtensionType::RequiredCapabilities, encoded(&required)?))
            }
            Self::ExternalSenders { senders } => {
                let senders: Vec<_> = senders.iter().map(sender).collect::<Result<_>>()?;
                Ok((ExtensionType::ExternalSenders, encoded(&senders)?))
            }
            Self::Other {
                extension_type,
                data,
            } => Ok(((*extension_type).into(), data.clone())),
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

fn types<T: From<u16>>(numbers: &[u16]) -> Vec<T> {
    numbers.iter().copied().map(T::from).collect()
}

fn encoded(value: &impl tls_codec::Serialize) -> Result<Vec<u8>> {
    value
        .tls_serialize_detached()
        .map_err(ClientError::internal)
}

fn sender(party: &Party) -> Result<ExternalSender> {
    let credential = Credential::from_parts(&party.identity, &party.certificates);
    let key = party.signature_key.as_slice();
    Ok(ExternalSender::new(key.into(), credential.to_mls()?))
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

/// Extensions for a group context or a leaf node.
///
/// # Errors
/// `invalid-argument` for content that does not parse, a type that is there twice, or one that
/// does not belong there; `invalid-credential` for that of an external sender.
pub(super) fn list_to_mls<T>(list: &[Extension]) -> Result<Extensions<T>>
where
    T: ExtensionValidator,
    InvalidExtensionError: From<T::Error>,
{
    let mut content = vec![];
    for extension in list {
        let (extension_type, data) = extension.parts()?;
        extension_type
            .tls_serialize(&mut content)
            .and_then(|_| VLBytes::from(data).tls_serialize(&mut content))
            .map_err(|_| ClientError::InvalidArgument("an extension is too long"))?;
    }
    let encoded = VLBytes::from(content)
        .tls_serialize_detached()
        .map_err(|_| ClientError::InvalidArgument("the extensions are too long"))?;
    Extensions::tls_deserialize_exact_bytes(&encoded).map_err(|_| {
        ClientError::InvalidArgument(
            "an extension does not parse, is there twice, or does not belong there",
        )
    })
}
