//! `MlsClient` for JavaScript. See [`crate::client::MlsClient`] for what the methods do.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;

use super::{
    convert::{
        list_of_bytes, list_of_strings, list_to_js, page, records, sequence, thrown, to_js,
        to_js_with_null, JsResult,
    },
    requests,
    view::{BatchView, CategoryView, GroupInfoView, GroupSummaryView, OutboxView, UploadLinkView},
};
use crate::{
    client::{MlsClient, OutboxEntry},
    passphrase,
    storage::{codec, Category},
};

/// One MLS client. Synchronous and in memory: see `CoreCryptoClient` for the one that stores.
#[wasm_bindgen(js_name = MlsClient)]
#[derive(Default)]
pub struct JsMlsClient(pub(super) MlsClient);

pub(super) fn uint8(bytes: Vec<u8>) -> Uint8Array {
    Uint8Array::from(bytes.as_slice())
}

pub(super) fn entry(entry: OutboxEntry) -> JsResult<JsValue> {
    to_js(&OutboxView::from(&entry))
}

/// The storage seam: batches out, records in.
#[wasm_bindgen(js_class = MlsClient)]
impl JsMlsClient {
    /// A client with an empty store.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every object store: `{ name, scope, inSnapshots }[]`.
    pub fn categories() -> JsResult<JsValue> {
        let views: Vec<_> = Category::ALL
            .iter()
            .copied()
            .map(CategoryView::from)
            .collect();
        to_js(&views)
    }

    /// The format of the values this version writes.
    #[wasm_bindgen(js_name = formatVersion)]
    pub fn format_version() -> u32 {
        u32::from(codec::FORMAT)
    }

    /// Argon2id: 32 bytes from a passphrase.
    pub fn argon2id(
        passphrase: &[u8],
        salt: &[u8],
        memory_kib: u32,
        iterations: u32,
    ) -> JsResult<Vec<u8>> {
        passphrase::stretch(passphrase, salt, memory_kib, iterations)
            .map(|key| key.to_vec())
            .map_err(|error| js_sys::Error::new(&error.to_string()).into())
    }

    /// `{ sequence, events, deletedRanges }`, or `undefined` if nothing changed.
    #[wasm_bindgen(js_name = drainStorageEvents)]
    pub fn drain_storage_events(&self) -> JsResult<JsValue> {
        match self.0.drain_storage_events().map_err(thrown)? {
            Some(batch) => to_js_with_null(&BatchView::from(&batch)),
            None => Ok(JsValue::UNDEFINED),
        }
    }

    /// The batch is stored for good.
    #[wasm_bindgen(js_name = confirmBatch)]
    pub fn confirm_batch(&self, batch: f64) -> JsResult<()> {
        self.0.confirm_batch(sequence(batch)?).map_err(thrown)
    }

    /// The batch was not stored: the next one holds its changes too.
    #[wasm_bindgen(js_name = putBackBatch)]
    pub fn put_back_batch(&self, batch: f64) -> JsResult<()> {
        self.0.put_back_batch(sequence(batch)?).map_err(thrown)
    }

    /// Undoes everything that no confirmed batch holds.
    #[wasm_bindgen(js_name = rollBackUnconfirmed)]
    pub fn roll_back_unconfirmed(&mut self) -> JsResult<()> {
        self.0.roll_back_unconfirmed().map_err(thrown)
    }

    /// Whether there are changes that no confirmed batch holds.
    #[wasm_bindgen(js_name = hasUnconfirmed)]
    pub fn has_unconfirmed(&self) -> JsResult<bool> {
        self.0.storage().has_unconfirmed().map_err(thrown)
    }

    /// Whether there is something to drain.
    #[wasm_bindgen(js_name = isDirty)]
    pub fn is_dirty(&self) -> JsResult<bool> {
        self.0.storage().is_dirty().map_err(thrown)
    }

