//! What comes in: inspect, accept, refuse.

use js_sys::{Array, Uint8Array};
use serde::Serialize;
use serde_bytes::Bytes;
use wasm_bindgen::prelude::*;

use super::{
    client::{uint8, JsMlsClient},
    convert::{
        bytes, list_to_js, optional_bytes, optional_epoch, optional_position, optional_string,
        thrown, to_js, JsResult,
    },
    inbox_view::{InboxView, ProcessedView, WelcomeInfoView},
    requests,
};
use crate::client::{
    Delivered, DeliveredWelcome, EarlyMessage, EarlyMessageSettings, InboxItem, MlsClient, Result,
};

/// Hands in a message `{ bytes, id?, position?, inspectedEpoch? }`.
fn message(
    client: &mut MlsClient,
    delivered: &JsValue,
    receive: fn(&mut MlsClient, Delivered<'_>) -> Result<Option<InboxItem>>,
) -> JsResult<JsValue> {
    let id = optional_string(delivered, "id")?;
    let delivered = Delivered {
        bytes: &bytes(delivered, "bytes")?,
        id: id.as_deref(),
        position: optional_position(delivered, "position")?,
        inspected_epoch: optional_epoch(delivered, "inspectedEpoch")?,
    };
    item(receive(client, delivered))
}

/// Hands in a Welcome `{ bytes, id?, position?, groupPosition?, ratchetTree?, inspectedEpoch? }`.
fn welcome(
    client: &mut MlsClient,
    delivered: &JsValue,
    receive: fn(&mut MlsClient, DeliveredWelcome<'_>) -> Result<Option<InboxItem>>,
) -> JsResult<JsValue> {
    let id = optional_string(delivered, "id")?;
    let ratchet_tree = optional_bytes(delivered, "ratchetTree")?;
    let delivered = DeliveredWelcome {
        bytes: &bytes(delivered, "bytes")?,
        id: id.as_deref(),
        position: optional_position(delivered, "position")?,
        group_position: optional_position(delivered, "groupPosition")?,
        ratchet_tree: ratchet_tree.as_deref(),
        inspected_epoch: optional_epoch(delivered, "inspectedEpoch")?,
    };
    item(receive(client, delivered))
}

fn item(received: Result<Option<InboxItem>>) -> JsResult<JsValue> {
    let item = received.map_err(thrown)?;
    to_js(&item.as_ref().map(InboxView::from))
}

fn items(items: &[InboxItem]) -> JsResult<JsValue> {
    let views: Vec<_> = items.iter().map(InboxView::from).collect();
    to_js(&views)
}

#[derive(Serialize)]
struct EarlyMessageView<'a> {
    epoch: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    bytes: &'a Bytes,
}

impl<'a> From<&'a EarlyMessage> for EarlyMessageView<'a> {
    fn from(message: &'a EarlyMessage) -> Self {
        Self {
            epoch: message.epoch,
            id: message.id.as_deref(),
            bytes: Bytes::new(&message.bytes),
        }
    }
}

/// What comes in.
#[wasm_bindgen(js_class = MlsClient)]
impl JsMlsClient {
    /// What a message would do.
    #[wasm_bindgen(js_name = inspectMessage)]
    pub fn inspect_message(&self, message: &[u8]) -> JsResult<JsValue> {
        let processed = self.0.inspect_message(message).map_err(thrown)?;
        to_js(&ProcessedView::from(&processed))
    }

    /// What a Welcome leads to.
    #[wasm_bindgen(js_name = inspectWelcome)]
    pub fn inspect_welcome(
        &self,
        welcome: &[u8],
        ratchet_tree: Option<Vec<u8>>,
    ) -> JsResult<JsValue> {
        let info = self
            .0
            .inspect_welcome(welcome, ratchet_tree.as_deref())
            .map_err(thrown)?;
        to_js(&WelcomeInfoView::from(&info))
    }

