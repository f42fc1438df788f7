//! Proposals from outside a group.

use js_sys::Array;
use wasm_bindgen::prelude::*;

use super::{
    client::{entry, JsMlsClient},
    convert::{bytes, epoch, property, thrown, JsResult},
    requests::extension,
};
use crate::client::ProposalTarget;

/// Reads `{ groupId, epoch }`.
fn target(value: &JsValue) -> JsResult<ProposalTarget> {
    Ok(ProposalTarget {
        group_id: bytes(value, "groupId")?,
        epoch: epoch(property(value, "epoch"))?,
    })
}

/// External proposals.
#[wasm_bindgen(js_class = MlsClient)]
impl JsMlsClient {
    /// Proposes an addition as an external sender.
    #[wasm_bindgen(js_name = proposeExternalAdd)]
    pub fn propose_external_add(
        &mut self,
        target_group: JsValue,
        sender_index: u32,
        key_package: &[u8],
        id: Option<String>,
    ) -> JsResult<JsValue> {
        let target = target(&target_group)?;
        self.0
            .propose_external_add(&target, sender_index, key_package, id.as_deref())
            .map_err(thrown)
            .and_then(entry)
    }

    /// Proposes a removal as an external sender.
    #[wasm_bindgen(js_name = proposeExternalRemove)]
    pub fn propose_external_remove(
        &mut self,
        target_group: JsValue,
        sender_index: u32,
        leaf_index: u32,
        id: Option<String>,
    ) -> JsResult<JsValue> {
        let target = target(&target_group)?;
        self.0
            .propose_external_remove(&target, sender_index, leaf_index, id.as_deref())
            .map_err(thrown)
            .and_then(entry)
    }

    /// Proposes other group context extensions, all of them, as an external sender.
    #[wasm_bindgen(js_name = proposeExternalGroupContextExtensions)]
    pub fn propose_external_group_context_extensions(
        &mut self,
        target_group: JsValue,
        sender_index: u32,
        extensions: Array,
        id: Option<String>,
    ) -> JsResult<JsValue> {
        let target = target(&target_group)?;
        let extensions = extensions
            .iter()
            .map(|value| extension(&value))
            .collect::<JsResult<Vec<_>>>()?;
        self.0
            .propose_external_group_context_extensions(
                &target,
                sender_index,
                &extensions,
                id.as_deref(),
            )
            .map_err(thrown)
            .and_then(entry)
    }

    /// Asks to be added, by a key package that this client has generated.
    #[wasm_bindgen(js_name = proposeJoin)]
    pub fn propose_join(
        &mut self,
        target_group: JsValue,
        key_package: &[u8],
        id: Option<String>,
    ) -> JsResult<JsValue> {
        let target = target(&target_group)?;
        self.0
            .propose_join(&target, key_package, id.as_deref())
            .map_err(thrown)
            .and_then(entry)
    }
}