    /// Takes in the stored records of the client scope; what else is needed is asked for by errors.
    #[wasm_bindgen(js_name = hydrateClient)]
    pub fn hydrate_client(&mut self, list: Array) -> JsResult<()> {
        self.0.hydrate_client(records(&list)?).map_err(thrown)
    }

    /// Takes in all stored records of a page: `{ group }` (in hex), `{ category }` or `{ category, key }`.
    #[wasm_bindgen(js_name = hydratePage)]
    pub fn hydrate_page(&mut self, which: JsValue, list: Array) -> JsResult<()> {
        self.0
            .hydrate_page(page(&which)?, records(&list)?)
            .map_err(thrown)
    }

    /// The keys of `digest_node` that are worth loading together with a group (in hex) that is not in memory.
    #[wasm_bindgen(js_name = nodesToLoad)]
    pub fn nodes_to_load(&self, group: &str) -> JsResult<Vec<String>> {
        self.0.nodes_to_load(group).map_err(thrown)
    }

    /// Lets go of groups that were not used for long, until the others take no more than `limit` bytes.
    #[wasm_bindgen(js_name = releaseGroups)]
    pub fn release_groups(&mut self, limit: f64) -> JsResult<()> {
        // A limit that is no number is none.
        self.0.release_groups(limit as usize).map_err(thrown)
    }

    /// Takes in stored records `{ category, key, value }[]`: all or nothing.
    pub fn hydrate(&mut self, list: Array) -> JsResult<()> {
        self.0.hydrate(records(&list)?).map_err(thrown)
    }
}

/// Groups and commits.
#[wasm_bindgen(js_class = MlsClient)]
impl JsMlsClient {
    /// Creates a group; returns its id.
    #[wasm_bindgen(js_name = createGroup)]
    pub fn create_group(
        &mut self,
        group_id: Option<Vec<u8>>,
        options: JsValue,
    ) -> JsResult<Uint8Array> {
        let options = requests::group_options(&options)?;
        self.0
            .create_group_with(group_id.as_deref(), &options)
            .map(uint8)
            .map_err(thrown)
    }

    /// The summaries of groups: of those in memory as they are, of others as the records `stored` say.
    #[wasm_bindgen(js_name = groupSummaries)]
    pub fn group_summaries(
        &self,
        stored: Array,
        after: Option<Vec<u8>>,
        until: Option<Vec<u8>>,
    ) -> JsResult<JsValue> {
        let stored = records(&stored)?;
        let summaries = self
            .0
            .group_summaries(&stored, after.as_deref(), until.as_deref())
            .map_err(thrown)?;
        let views: Vec<_> = summaries.iter().map(GroupSummaryView::from).collect();
        to_js(&views)
    }

    /// Gives a group a name for lists, on this client only.
    #[wasm_bindgen(js_name = setGroupName)]
    pub fn set_group_name(&mut self, group_id: &[u8], name: &[u8]) -> JsResult<()> {
        self.0.set_group_name(group_id, name).map_err(thrown)
    }

    /// The ids of all groups.
    #[wasm_bindgen(js_name = listGroups)]
    pub fn list_groups(&self) -> JsResult<Array> {
        self.0.list_groups().map(list_to_js).map_err(thrown)
    }

    /// What a group looks like now.
    #[wasm_bindgen(js_name = groupInfo)]
    pub fn group_info(&mut self, group_id: &[u8]) -> JsResult<JsValue> {
        let info = self.0.group_info(group_id).map_err(thrown)?;
        to_js(&GroupInfoView::from(&info))
    }

    /// A damaged group was put aside.
    #[wasm_bindgen(js_name = noteQuarantined)]
    pub fn note_quarantined(&mut self, group_id: &[u8], readable: Array) -> JsResult<()> {
        self.0
            .note_quarantined(group_id, &records(&readable)?)
            .map_err(thrown)
    }

    /// Deletes every record of a group.
    #[wasm_bindgen(js_name = deleteGroup)]
    pub fn delete_group(&mut self, group_id: &[u8]) -> JsResult<()> {
        self.0.delete_group(group_id).map_err(thrown)
    }