    /// Processes a message that came in, in the epoch that it was inspected in.
    #[wasm_bindgen(js_name = processMessage)]
    pub fn process_message(
        &mut self,
        message: &[u8],
        inspected_epoch: Option<u64>,
    ) -> JsResult<JsValue> {
        let processed = match inspected_epoch {
            Some(epoch) => self.0.process_message_in_epoch(message, epoch),
            None => self.0.process_message(message),
        };
        to_js(&ProcessedView::from(&processed.map_err(thrown)?))
    }

    /// Joins the group of a Welcome; returns its id.
    #[wasm_bindgen(js_name = joinGroup)]
    pub fn join_group(&mut self, welcome: &[u8], options: JsValue) -> JsResult<Uint8Array> {
        let options = requests::join_options(&options)?;
        self.0
            .join_group_with(welcome, &options)
            .map(uint8)
            .map_err(thrown)
    }

    /// Receives a message.
    #[wasm_bindgen(js_name = receiveMessage)]
    pub fn receive_message(&mut self, delivered: JsValue) -> JsResult<JsValue> {
        message(&mut self.0, &delivered, MlsClient::receive_message)
    }

    /// Refuses a message that was inspected.
    #[wasm_bindgen(js_name = rejectMessage)]
    pub fn reject_message(&mut self, delivered: JsValue) -> JsResult<JsValue> {
        message(&mut self.0, &delivered, MlsClient::reject_message)
    }

    /// Receives a Welcome.
    #[wasm_bindgen(js_name = receiveWelcome)]
    pub fn receive_welcome(&mut self, delivered: JsValue) -> JsResult<JsValue> {
        welcome(&mut self.0, &delivered, MlsClient::receive_welcome)
    }

    /// Refuses a Welcome that was inspected.
    #[wasm_bindgen(js_name = rejectWelcome)]
    pub fn reject_welcome(&mut self, delivered: JsValue) -> JsResult<JsValue> {
        welcome(&mut self.0, &delivered, MlsClient::reject_welcome)
    }

    /// What the app has not acknowledged yet.
    pub fn inbox(&self) -> JsResult<JsValue> {
        items(&self.0.inbox().map_err(thrown)?)
    }

    /// What the last call produced out of messages that had been kept.
    #[wasm_bindgen(js_name = takeEarlyItems)]
    pub fn take_early_items(&mut self) -> JsResult<JsValue> {
        items(&self.0.take_early_items())
    }

    /// The messages that are kept for a group until their epoch is reached.
    #[wasm_bindgen(js_name = earlyMessages)]
    pub fn early_messages(&self, group_id: &[u8]) -> JsResult<JsValue> {
        let kept = self.0.early_messages(group_id).map_err(thrown)?;
        let views: Vec<_> = kept.iter().map(EarlyMessageView::from).collect();
        to_js(&views)
    }

    /// The groups of which messages are kept.
    #[wasm_bindgen(js_name = groupsWithEarlyMessages)]
    pub fn groups_with_early_messages(&self) -> JsResult<Array> {
        let groups = self.0.groups_with_early_messages().map_err(thrown)?;
        Ok(list_to_js(groups))
    }

    /// The first message that is kept although its epoch has been reached, or the one behind the
    /// message `after`, or `undefined`.
    #[wasm_bindgen(js_name = nextEarlyMessage)]
    pub fn next_early_message(
        &mut self,
        group_id: &[u8],
        after: Option<Vec<u8>>,
    ) -> JsResult<JsValue> {
        let next = self.0.next_early_message(group_id, after.as_deref());
        let next = next.map_err(thrown)?;
        to_js(&next.as_ref().map(EarlyMessageView::from))
    }

    /// How messages are treated whose epoch was not reached yet.
    #[wasm_bindgen(js_name = setEarlyMessageSettings)]
    pub fn set_early_message_settings(
        &mut self,
        max_per_group: Option<u32>,
        hold_handshakes: bool,
    ) {
        let default = EarlyMessageSettings::default();
        self.0.set_early_message_settings(EarlyMessageSettings {
            max_per_group: max_per_group.map_or(default.max_per_group, |max| max as usize),
            hold_handshakes,
            ..default
        });
    }
}
