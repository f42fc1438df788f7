//! Group infos, ratchet trees, exported secrets, external commits.

use js_sys::Uint8Array;
use serde::Serialize;
use serde_bytes::Bytes;
use wasm_bindgen::prelude::*;

use super::{
    client::{entry, uint8, JsMlsClient},
    convert::{optional_bytes, optional_list_of_bytes, thrown, to_js, JsResult},
    inbox_view::CredentialView,
    requests::{capabilities, optional, settings},
    view::{views, MemberView},
};
use crate::client::{ExternalJoin, ExternalJoinInfo, GroupInfoDetails};

/// Reads `{ ratchetTree?, authenticatedData?, externalPsks?, selfRemoves?, settings?, capabilities? }`.
fn external_join(options: &JsValue) -> JsResult<ExternalJoin> {
    Ok(ExternalJoin {
        ratchet_tree: optional_bytes(options, "ratchetTree")?,
        authenticated_data: optional_bytes(options, "authenticatedData")?.unwrap_or_default(),
        external_psks: optional_list_of_bytes(options, "externalPsks")?.unwrap_or_default(),
        self_removes: optional_list_of_bytes(options, "selfRemoves")?.unwrap_or_default(),
        settings: optional(options, "settings", settings)?,
        capabilities: optional(options, "capabilities", capabilities)?,
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupInfoDetailsView<'a> {
    group_id: &'a Bytes,
    epoch: u64,
    ciphersuite: u16,
    extensions: &'a [u16],
    group_context_extensions: &'a [u16],
    has_ratchet_tree: bool,
    has_external_pub: bool,
    signer: u32,
}

impl<'a> From<&'a GroupInfoDetails> for GroupInfoDetailsView<'a> {
    fn from(details: &'a GroupInfoDetails) -> Self {
        Self {
            group_id: Bytes::new(&details.group_id),
            epoch: details.epoch,
            ciphersuite: details.ciphersuite,
            extensions: &details.extensions,
            group_context_extensions: &details.group_context_extensions,
            has_ratchet_tree: details.has_ratchet_tree,
            has_external_pub: details.has_external_pub,
            signer: details.signer,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExternalJoinInfoView<'a> {
    group_id: &'a Bytes,
    epoch: u64,
    ciphersuite: u16,
    members: Vec<MemberView<'a>>,
    credentials: Vec<CredentialView<'a>>,
}

impl<'a> From<&'a ExternalJoinInfo> for ExternalJoinInfoView<'a> {
    fn from(info: &'a ExternalJoinInfo) -> Self {
        Self {
            group_id: Bytes::new(&info.group_id),
            epoch: info.epoch,
            ciphersuite: info.ciphersuite,
            members: views(&info.members),
            credentials: views(&info.credentials),
        }
    }
}

/// Group infos and ratchet trees.
#[wasm_bindgen(js_class = MlsClient)]
impl JsMlsClient {
    /// Exports a signed group info of the present epoch.
    #[wasm_bindgen(js_name = exportGroupInfo)]
    pub fn export_group_info(
        &mut self,
        group_id: &[u8],
        with_ratchet_tree: bool,
    ) -> JsResult<Uint8Array> {
        self.0
            .export_group_info(group_id, with_ratchet_tree)
            .map(uint8)
            .map_err(thrown)
    }

    /// Exports the ratchet tree of the present epoch.
    #[wasm_bindgen(js_name = exportRatchetTree)]
    pub fn export_ratchet_tree(&mut self, group_id: &[u8]) -> JsResult<Uint8Array> {
        self.0
            .export_ratchet_tree(group_id)
            .map(uint8)
            .map_err(thrown)
    }

    /// Reads a group info without joining by it.
    #[wasm_bindgen(js_name = inspectGroupInfo)]
    pub fn inspect_group_info(&self, group_info: &[u8]) -> JsResult<JsValue> {
        let details = self.0.inspect_group_info(group_info).map_err(thrown)?;
        to_js(&GroupInfoDetailsView::from(&details))
    }
}

/// External commits.
#[wasm_bindgen(js_class = MlsClient)]
impl JsMlsClient {
    /// Makes the commit by which this client joins the group of a group info.
    #[wasm_bindgen(js_name = joinByExternalCommit)]
    pub fn join_by_external_commit(
        &mut self,
        group_info: &[u8],
        options: JsValue,
        id: Option<String>,
    ) -> JsResult<JsValue> {
        self.0
            .join_by_external_commit(group_info, &external_join(&options)?, id.as_deref())
            .map_err(thrown)
            .and_then(entry)
    }

    /// What the group would be if this client joined it now.
    #[wasm_bindgen(js_name = inspectExternalJoin)]
    pub fn inspect_external_join(
        &mut self,
        group_info: &[u8],
        options: JsValue,
    ) -> JsResult<JsValue> {
        let info = self
            .0
            .inspect_external_join(group_info, &external_join(&options)?)
            .map_err(thrown)?;
        to_js(&ExternalJoinInfoView::from(&info))
    }

    /// The delivery service accepted the external commit with this id; returns the group id.
    #[wasm_bindgen(js_name = acceptExternalJoin)]
    pub fn accept_external_join(&mut self, id: &str) -> JsResult<Uint8Array> {
        self.0.accept_external_join(id).map(uint8).map_err(thrown)
    }
}

/// Secrets for the app.
#[wasm_bindgen(js_class = MlsClient)]
impl JsMlsClient {
    /// Derives a secret of `length` bytes from the present epoch.
    #[wasm_bindgen(js_name = exportSecret)]
    pub fn export_secret(
        &mut self,
        group_id: &[u8],
        label: &str,
        context: &[u8],
        length: u32,
    ) -> JsResult<Uint8Array> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.0
            .export_secret(group_id, label, context, length)
            .map(uint8)
            .map_err(thrown)
    }

    /// Derives the secret of an application component from the present epoch, once.
    #[cfg(feature = "extensions-draft")]
    #[wasm_bindgen(js_name = safeExportSecret)]
    pub fn safe_export_secret(
        &mut self,
        group_id: &[u8],
        component_id: u16,
    ) -> JsResult<Uint8Array> {
        self.0
            .safe_export_secret(group_id, component_id)
            .map(uint8)
            .map_err(thrown)
    }

    /// Derives the secret of an application component from the epoch of the pending commit, once.
    #[cfg(feature = "extensions-draft")]
    #[wasm_bindgen(js_name = safeExportPendingSecret)]
    pub fn safe_export_pending_secret(
        &mut self,
        group_id: &[u8],
        component_id: u16,
    ) -> JsResult<Uint8Array> {
        self.0
            .safe_export_pending_secret(group_id, component_id)
            .map(uint8)
            .map_err(thrown)
    }
}