    /// Commits the addition of the owners of key packages.
    #[wasm_bindgen(js_name = addMembers)]
    pub fn add_members(
        &mut self,
        group_id: &[u8],
        key_packages: Array,
        id: Option<String>,
    ) -> JsResult<JsValue> {
        let key_packages = list_of_bytes(&key_packages)?;
        self.0
            .add_members(group_id, &key_packages, id.as_deref())
            .map_err(thrown)
            .and_then(entry)
    }

    /// Commits the removal of members.
    #[wasm_bindgen(js_name = removeMembers)]
    pub fn remove_members(
        &mut self,
        group_id: &[u8],
        leaf_indexes: Vec<u32>,
        id: Option<String>,
    ) -> JsResult<JsValue> {
        self.0
            .remove_members(group_id, &leaf_indexes, id.as_deref())
            .map_err(thrown)
            .and_then(entry)
    }

    /// Commits new keys of this client.
    #[wasm_bindgen(js_name = selfUpdate)]
    pub fn self_update(&mut self, group_id: &[u8], id: Option<String>) -> JsResult<JsValue> {
        self.0
            .self_update(group_id, id.as_deref())
            .map_err(thrown)
            .and_then(entry)
    }

    /// Commits the proposals that wait.
    #[wasm_bindgen(js_name = commitPendingProposals)]
    pub fn commit_pending_proposals(
        &mut self,
        group_id: &[u8],
        id: Option<String>,
    ) -> JsResult<JsValue> {
        self.0
            .commit_pending_proposals(group_id, id.as_deref())
            .map_err(thrown)
            .and_then(entry)
    }

    /// Proposes the own removal.
    #[wasm_bindgen(js_name = leaveGroup)]
    pub fn leave_group(&mut self, group_id: &[u8], id: Option<String>) -> JsResult<JsValue> {
        self.0
            .leave_group(group_id, id.as_deref())
            .map_err(thrown)
            .and_then(entry)
    }

    /// Merges the pending commit.
    #[wasm_bindgen(js_name = mergePendingCommit)]
    pub fn merge_pending_commit(&mut self, group_id: &[u8]) -> JsResult<()> {
        self.0.merge_pending_commit(group_id).map_err(thrown)
    }

    /// Drops the pending commit.
    #[wasm_bindgen(js_name = clearPendingCommit)]
    pub fn clear_pending_commit(&mut self, group_id: &[u8]) -> JsResult<()> {
        self.0.clear_pending_commit(group_id).map_err(thrown)
    }

    /// The delivery service rejected the commit with this id.
    #[wasm_bindgen(js_name = rejectCommit)]
    pub fn reject_commit(&mut self, id: &str) -> JsResult<()> {
        self.0.reject_commit(id).map_err(thrown)
    }
}

/// Messages, outbox and inbox.
#[wasm_bindgen(js_class = MlsClient)]
impl JsMlsClient {
    /// Encrypts an application message.
    #[wasm_bindgen(js_name = encryptMessage)]
    pub fn encrypt_message(
        &mut self,
        group_id: &[u8],
        plaintext: &[u8],
        authenticated_data: Option<Vec<u8>>,
    ) -> JsResult<Uint8Array> {
        let authenticated_data = authenticated_data.unwrap_or_default();
        self.0
            .encrypt_message_with(group_id, plaintext, &authenticated_data)
            .map(uint8)
            .map_err(thrown)
    }

    /// Encrypts an application message and puts it into the outbox.
    #[wasm_bindgen(js_name = sendMessage)]
    pub fn send_message(
        &mut self,
        group_id: &[u8],
        plaintext: &[u8],
        id: Option<String>,
        authenticated_data: Option<Vec<u8>>,
    ) -> JsResult<JsValue> {
        let authenticated_data = authenticated_data.unwrap_or_default();
        self.0
            .send_message_with(group_id, plaintext, &authenticated_data, id.as_deref())
            .map_err(thrown)
            .and_then(entry)
    }

