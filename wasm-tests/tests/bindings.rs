//! The bindings' conversions, called as JavaScript calls them.

#![cfg(target_arch = "wasm32")]

use js_sys::{Array, BigInt, Reflect, Uint8Array};
use openmls_wasm::{bindings::JsMlsClient, storage::Category};
use wasm_bindgen::{prelude::*, JsCast, JsValue};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use wasm_tests::{
    failure,
    package::{bytes, new_engine, object, property, text, Engine},
    TestResult,
};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen]
extern "C" {
    /// More of the bindings' `MlsClient` than the tests of the stores need.
    type Client;

    #[wasm_bindgen(method, catch, js_name = createIdentity)]
    fn create_identity(this: &Client, identity: &Uint8Array) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = createGroup)]
    fn create_group(this: &Client) -> Result<Uint8Array, JsValue>;
    #[wasm_bindgen(method, catch, js_name = deleteGroup)]
    fn delete_group(this: &Client, group: &Uint8Array) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = encryptMessage)]
    fn encrypt_message(
        this: &Client,
        group: &Uint8Array,
        text: &Uint8Array,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = addMembers)]
    fn add_members(this: &Client, group: &Uint8Array, list: &Array) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = drainStorageEvents)]
    fn drain(this: &Client) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = confirmBatch)]
    fn confirm(this: &Client, sequence: JsValue) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = deliveryCursor)]
    fn delivery_cursor(this: &Client, group: &Uint8Array) -> Result<JsValue, JsValue>;
}

fn client() -> TestResult<(Client, Engine)> {
    let engine = new_engine();
    let client: Client = JsValue::from(&engine).unchecked_into();
    client.create_identity(&utf8("alice"))?;
    Ok((client, engine))
}

fn utf8(text: &str) -> Uint8Array {
    Uint8Array::from(text.as_bytes())
}

/// An `MlsError` with that code: a JavaScript error, by which a refusal is told from a panic.
fn refused_with<T>(result: Result<T, JsValue>, code: &str) -> TestResult {
    let error = result
        .err()
        .ok_or_else(|| failure(format!("no {code} was thrown")))?;
    assert!(error.is_instance_of::<js_sys::Error>());
    assert_eq!(text(&error, "name")?, "MlsError");
    assert_eq!(text(&error, "code")?, code);
    assert!(!text(&error, "message")?.is_empty());
    Ok(())
}

#[wasm_bindgen_test]
fn a_refusal_is_an_error_with_a_stable_code() -> TestResult {
    let (client, engine) = client()?;
    refused_with(client.create_identity(&utf8("again")), "identity-exists")?;
    let nobody = utf8("no such group");
    refused_with(
        client.encrypt_message(&nobody, &utf8("x")),
        "group-not-found",
    )?;
    refused_with(engine.group_info(&nobody), "group-not-found")?;
    refused_with(client.confirm(99.into()), "unknown-batch")?;
    client.drain()?;
    client.create_group()?;
    refused_with(client.drain(), "batch-unconfirmed")
}

#[wasm_bindgen_test]
fn an_argument_of_the_wrong_type_is_refused_and_is_no_panic() -> TestResult {
    let (client, engine) = client()?;
    let group = client.create_group()?;
    for wrong in [JsValue::NULL, "text".into(), Array::of1(&1.into()).into()] {
        let list = Array::of1(&wrong);
        refused_with(client.add_members(&group, &list), "invalid-argument")?;
    }
    for wrong in [-1.0, 0.5, f64::NAN, f64::INFINITY] {
        refused_with(client.confirm(wrong.into()), "invalid-argument")?;
    }
    assert!(engine.is_dirty()?, "the client still works");
    Ok(())
}

