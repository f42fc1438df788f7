//! Key packages: own ones, and those of others.

use js_sys::{Array, Uint8Array};
use serde::Serialize;
use serde_bytes::Bytes;
use wasm_bindgen::{prelude::*, JsCast};

use super::{
    client::{uint8, JsMlsClient},
    convert::{
        bytes, invalid, list_of_bytes, list_to_js, optional_position, property, thrown, to_js,
        JsResult,
    },
    identity::CredentialView,
    requests,
    view::views,
};
use crate::client::{
    Capabilities, Extension, KeyPackageDetails, KeyPackageInfo, KeyPackageOptions, KeyPackageState,
    LifetimeStatus,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyPackageView<'a> {
    reference: &'a Bytes,
    last_resort: bool,
    ciphersuite: u16,
    not_before: u64,
    not_after: u64,
    state: &'static str,
    has_private_keys: bool,
}

impl<'a> From<&'a KeyPackageInfo> for KeyPackageView<'a> {
    fn from(info: &'a KeyPackageInfo) -> Self {
        Self {
            reference: Bytes::new(&info.reference),
            last_resort: info.last_resort,
            ciphersuite: info.ciphersuite,
            not_before: info.not_before,
            not_after: info.not_after,
            state: match info.state {
                KeyPackageState::Available => "available",
                KeyPackageState::GivenOut => "given-out",
                KeyPackageState::Used => "used",
                KeyPackageState::Expired => "expired",
            },
            has_private_keys: info.has_private_keys,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExtensionView<'a> {
    extension_type: u16,
    data: &'a Bytes,
}

/// The extensions of a key package: those that are spelled out are none of a key package or a leaf.
fn extension_views(extensions: &[Extension]) -> Vec<ExtensionView<'_>> {
    let view = |extension| match extension {
        &Extension::Other {
            extension_type,
            ref data,
        } => Some(ExtensionView {
            extension_type,
            data: Bytes::new(data),
        }),
        _ => None,
    };
    extensions.iter().filter_map(view).collect()
}

#[derive(Serialize)]
struct CapabilitiesView<'a> {
    versions: &'a [u16],
    ciphersuites: &'a [u16],
    extensions: &'a [u16],
    proposals: &'a [u16],
    credentials: &'a [u16],
}

impl<'a> From<&'a Capabilities> for CapabilitiesView<'a> {
    fn from(capabilities: &'a Capabilities) -> Self {
        Self {
            versions: &capabilities.versions,
            ciphersuites: &capabilities.ciphersuites,
            extensions: &capabilities.extensions,
            proposals: &capabilities.proposals,
            credentials: &capabilities.credentials,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyPackageDetailsView<'a> {
    reference: &'a Bytes,
    credential: CredentialView<'a>,
    signature_key: &'a Bytes,
    ciphersuite: u16,
    not_before: u64,
    not_after: u64,
    lifetime: &'static str,
    has_acceptable_range: bool,
    last_resort: bool,
    capabilities: CapabilitiesView<'a>,
    extensions: Vec<ExtensionView<'a>>,
    leaf_extensions: Vec<ExtensionView<'a>>,
}

impl<'a> From<&'a KeyPackageDetails> for KeyPackageDetailsView<'a> {
    fn from(details: &'a KeyPackageDetails) -> Self {
        Self {
            reference: Bytes::new(&details.reference),
            credential: (&details.credential).into(),
            signature_key: Bytes::new(&details.signature_key),
            ciphersuite: details.ciphersuite,
            not_before: details.not_before,
            not_after: details.not_after,
            lifetime: match details.lifetime {
                LifetimeStatus::Valid => "valid",
                LifetimeStatus::NotYetValid => "not-yet-valid",
                LifetimeStatus::Expired => "expired",
            },
            has_acceptable_range: details.has_acceptable_range,
            last_resort: details.last_resort,
            capabilities: (&details.capabilities).into(),
            extensions: extension_views(&details.extensions),
            leaf_extensions: extension_views(&details.leaf_extensions),
        }
    }
}

/// Reads `{ count?, lastResort?, lifetime?, ciphersuite?, extensions?, leafExtensions?, capabilities? }`.
fn options(value: &JsValue) -> JsResult<KeyPackageOptions> {
    let default = KeyPackageOptions::default();
    let count = optional_position(value, "count")?.map(u32::try_from);
    let ciphersuite = optional_position(value, "ciphersuite")?.map(u16::try_from);
    Ok(KeyPackageOptions {
        count: count
            .transpose()
            .map_err(|_| invalid("1 to 1000 key packages at once"))?
            .unwrap_or(default.count),
        last_resort: property(value, "lastResort").is_truthy(),
        lifetime: optional_position(value, "lifetime")?,
        ciphersuite: ciphersuite
            .transpose()
            .map_err(|_| invalid("a ciphersuite is a number of 16 bits"))?,
        extensions: extensions(value, "extensions")?,
        leaf_extensions: extensions(value, "leafExtensions")?,
        capabilities: requests::optional(value, "capabilities", requests::capabilities)?,
    })
}