    /// What the delivery service has not accepted yet.
    pub fn outbox(&self) -> JsResult<JsValue> {
        let entries = self.0.outbox().map_err(thrown)?;
        let views: Vec<_> = entries.iter().map(OutboxView::from).collect();
        to_js(&views)
    }

    /// The delivery service accepted a message or a proposal.
    #[wasm_bindgen(js_name = acknowledgeOutbox)]
    pub fn acknowledge_outbox(&mut self, id: &str) -> JsResult<()> {
        self.0.acknowledge_outbox(id).map_err(thrown)
    }

    /// The delivery service refused a message or a proposal for good.
    #[wasm_bindgen(js_name = rejectOutbox)]
    pub fn reject_outbox(&mut self, id: &str) -> JsResult<()> {
        self.0.reject_outbox(id).map_err(thrown)
    }

    /// What an entry is uploaded with: `{ previous?, link }`, or `undefined`.
    #[wasm_bindgen(js_name = uploadLink)]
    pub fn upload_link(&self, id: &str) -> JsResult<JsValue> {
        match self.0.upload_link(id).map_err(thrown)? {
            Some(link) => to_js(&UploadLinkView::from(&link)),
            None => Ok(JsValue::UNDEFINED),
        }
    }

    /// Whether this state is the newest one that the delivery service knows.
    #[wasm_bindgen(js_name = checkWitness)]
    pub fn check_witness(&mut self, group_id: &[u8], link: Option<Vec<u8>>) -> JsResult<bool> {
        self.0
            .check_witness(group_id, link.as_deref())
            .map_err(thrown)
    }

    /// Encrypts a message of the outbox anew.
    #[wasm_bindgen(js_name = renewOutbox)]
    pub fn renew_outbox(&mut self, id: &str) -> JsResult<JsValue> {
        self.0.renew_outbox(id).map_err(thrown).and_then(entry)
    }

    /// Passes over a Welcome that cannot be joined.
    #[wasm_bindgen(js_name = skipWelcome)]
    pub fn skip_welcome(&mut self, position: f64) -> JsResult<()> {
        self.0.skip_welcome(sequence(position)?).map_err(thrown)
    }

    /// The app has saved these items.
    #[wasm_bindgen(js_name = acknowledgeInbox)]
    pub fn acknowledge_inbox(&mut self, ids: Array) -> JsResult<()> {
        self.0
            .acknowledge_inbox(&list_of_strings(&ids)?)
            .map_err(thrown)
    }

    /// The position up to which a group's log has been processed.
    #[wasm_bindgen(js_name = deliveryCursor)]
    pub fn delivery_cursor(&self, group_id: &[u8]) -> JsResult<Option<f64>> {
        let cursor = self.0.delivery_cursor(group_id).map_err(thrown)?;
        Ok(cursor.map(|position| position as f64))
    }

    /// The position up to which Welcomes have been processed.
    #[wasm_bindgen(js_name = welcomeCursor)]
    pub fn welcome_cursor(&self) -> JsResult<Option<f64>> {
        let cursor = self.0.welcome_cursor().map_err(thrown)?;
        Ok(cursor.map(|position| position as f64))
    }
}

/// Fault injection for tests.
#[cfg(feature = "test-hooks")]
#[wasm_bindgen(js_class = MlsClient)]
impl JsMlsClient {
    /// Every record in memory, secrets included.
    pub fn records(&self) -> JsResult<JsValue> {
        let records = self.0.storage().records().map_err(thrown)?;
        let views: Vec<_> = records.iter().map(super::view::RecordView::from).collect();
        to_js(&views)
    }

    /// Panics.
    #[wasm_bindgen(js_name = panicForTest)]
    pub fn panic_for_test(&self) {
        self.0.panic_for_test();
    }
}
