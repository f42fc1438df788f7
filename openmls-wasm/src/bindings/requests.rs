//! What an app asks for, as JavaScript objects: read into the types of the client layer.

use js_sys::Array;
use wasm_bindgen::{JsCast, JsValue};

use super::convert::{
    bytes, invalid, optional_bytes, optional_epoch, optional_list_of_bytes, property, JsResult,
};
use crate::client::{
    AppCapabilities, CommitRequest, Credential, Extension, GroupOptions, GroupSettings,
    JoinOptions, LeafUpdate, Party, ProposalRequest, WireFormatPolicy,
};

/// Reads `{ kind, … }`; see `ProposalRequest` in `ts/`.
pub(super) fn proposal(value: &JsValue) -> JsResult<ProposalRequest> {
    Ok(match kind(value).as_str() {
        "add" => ProposalRequest::Add {
            key_package: bytes(value, "keyPackage")?,
        },
        "remove" => ProposalRequest::Remove {
            leaf_index: number(value, "leafIndex")?,
        },
        "update" => ProposalRequest::Update(leaf(value)?),
        "self-remove" => ProposalRequest::SelfRemove,
        "external-psk" => ProposalRequest::ExternalPsk {
            psk_id: bytes(value, "pskId")?,
        },
        "resumption-psk" => ProposalRequest::ResumptionPsk {
            epoch: optional_epoch(value, "epoch")?.ok_or_else(|| invalid("an epoch is missing"))?,
        },
        "group-context-extensions" => ProposalRequest::GroupContextExtensions {
            extensions: list(value, "extensions", extension)?.unwrap_or_default(),
        },
        #[cfg(feature = "extensions-draft")]
        "app-ephemeral" => ProposalRequest::AppEphemeral {
            component_id: number(value, "componentId")?,
            data: bytes(value, "data")?,
        },
        "app-defined" => ProposalRequest::AppDefined {
            proposal_type: number(value, "proposalType")?,
            payload: bytes(value, "payload")?,
        },
        _ => return Err(invalid("a kind of proposal that is not known")),
    })
}

/// Reads `{ proposals?, includePending?, forceSelfUpdate?, leaf?, authenticatedData? }`.
pub(super) fn commit(value: &JsValue) -> JsResult<CommitRequest> {
    let default = CommitRequest::default();
    Ok(CommitRequest {
        proposals: list(value, "proposals", proposal)?.unwrap_or_default(),
        include_pending: flag(value, "includePending", default.include_pending),
        force_self_update: flag(value, "forceSelfUpdate", default.force_self_update),
        leaf: leaf(&property(value, "leaf"))?,
        authenticated_data: optional_bytes(value, "authenticatedData")?.unwrap_or_default(),
    })
}

/// Reads `{ credential?, newSignatureKey?, capabilities?, extensions? }`.
fn leaf(value: &JsValue) -> JsResult<LeafUpdate> {
    Ok(LeafUpdate {
        credential: optional(value, "credential", credential)?,
        new_signature_key: flag(value, "newSignatureKey", false),
        capabilities: optional(value, "capabilities", capabilities)?,
        extensions: list(value, "extensions", extension)?,
    })
}

/// Reads `{ kind: 'basic', identity }` or `{ kind: 'x509', certificates }`.
fn credential(value: &JsValue) -> JsResult<Credential> {
    Ok(match kind(value).as_str() {
        "basic" => Credential::Basic {
            identity: bytes(value, "identity")?,
        },
        "x509" => Credential::X509 {
            certificates: certificates(value)?,
        },
        _ => return Err(invalid("a kind of credential that is not known")),
    })
}

fn certificates(value: &JsValue) -> JsResult<Vec<Vec<u8>>> {
    let certificates = optional_list_of_bytes(value, "certificates")?;
    Ok(certificates.unwrap_or_default())
}

/// Reads `{ extensions?, proposals? }`.
pub(super) fn capabilities(value: &JsValue) -> JsResult<AppCapabilities> {
    Ok(AppCapabilities {
        extensions: numbers(value, "extensions")?,
        proposals: numbers(value, "proposals")?,
    })
}

/// Reads `{ kind, … }`; see `Extension` in `ts/`.
pub(super) fn extension(value: &JsValue) -> JsResult<Extension> {
    Ok(match kind(value).as_str() {
        "required-capabilities" => Extension::RequiredCapabilities {
            extension_types: numbers(value, "extensionTypes")?,
            proposal_types: numbers(value, "proposalTypes")?,
            credential_types: numbers(value, "credentialTypes")?,
        },
        "external-senders" => Extension::ExternalSenders {
            senders: list(value, "senders", party)?.unwrap_or_default(),
        },
        "other" => Extension::Other {
            extension_type: number(value, "extensionType")?,
            data: bytes(value, "data")?,
        },
        _ => return Err(invalid("a kind of extension that is not known")),
    })
}

