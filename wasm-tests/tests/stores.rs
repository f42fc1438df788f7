//! After every step, the object stores hold what the Rust state holds: record by record.

#![cfg(target_arch = "wasm32")]

use js_sys::{Array, Promise};
use openmls_wasm::{storage::key, MlsClient};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use wasm_tests::{
    package::{property, start_aborting, stop_aborting, text},
    person::{utf8, Person},
    room::{expect_kind, Room},
    stores, TestResult,
};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen_test]
async fn identity_and_key_packages() -> TestResult {
    let alice = Person::new("alice").await?;
    let records = alice.agrees("createIdentity").await?;
    assert!(records
        .keys()
        .any(|(category, _)| category == "signature_key_pair"));

    alice.core.generate_key_packages(3).await?;
    alice.core.generate_last_resort_key_package().await?;
    let records = alice.agrees("generateKeyPackages").await?;
    let stored: Vec<&str> = keys_of(&records, "key_package").collect();
    let mut expected = reference_keys(&alice)?;
    expected.sort();
    assert_eq!(stored, expected);

    let alice = alice.reopen().await?;
    alice.agrees("opening again").await?;
    alice.core.close().await;
    Ok(())
}

#[wasm_bindgen_test]
async fn a_consumed_key_package_is_gone_from_its_store() -> TestResult {
    let mut room = Room::of_two().await?;
    room.agrees("joining").await?;
    let stored = stores::read(&room.bob.database).await?;
    assert_eq!(keys_of(&stored, "key_package").count(), 0);

    // Once more, with others beside it that must stay, a last-resort one among them.
    let commit = room.alice.core.remove_members(&room.group, leaf(1)).await?;
    expect_kind(&room.deliver(true, &commit).await?, "commit")?;
    room.bob.core.delete_group(&room.group).await?;
    let offered: Array = room
        .bob
        .core
        .generate_key_packages(3)
        .await?
        .unchecked_into();
    room.bob.core.generate_last_resort_key_package().await?;
    let before = reference_keys(&room.bob)?;
    assert_eq!(before.len(), 4);
    let one = Array::of1(&offered.get(1));
    let commit = room.alice.core.add_members(&room.group, one).await?;
    room.invite(&commit).await?;
    room.agrees("joining again").await?;
    let stored = stores::read(&room.bob.database).await?;
    let gone: Vec<&String> = before
        .iter()
        .filter(|key| !keys_of(&stored, "key_package").any(|stored| stored == key.as_str()))
        .collect();
    assert_eq!(gone.len(), 1, "one key package was consumed");
    assert_eq!(reference_keys(&room.bob)?.len(), 3);
    room.close().await;
    Ok(())
}

#[wasm_bindgen_test]
async fn every_step_of_two_people_in_a_group() -> TestResult {
    let mut room = Room::of_two().await?;
    room.agrees("adding and joining").await?;
    room.say(true, "hello").await?;
    room.agrees("a message of Alice").await?;
    room.say(false, "hello yourself").await?;
    room.agrees("a message of Bob").await?;

    let commit = room.alice.core.self_update(&room.group).await?;
    room.alice.agrees("a commit that is pending").await?;
    expect_kind(&room.deliver(true, &commit).await?, "commit")?;
    room.agrees("a self-update of Alice").await?;
    let commit = room.bob.core.self_update(&room.group).await?;
    expect_kind(&room.deliver(false, &commit).await?, "commit")?;
    room.agrees("a self-update of Bob").await?;
    room.say(true, "in the new epoch").await?;
    room.say(false, "in the new epoch too").await?;
    room.agrees("messages in a new epoch").await?;

    acknowledge_all(&room.bob).await?;
    let records = room.bob.agrees("acknowledging the inbox").await?;
    assert_eq!(keys_of(&records, "inbox").count(), 0);
    assert_eq!(keys_of(&records, "outbox").count(), 0);

    let commit = room.alice.core.remove_members(&room.group, leaf(1)).await?;
    let removal = room.deliver(true, &commit).await?;
    expect_kind(&removal, "commit")?;
    assert_eq!(property(&removal, "selfRemoved")?, JsValue::TRUE);
    room.alice.agrees("removing Bob").await?;
    room.bob.agrees("being removed").await?;
    room.close().await;
    Ok(())
}

