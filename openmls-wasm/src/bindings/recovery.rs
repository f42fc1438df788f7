//! After a fork: adding the others again, or going on in a new group.

use js_sys::Array;
use wasm_bindgen::prelude::*;

use super::{
    client::{entry, JsMlsClient},
    convert::{
        epoch, list_of_bytes, optional_bytes, optional_list_of_bytes, optional_u16, thrown,
        JsResult,
    },
    requests::{extension, list},
};
use crate::client::Reboot;

/// Reads `{ groupId?, keyPackages?, extensions?, ciphersuite?, externalPsks? }`.
fn reboot(options: &JsValue) -> JsResult<Reboot> {
    Ok(Reboot {
        group_id: optional_bytes(options, "groupId")?,
        key_packages: optional_list_of_bytes(options, "keyPackages")?.unwrap_or_default(),
        extensions: list(options, "extensions", extension)?,
        ciphersuite: optional_u16(options, "ciphersuite")?,
        external_psks: optional_list_of_bytes(options, "externalPsks")?.unwrap_or_default(),
    })
}

/// Recovery from a fork.
#[wasm_bindgen(js_class = MlsClient)]
impl JsMlsClient {
    /// Commits the removal of all members but those at `own_partition`, and adds the owners of key
    /// packages.
    #[wasm_bindgen(js_name = recoverForkByReadding)]
    pub fn recover_fork_by_readding(
        &mut self,
        group_id: &[u8],
        own_partition: Vec<u32>,
        key_packages: Array,
        id: Option<String>,
    ) -> JsResult<JsValue> {
        let key_packages = list_of_bytes(&key_packages)?;
        self.0
            .recover_fork_by_readding(group_id, &own_partition, &key_packages, id.as_deref())
            .map_err(thrown)
            .and_then(entry)
    }

    /// Deletes a group whose fork is not the one that goes on.
    #[wasm_bindgen(js_name = abandonFork)]
    pub fn abandon_fork(&mut self, group_id: &[u8], last_common_epoch: JsValue) -> JsResult<()> {
        self.0
            .abandon_fork(group_id, epoch(last_common_epoch)?)
            .map_err(thrown)
    }

    /// Creates a new group in the place of an old one, and adds its members.
    #[wasm_bindgen(js_name = rebootGroup)]
    pub fn reboot_group(
        &mut self,
        group_id: &[u8],
        options: JsValue,
        id: Option<String>,
    ) -> JsResult<JsValue> {
        self.0
            .reboot_group(group_id, &reboot(&options)?, id.as_deref())
            .map_err(thrown)
            .and_then(entry)
    }
}