/// Reads `{ identity, certificates, signatureKey }`.
fn party(value: &JsValue) -> JsResult<Party> {
    Ok(Party {
        identity: bytes(value, "identity")?,
        certificates: certificates(value)?,
        signature_key: bytes(value, "signatureKey")?,
    })
}

/// Reads a group's settings; what is not there is as by default.
pub(super) fn settings(value: &JsValue) -> JsResult<GroupSettings> {
    let default = GroupSettings::default();
    let policy = property(value, "wireFormatPolicy");
    Ok(GroupSettings {
        wire_format_policy: match policy.as_string().as_deref() {
            None => default.wire_format_policy,
            Some("pure-ciphertext") => WireFormatPolicy::PureCiphertext,
            Some("pure-plaintext") => WireFormatPolicy::PurePlaintext,
            Some("mixed-ciphertext") => WireFormatPolicy::MixedCiphertext,
            Some("mixed-plaintext") => WireFormatPolicy::MixedPlaintext,
            Some(_) => return Err(invalid("a wire format policy that is not known")),
        },
        padding_size: count(value, "paddingSize")?.unwrap_or(default.padding_size),
        maximum_forward_distance: optional_number(value, "maximumForwardDistance")?
            .unwrap_or(default.maximum_forward_distance),
        out_of_order_tolerance: optional_number(value, "outOfOrderTolerance")?
            .unwrap_or(default.out_of_order_tolerance),
        max_past_epochs: count(value, "maxPastEpochs")?.unwrap_or(default.max_past_epochs),
        max_past_epoch_age: optional_number(value, "maxPastEpochAge")?,
        number_of_resumption_psks: count(value, "numberOfResumptionPsks")?
            .unwrap_or(default.number_of_resumption_psks),
        use_ratchet_tree_extension: flag(
            value,
            "useRatchetTreeExtension",
            default.use_ratchet_tree_extension,
        ),
    })
}

/// Reads what a group is created with; see `GroupOptions` in `ts/`.
pub(super) fn group_options(value: &JsValue) -> JsResult<GroupOptions> {
    Ok(GroupOptions {
        settings: optional(value, "settings", settings)?,
        ciphersuite: optional_number(value, "ciphersuite")?,
        capabilities: optional(value, "capabilities", capabilities)?,
        lifetime: optional_number::<u32>(value, "lifetime")?.map(u64::from),
        group_context_extensions: list(value, "extensions", extension)?.unwrap_or_default(),
        leaf_extensions: list(value, "leafExtensions", extension)?.unwrap_or_default(),
    })
}

/// Reads `{ settings?, ratchetTree? }`.
pub(super) fn join_options(value: &JsValue) -> JsResult<JoinOptions> {
    Ok(JoinOptions {
        settings: optional(value, "settings", settings)?,
        ratchet_tree: optional_bytes(value, "ratchetTree")?,
    })
}

fn kind(value: &JsValue) -> String {
    property(value, "kind").as_string().unwrap_or_default()
}

fn flag(value: &JsValue, name: &str, default: bool) -> bool {
    property(value, name).as_bool().unwrap_or(default)
}

/// `None` for what is missing, undefined or null.
pub(super) fn optional<T>(
    value: &JsValue,
    name: &str,
    read: impl FnOnce(&JsValue) -> JsResult<T>,
) -> JsResult<Option<T>> {
    let value = property(value, name);
    match value.is_undefined() || value.is_null() {
        true => Ok(None),
        false => read(&value).map(Some),
    }
}

pub(super) fn list<T>(
    value: &JsValue,
    name: &str,
    read: impl Fn(&JsValue) -> JsResult<T>,
) -> JsResult<Option<Vec<T>>> {
    optional(value, name, |value| {
        let array = value
            .dyn_ref::<Array>()
            .ok_or_else(|| invalid("expected an array"))?;
        array.iter().map(|element| read(&element)).collect()
    })
}

/// An integer of the range of `T`, which has at most 32 bits.
fn integer<T: TryFrom<u64>>(value: &JsValue) -> JsResult<T> {
    value
        .as_f64()
        .filter(|number| number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(number))
        .and_then(|number| T::try_from(number as u64).ok())
        .ok_or_else(|| invalid("a number that is no integer or out of its range"))
}

fn number<T: TryFrom<u64>>(value: &JsValue, name: &str) -> JsResult<T> {
    integer(&property(value, name))
}

fn optional_number<T: TryFrom<u64>>(value: &JsValue, name: &str) -> JsResult<Option<T>> {
    optional(value, name, integer)
}

pub(super) fn count(value: &JsValue, name: &str) -> JsResult<Option<usize>> {
    optional_number(value, name)
}

fn numbers(value: &JsValue, name: &str) -> JsResult<Vec<u16>> {
    Ok(list(value, name, integer)?.unwrap_or_default())
}
