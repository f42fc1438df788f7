//! Proposals and commits of every kind; external pre-shared keys.

use js_sys::Array;
use serde::Serialize;
use serde_bytes::Bytes;
use wasm_bindgen::prelude::*;

use super::{
    client::{entry, JsMlsClient},
    convert::{list_to_js, thrown, to_js, JsResult},
    proposal_view::{ProposalSenderView, ProposalView},
    requests,
    view::views,
};
use crate::client::PendingProposal;

#[derive(Serialize)]
struct PendingProposalView<'a> {
    reference: &'a Bytes,
    sender: ProposalSenderView<'a>,
    proposal: ProposalView<'a>,
}

impl<'a> From<&'a PendingProposal> for PendingProposalView<'a> {
    fn from(pending: &'a PendingProposal) -> Self {
        Self {
            reference: Bytes::new(&pending.reference),
            sender: (&pending.sender).into(),
            proposal: (&pending.proposal).into(),
        }
    }
}

/// Proposals and commits.
#[wasm_bindgen(js_class = MlsClient)]
impl JsMlsClient {
    /// Proposes a change of the group.
    pub fn propose(
        &mut self,
        group_id: &[u8],
        proposal: JsValue,
        authenticated_data: Option<Vec<u8>>,
        id: Option<String>,
    ) -> JsResult<JsValue> {
        let request = requests::proposal(&proposal)?;
        let authenticated_data = authenticated_data.unwrap_or_default();
        self.0
            .propose(group_id, &request, &authenticated_data, id.as_deref())
            .map_err(thrown)
            .and_then(entry)
    }

    /// Commits.
    pub fn commit(
        &mut self,
        group_id: &[u8],
        request: JsValue,
        id: Option<String>,
    ) -> JsResult<JsValue> {
        let request = requests::commit(&request)?;
        self.0
            .commit(group_id, &request, id.as_deref())
            .map_err(thrown)
            .and_then(entry)
    }

    /// The proposals that wait for a commit.
    #[wasm_bindgen(js_name = pendingProposals)]
    pub fn pending_proposals(&mut self, group_id: &[u8]) -> JsResult<JsValue> {
        let pending = self.0.pending_proposals(group_id).map_err(thrown)?;
        to_js(&views::<_, PendingProposalView<'_>>(&pending))
    }

    /// Drops every proposal that waits.
    #[wasm_bindgen(js_name = clearPendingProposals)]
    pub fn clear_pending_proposals(&mut self, group_id: &[u8]) -> JsResult<()> {
        self.0.clear_pending_proposals(group_id).map_err(thrown)
    }

    /// Drops one proposal that waits.
    #[wasm_bindgen(js_name = removePendingProposal)]
    pub fn remove_pending_proposal(&mut self, group_id: &[u8], reference: &[u8]) -> JsResult<()> {
        self.0
            .remove_pending_proposal(group_id, reference)
            .map_err(thrown)
    }
}

/// External pre-shared keys.
#[wasm_bindgen(js_class = MlsClient)]
impl JsMlsClient {
    /// Stores an external pre-shared key.
    #[wasm_bindgen(js_name = storeExternalPsk)]
    pub fn store_external_psk(&mut self, psk_id: &[u8], psk: &[u8]) -> JsResult<()> {
        self.0.store_external_psk(psk_id, psk).map_err(thrown)
    }

    /// Deletes an external pre-shared key.
    #[wasm_bindgen(js_name = deleteExternalPsk)]
    pub fn delete_external_psk(&mut self, psk_id: &[u8]) -> JsResult<()> {
        self.0.delete_external_psk(psk_id).map_err(thrown)
    }

    /// The ids of the external pre-shared keys that are stored.
    #[wasm_bindgen(js_name = externalPsks)]
    pub fn external_psks(&self) -> JsResult<Array> {
        self.0.external_psks().map(list_to_js).map_err(thrown)
    }
}
