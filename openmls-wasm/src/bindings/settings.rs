//! The settings of groups.

use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::{
    client::JsMlsClient,
    convert::{optional_position, thrown, JsResult},
    requests,
};
use crate::client::{GroupSettings, WireFormatPolicy};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SettingsView {
    wire_format_policy: &'static str,
    padding_size: u32,
    maximum_forward_distance: u32,
    out_of_order_tolerance: u32,
    max_past_epochs: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_past_epoch_age: Option<f64>,
    number_of_resumption_psks: u32,
    use_ratchet_tree_extension: bool,
}

impl From<&GroupSettings> for SettingsView {
    fn from(settings: &GroupSettings) -> Self {
        Self {
            wire_format_policy: match settings.wire_format_policy {
                WireFormatPolicy::PureCiphertext => "pure-ciphertext",
                WireFormatPolicy::PurePlaintext => "pure-plaintext",
                WireFormatPolicy::MixedCiphertext => "mixed-ciphertext",
                WireFormatPolicy::MixedPlaintext => "mixed-plaintext",
            },
            padding_size: count(settings.padding_size),
            maximum_forward_distance: settings.maximum_forward_distance,
            out_of_order_tolerance: settings.out_of_order_tolerance,
            max_past_epochs: count(settings.max_past_epochs),
            max_past_epoch_age: settings.max_past_epoch_age.map(|age| age as f64),
            number_of_resumption_psks: count(settings.number_of_resumption_psks),
            use_ratchet_tree_extension: settings.use_ratchet_tree_extension,
        }
    }
}

/// All numbers are; 2^32 - 1 epochs are all epochs.
fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Settings of groups.
#[wasm_bindgen(js_class = MlsClient)]
impl JsMlsClient {
    /// The settings that groups are created and joined with from now on.
    #[wasm_bindgen(js_name = setGroupSettings)]
    pub fn set_group_settings(&mut self, settings: JsValue) -> JsResult<()> {
        self.0.set_group_settings(requests::settings(&settings)?);
        Ok(())
    }

    /// What the app supports beside what this library does.
    #[wasm_bindgen(js_name = setAppCapabilities)]
    pub fn set_app_capabilities(&mut self, capabilities: JsValue) -> JsResult<()> {
        let capabilities = requests::capabilities(&capabilities)?;
        self.0.set_app_capabilities(capabilities);
        Ok(())
    }

    /// Gives a group other settings.
    #[wasm_bindgen(js_name = configureGroup)]
    pub fn configure_group(&mut self, group_id: &[u8], settings: JsValue) -> JsResult<()> {
        let settings = requests::settings(&settings)?;
        self.0.configure_group(group_id, &settings).map_err(thrown)
    }

    /// Deletes the secrets of past epochs `{ olderThan?, maxPastEpochs? }`.
    #[wasm_bindgen(js_name = deletePastEpochSecrets)]
    pub fn delete_past_epoch_secrets(&mut self, group_id: &[u8], which: JsValue) -> JsResult<()> {
        let older_than = optional_position(&which, "olderThan")?;
        let max_past_epochs = requests::count(&which, "maxPastEpochs")?;
        self.0
            .delete_past_epoch_secrets(group_id, older_than, max_past_epochs)
            .map_err(thrown)
    }
}
