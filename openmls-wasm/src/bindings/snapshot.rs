//! Snapshots, and moving to another database.

use js_sys::Array;
use wasm_bindgen::prelude::*;

use super::{
    client::JsMlsClient,
    convert::{records, thrown, to_js, JsResult},
    view::{views, ImportedView, RecordView},
};

#[wasm_bindgen(js_class = MlsClient)]
impl JsMlsClient {
    /// What a backup holds of stored records `{ category, key, value }[]`.
    #[wasm_bindgen(js_name = exportStorageState)]
    pub fn export_storage_state(&self, list: Array) -> JsResult<JsValue> {
        let exported = self.0.export_storage_state(records(&list)?);
        let exported = exported.map_err(thrown)?;
        to_js(&views::<_, RecordView<'_>>(&exported))
    }

    /// Takes in records of a backup; returns `{ added, untouched }`, lists of group ids.
    #[wasm_bindgen(js_name = importStorageState)]
    pub fn import_storage_state(&mut self, list: Array) -> JsResult<JsValue> {
        let imported = self.0.import_storage_state(records(&list)?);
        to_js(&ImportedView::from(&imported.map_err(thrown)?))
    }

    /// From now on nothing changes any more.
    #[wasm_bindgen(js_name = beginMove)]
    pub fn begin_move(&mut self, token: u32) -> JsResult<()> {
        self.0.begin_move(token).map_err(thrown)
    }

    /// The client goes on, unless it was moved before.
    #[wasm_bindgen(js_name = cancelMove)]
    pub fn cancel_move(&mut self, token: u32) -> JsResult<()> {
        self.0.cancel_move(token).map_err(thrown)
    }

    /// This database is moved for good.
    #[wasm_bindgen(js_name = completeMove)]
    pub fn complete_move(&mut self, token: u32) -> JsResult<()> {
        self.0.complete_move(token).map_err(thrown)
    }
}
