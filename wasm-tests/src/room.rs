//! A group of people, and the ordered log that a delivery service keeps for them.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use crate::{
    failure,
    package::{bytes, object, property, text},
    person::Person,
    TestResult,
};

/// Two people in one group.
pub struct Room {
    pub alice: Person,
    pub bob: Person,
    pub group: Uint8Array,
    position: u32,
    welcomes: u32,
}

impl Room {
    /// Alice creates a group and adds Bob, who joins by Welcome.
    pub async fn of_two() -> TestResult<Self> {
        let alice = Person::new("alice").await?;
        let bob = Person::new("bob").await?;
        let key_packages: Array = bob.core.generate_key_packages(1).await?.unchecked_into();
        let group: Uint8Array = alice.core.create_group().await?.unchecked_into();
        let commit = alice.core.add_members(&group, key_packages).await?;
        let mut room = Self {
            alice,
            bob,
            group,
            position: 0,
            welcomes: 0,
        };
        room.invite(&commit).await?;
        Ok(room)
    }

    /// The delivery service orders a commit that adds Bob, and hands him the Welcome.
    pub async fn invite(&mut self, commit: &JsValue) -> TestResult {
        let position = self.next();
        let message = delivered(commit, "bytes", position)?;
        self.alice.core.receive_message(message).await?;
        self.welcomes += 1;
        let welcome = delivered(commit, "welcome", self.welcomes)?;
        js_sys::Reflect::set(&welcome, &"groupPosition".into(), &position.into())?;
        let item = self.bob.core.receive_welcome(welcome).await?;
        expect_kind(&item, "joined")
    }

    /// The delivery service orders an outbox entry and hands it to both; returns Bob's item if
    /// Alice sent it, and the other way round.
    pub async fn deliver(&mut self, from_alice: bool, entry: &JsValue) -> TestResult<JsValue> {
        let position = self.next();
        let (sender, receiver) = match from_alice {
            true => (&self.alice, &self.bob),
            false => (&self.bob, &self.alice),
        };
        let echo = delivered(entry, "bytes", position)?;
        sender.core.receive_message(echo).await?;
        let message = delivered(entry, "bytes", position)?;
        receiver.core.receive_message(message).await
    }

    /// Sends, delivers, and checks that it arrived.
    pub async fn say(&mut self, from_alice: bool, words: &str) -> TestResult {
        let sender = if from_alice { &self.alice } else { &self.bob };
        let entry = sender.send(&self.group, words).await?;
        let item = self.deliver(from_alice, &entry).await?;
        expect_kind(&item, "message")?;
        let plaintext = bytes(&item, "plaintext")?.to_vec();
        assert_eq!(plaintext, words.as_bytes());
        Ok(())
    }

    /// Both databases agree with both memories, and the two members with each other.
    pub async fn agrees(&self, step: &str) -> TestResult {
        self.alice.agrees(&format!("{step}, Alice")).await?;
        self.bob.agrees(&format!("{step}, Bob")).await?;
        assert_eq!(
            self.alice.epoch_authenticator(&self.group)?,
            self.bob.epoch_authenticator(&self.group)?,
            "after {step}: the members do not agree",
        );
        Ok(())
    }

    /// Closes both clients and opens them again.
    pub async fn reopen(self) -> TestResult<Self> {
        Ok(Self {
            alice: self.alice.reopen().await?,
            bob: self.bob.reopen().await?,
            ..self
        })
    }

    /// Ends both clients.
    pub async fn close(self) {
        self.alice.core.close().await;
        self.bob.core.close().await;
    }

    fn next(&mut self) -> u32 {
        self.position += 1;
        self.position
    }
}

fn delivered(entry: &JsValue, what: &str, position: u32) -> TestResult<js_sys::Object> {
    object(&[
        ("bytes", bytes(entry, what)?.into()),
        ("id", text(entry, "id")?.into()),
        ("position", position.into()),
    ])
}

/// The kind of an inbox item.
pub fn expect_kind(item: &JsValue, kind: &str) -> TestResult {
    let found = property(item, "kind")?;
    if found == kind {
        return Ok(());
    }
    Err(failure(format!("an item of kind {found:?}, not {kind}")))
}