/// Reads `{ extensionType, data }[]`.
fn extensions(object: &JsValue, name: &str) -> JsResult<Vec<Extension>> {
    let extension = |value: JsValue| {
        Ok(Extension::Other {
            extension_type: number(&property(&value, "extensionType"))?,
            data: bytes(&value, "data")?,
        })
    };
    optional_list(object, name)?.iter().map(extension).collect()
}

fn number(value: &JsValue) -> JsResult<u16> {
    let number = value.as_f64().filter(|number| number.fract() == 0.0);
    number
        .filter(|number| (0.0..=65535.0).contains(number))
        .map(|number| number as u16)
        .ok_or_else(|| invalid("a type is a number of 16 bits"))
}

fn optional_list(object: &JsValue, name: &str) -> JsResult<Array> {
    let value = property(object, name);
    if value.is_undefined() {
        return Ok(Array::new());
    }
    value
        .dyn_into()
        .map_err(|_| invalid("expected an array of extensions or numbers"))
}

/// Key packages.
#[wasm_bindgen(js_class = MlsClient)]
impl JsMlsClient {
    /// Generates key packages for one use each.
    #[wasm_bindgen(js_name = generateKeyPackages)]
    pub fn generate_key_packages(&mut self, count: u32) -> JsResult<Array> {
        self.0
            .generate_key_packages(count)
            .map(list_to_js)
            .map_err(thrown)
    }

    /// Generates a last-resort key package.
    #[wasm_bindgen(js_name = generateLastResortKeyPackage)]
    pub fn generate_last_resort_key_package(&mut self) -> JsResult<Uint8Array> {
        self.0
            .generate_last_resort_key_package()
            .map(uint8)
            .map_err(thrown)
    }

    /// Generates key packages.
    #[wasm_bindgen(js_name = generateKeyPackagesWith)]
    pub fn generate_key_packages_with(&mut self, options: JsValue) -> JsResult<Array> {
        self.0
            .generate_key_packages_with(&self::options(&options)?)
            .map(list_to_js)
            .map_err(thrown)
    }

    /// Generates as many key packages as are missing; returns all that are to be published.
    #[wasm_bindgen(js_name = replenishKeyPackages)]
    pub fn replenish_key_packages(&mut self, level: u32, options: JsValue) -> JsResult<Array> {
        self.0
            .replenish_key_packages(level, &self::options(&options)?)
            .map(list_to_js)
            .map_err(thrown)
    }

    /// Notes that key packages were given out.
    #[wasm_bindgen(js_name = markKeyPackagesGivenOut)]
    pub fn mark_key_packages_given_out(&mut self, references: Array) -> JsResult<()> {
        self.0
            .mark_key_packages_given_out(&list_of_bytes(&references)?)
            .map_err(thrown)
    }

    /// Deletes the private keys of expired key packages; returns the references.
    #[wasm_bindgen(js_name = purgeExpiredKeyPackages)]
    pub fn purge_expired_key_packages(&mut self) -> JsResult<Array> {
        self.0
            .purge_expired_key_packages()
            .map(list_to_js)
            .map_err(thrown)
    }

    /// Deletes key packages with their private keys.
    #[wasm_bindgen(js_name = deleteKeyPackages)]
    pub fn delete_key_packages(&mut self, references: Array) -> JsResult<()> {
        self.0
            .delete_key_packages(&list_of_bytes(&references)?)
            .map_err(thrown)
    }

    /// The own key packages, and how they stand.
    #[wasm_bindgen(js_name = keyPackages)]
    pub fn key_packages(&self) -> JsResult<JsValue> {
        let infos = self.0.key_packages().map_err(thrown)?;
        to_js(&views::<_, KeyPackageView<'_>>(&infos))
    }

    /// Verifies a key package and says what is in it.
    #[wasm_bindgen(js_name = inspectKeyPackage)]
    pub fn inspect_key_package(&self, key_package: &[u8]) -> JsResult<JsValue> {
        let details = self.0.inspect_key_package(key_package).map_err(thrown)?;
        to_js(&KeyPackageDetailsView::from(&details))
    }

    /// Notes that other clients of this user made these key packages.
    #[wasm_bindgen(js_name = noteKeyPackagesOfOtherClients)]
    pub fn note_key_packages_of_other_clients(&mut self, key_packages: Array) -> JsResult<()> {
        self.0
            .note_key_packages_of_other_clients(&list_of_bytes(&key_packages)?)
            .map_err(thrown)
    }
}