#[wasm_bindgen_test]
async fn a_deleted_group_leaves_only_its_last_epoch_and_the_digest_of_that() -> TestResult {
    let mut room = Room::of_two().await?;
    room.say(true, "soon gone").await?;
    room.bob.core.delete_group(&room.group).await?;
    acknowledge_all(&room.bob).await?;
    let records = room.bob.agrees("deleteGroup").await?;
    let group = key::bytes_key(&room.group.to_vec());
    let left: Vec<&str> = records
        .keys()
        .filter(|(_, key)| key.split('/').any(|part| part == group))
        .map(|(category, _)| category.as_str())
        .collect();
    assert_eq!(left, ["former_group"]);
    room.close().await;
    Ok(())
}

#[wasm_bindgen_test]
async fn a_hundred_calls_at_once_share_transactions_and_lose_nothing() -> TestResult {
    let mut room = Room::of_two().await?;
    let sent: Array = (0..100)
        .map(|n| {
            room.alice
                .core
                .send_message(&room.group, utf8(&n.to_string()))
        })
        .collect();
    let entries: Array = JsFuture::from(Promise::all(&sent)).await?.unchecked_into();
    let records = room.alice.agrees("a hundred messages").await?;
    assert_eq!(keys_of(&records, "outbox").count(), 100);
    for entry in entries.iter() {
        expect_kind(&room.deliver(true, &entry).await?, "message")?;
    }
    room.agrees("delivering a hundred messages").await?;
    room.close().await;
    Ok(())
}

#[wasm_bindgen_test]
async fn a_roll_back_leaves_stores_and_memory_as_they_were() -> TestResult {
    let mut room = Room::of_two().await?;
    let before = room.alice.agrees("joining").await?;
    start_aborting();
    let refused = room.alice.send(&room.group, "never sent").await;
    let aborted = stop_aborting();
    let error = refused
        .err()
        .ok_or("the call settled although nothing was written")?;
    assert_eq!(text(&error, "code")?, "storage-failed");
    assert_eq!(aborted, 2, "the write is tried again once");
    let after = room.alice.agrees("a roll-back").await?;
    stores::same("a roll-back", &after, &before)?;
    room.agrees("a roll-back").await?;
    room.say(true, "sent after all").await?;
    room.agrees("the next message").await?;
    room.close().await;
    Ok(())
}

#[wasm_bindgen_test]
async fn what_idb_reads_makes_the_same_client_again() -> TestResult {
    let mut room = Room::of_two().await?;
    room.say(true, "one").await?;
    room.say(false, "two").await?;
    let stored = stores::read(&room.alice.database).await?;

    // In Rust, with no JavaScript in between.
    let mut again = MlsClient::new();
    again.hydrate(stores::to_rust(&stored)?).map_err(said)?;
    let records = again
        .storage()
        .records()
        .map_err(|error| said(error.into()))?;
    stores::same("hydrating", &stored, &stores::from_rust(records))?;
    assert_eq!(again.storage().is_dirty(), Ok(false));
    let group = room.group.to_vec();
    let info = again.group_info(&group).map_err(said)?;
    assert_eq!(info.epoch, room.bob.epoch(&room.group)?);
    assert_eq!(
        info.epoch_authenticator,
        room.bob.epoch_authenticator(&room.group)?,
    );

    // And by the package itself: both go on where they were.
    let authenticator = room.alice.epoch_authenticator(&room.group)?;
    let mut room = room.reopen().await?;
    assert_eq!(room.alice.epoch_authenticator(&room.group)?, authenticator);
    room.agrees("opening again").await?;
    room.say(true, "three").await?;
    room.say(false, "four").await?;
    room.agrees("going on").await?;
    room.close().await;
    Ok(())
}

fn leaf(index: u32) -> Array {
    Array::of1(&index.into())
}

fn keys_of<'a>(records: &'a stores::Records, category: &'a str) -> impl Iterator<Item = &'a str> {
    records
        .keys()
        .filter(move |(found, _)| found == category)
        .map(|(_, key)| key.as_str())
}

/// The keys under which a person's key packages must be stored.
fn reference_keys(person: &Person) -> TestResult<Vec<String>> {
    let references = person.key_package_references()?;
    Ok(references
        .iter()
        .map(|bytes| key::bytes_key(bytes))
        .collect())
}

async fn acknowledge_all(person: &Person) -> TestResult {
    let items: Array = person.core.inbox().await?.unchecked_into();
    let ids: TestResult<Array> = items.iter().map(|item| property(&item, "id")).collect();
    person.core.acknowledge_inbox(ids?).await?;
    Ok(())
}

fn said(error: openmls_wasm::ClientError) -> JsValue {
    wasm_tests::failure(error.to_string())
}