#[wasm_bindgen_test]
fn epochs_are_bigints_and_bytes_are_arrays_of_their_own() -> TestResult {
    let (client, engine) = client()?;
    let group = client.create_group()?;
    let info = engine.group_info(&group)?;
    let epoch: BigInt = property(&info, "epoch")?
        .dyn_into()
        .map_err(|_| failure("an epoch is no bigint"))?;
    assert_eq!(epoch, BigInt::from(0));
    assert_eq!(bytes(&info, "groupId")?.to_vec(), group.to_vec());
    assert_eq!(property(&info, "ownLeafIndex")?, 0);
    assert_eq!(property(&info, "isActive")?, JsValue::TRUE);
    let members: Array = property(&info, "members")?.unchecked_into();
    assert_eq!(bytes(&members.get(0), "identity")?.to_vec(), b"alice");

    let message: Uint8Array = client
        .encrypt_message(&group, &utf8("hello"))?
        .dyn_into()
        .map_err(|_| failure("a message is no Uint8Array"))?;
    // A view of the whole wasm memory would be copied whole into IndexedDB, or go stale.
    assert_eq!(message.buffer().byte_length(), message.byte_length());
    assert_eq!(client.delivery_cursor(&group)?, 0);
    assert!(client
        .delivery_cursor(&utf8("no such group"))?
        .is_undefined());
    Ok(())
}

#[wasm_bindgen_test]
fn a_batch_has_bytes_for_a_put_and_null_for_a_delete() -> TestResult {
    let (client, _) = client()?;
    let group = client.create_group()?;
    let batch = client.drain()?;
    client.confirm(property(&batch, "sequence")?)?;
    for event in Array::from(&property(&batch, "events")?).iter() {
        let value = bytes(&event, "value")?;
        assert!(value.byte_length() > 0);
        assert_eq!(value.buffer().byte_length(), value.byte_length());
        let category = text(&event, "category")?;
        assert!(Category::from_name(&category).is_some(), "{category}");
    }
    client.delete_group(&group)?;
    let events = Array::from(&property(&client.drain()?, "events")?);
    assert!(events.length() > 0);
    for event in events.iter() {
        // All but the number of the group's last epoch, which keeps old Welcomes out, and its digest.
        if !["former_group", "digest_root"].contains(&text(&event, "category")?.as_str()) {
            assert_eq!(Reflect::get(&event, &"value".into())?, JsValue::NULL);
        }
    }
    Ok(())
}

#[wasm_bindgen_test]
fn records_go_out_and_come_in_unchanged_and_nothing_becomes_dirty() -> TestResult {
    let (client, engine) = client()?;
    let group = client.create_group()?;
    let records = engine.records()?;
    let again = new_engine();
    again.hydrate(records.unchecked_ref())?;
    assert!(!again.is_dirty()?);
    let authenticator = |engine: &Engine| -> TestResult<Vec<u8>> {
        Ok(bytes(&engine.group_info(&group)?, "epochAuthenticator")?.to_vec())
    };
    assert_eq!(authenticator(&again)?, authenticator(&engine)?);
    Ok(())
}

#[wasm_bindgen_test]
fn a_record_that_cannot_be_read_is_refused_whole() -> TestResult {
    let (_, source) = client()?;
    let good = Array::from(&source.records()?);
    let record = |category: &str, key: &str, value: JsValue| {
        object(&[
            ("category", category.into()),
            ("key", key.into()),
            ("value", value),
        ])
    };
    let damaged = [
        (
            record("no_such_store", "00", utf8("x").into())?,
            "unknown-category",
        ),
        (
            record("tree", "not hex!", utf8("x").into())?,
            "malformed-key",
        ),
        (record("tree", "00", "text".into())?, "damaged-record"),
    ];
    for (record, code) in damaged {
        let target = new_engine();
        let records = good.concat(&Array::of1(&record));
        refused_with(target.hydrate(&records), code)?;
        assert_eq!(Array::from(&target.records()?).length(), 0, "{code}");
    }
    Ok(())
}

#[wasm_bindgen_test]
fn every_category_is_told_with_its_scope() -> TestResult {
    let categories = Array::from(&JsMlsClient::categories()?);
    assert_eq!(categories.length() as usize, Category::ALL.len());
    for category in categories.iter() {
        assert!(["client", "on-demand", "single", "group"]
            .contains(&text(&category, "scope")?.as_str()));
    }
    Ok(())
}
