//! The JavaScript that the tests call: the npm package, and the engine that its loop drives.

use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use openmls_wasm::bindings::JsMlsClient;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(raw_module = "/generated/dist/index.js")]
extern "C" {
    /// The client of the npm package. Byte arrays passed in are JavaScript's own: a view of this
    /// wasm's memory would go stale as soon as the engine, which lives in it too, grows it.
    #[derive(Clone)]
    pub type CoreCryptoClient;

    #[wasm_bindgen(static_method_of = CoreCryptoClient, catch)]
    pub async fn open(options: &Object) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method)]
    pub async fn close(this: &CoreCryptoClient);
    #[wasm_bindgen(method, catch, js_name = createIdentity)]
    pub async fn create_identity(
        this: &CoreCryptoClient,
        identity: Uint8Array,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = generateKeyPackages)]
    pub async fn generate_key_packages(
        this: &CoreCryptoClient,
        count: u32,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = generateLastResortKeyPackage)]
    pub async fn generate_last_resort_key_package(
        this: &CoreCryptoClient,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = createGroup)]
    pub async fn create_group(this: &CoreCryptoClient) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = deleteGroup)]
    pub async fn delete_group(
        this: &CoreCryptoClient,
        group: &Uint8Array,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = addMembers)]
    pub async fn add_members(
        this: &CoreCryptoClient,
        group: &Uint8Array,
        key_packages: Array,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = removeMembers)]
    pub async fn remove_members(
        this: &CoreCryptoClient,
        group: &Uint8Array,
        leaf_indexes: Array,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = selfUpdate)]
    pub async fn self_update(
        this: &CoreCryptoClient,
        group: &Uint8Array,
    ) -> Result<JsValue, JsValue>;
    /// Not `async`: the test decides what happens before its promise settles.
    #[wasm_bindgen(method, js_name = sendMessage)]
    pub fn send_message(
        this: &CoreCryptoClient,
        group: &Uint8Array,
        plaintext: Uint8Array,
    ) -> Promise;
    #[wasm_bindgen(method, catch, js_name = receiveMessage)]
    pub async fn receive_message(
        this: &CoreCryptoClient,
        message: Object,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = receiveWelcome)]
    pub async fn receive_welcome(
        this: &CoreCryptoClient,
        welcome: Object,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub async fn inbox(this: &CoreCryptoClient) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub async fn outbox(this: &CoreCryptoClient) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = keyPackages)]
    pub async fn key_packages(this: &CoreCryptoClient) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = groupSummaries)]
    pub async fn group_summaries(this: &CoreCryptoClient) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = groupInfo)]
    pub async fn group_info(
        this: &CoreCryptoClient,
        group: &Uint8Array,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = acknowledgeInbox)]
    pub async fn acknowledge_inbox(this: &CoreCryptoClient, ids: Array)
        -> Result<JsValue, JsValue>;
}

#[wasm_bindgen]
extern "C" {
    /// The bindings' `MlsClient`, seen from JavaScript: what the loop holds.
    #[derive(Clone)]
    pub type Engine;

    #[wasm_bindgen(method, catch)]
    pub fn records(this: &Engine) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub fn hydrate(this: &Engine, records: &Array) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = isDirty)]
    pub fn is_dirty(this: &Engine) -> Result<bool, JsValue>;
    #[wasm_bindgen(method, catch, js_name = hasUnconfirmed)]
    pub fn has_unconfirmed(this: &Engine) -> Result<bool, JsValue>;
    #[wasm_bindgen(method, catch, js_name = groupInfo)]
    pub fn group_info(this: &Engine, group: &Uint8Array) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = keyPackages)]
    pub fn key_packages(this: &Engine) -> Result<JsValue, JsValue>;
}

#[wasm_bindgen(module = "/src/aborting.js")]
extern "C" {
    /// Has every write transaction aborted until [`stop_aborting`].
    #[wasm_bindgen(js_name = startAborting)]
    pub fn start_aborting();
    /// Ends it; returns how many were aborted.
    #[wasm_bindgen(js_name = stopAborting)]
    pub fn stop_aborting() -> u32;
}

/// A new, empty client of the bindings, as JavaScript sees it.
pub fn new_engine() -> Engine {
    JsValue::from(JsMlsClient::new()).unchecked_into()
}

/// The engine host of a `CoreCryptoClient` that runs over `engine`.
pub fn host_of(engine: &Engine) -> Result<Object, JsValue> {
    let description = object(&[
        ("client", engine.into()),
        ("categories", JsMlsClient::categories()?),
        ("formatVersion", JsMlsClient::format_version().into()),
        // The memory of a test's engine is that of the test.
        ("discard", Function::default().into()),
    ])?;
    let description = JsValue::from(description);
    let start = Closure::<dyn Fn() -> Promise>::new(move || Promise::resolve(&description));
    object(&[("start", start.into_js_value())])
}

/// A plain object.
pub fn object(properties: &[(&str, JsValue)]) -> Result<Object, JsValue> {
    let object = Object::new();
    for (name, value) in properties {
        Reflect::set(&object, &JsValue::from(*name), value)?;
    }
    Ok(object)
}

/// A property that must be there.
pub fn property(object: &JsValue, name: &str) -> Result<JsValue, JsValue> {
    let value = Reflect::get(object, &JsValue::from(name))?;
    if value.is_undefined() {
        return Err(crate::failure(format!("there is no property {name}")));
    }
    Ok(value)
}

/// A property that must be a `Uint8Array`.
pub fn bytes(object: &JsValue, name: &str) -> Result<Uint8Array, JsValue> {
    property(object, name)?
        .dyn_into()
        .map_err(|_| crate::failure(format!("{name} is not a Uint8Array")))
}

/// A property that must be a string.
pub fn text(object: &JsValue, name: &str) -> Result<String, JsValue> {
    property(object, name)?
        .as_string()
        .ok_or_else(|| crate::failure(format!("{name} is not a string")))
}
