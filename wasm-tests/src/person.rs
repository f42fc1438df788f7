//! One client in a test: the package's `CoreCryptoClient`, its engine, and the name of its database.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::{
    package::{host_of, new_engine, object, property, CoreCryptoClient, Engine},
    stores::{self, Records},
    TestResult,
};

/// See the module's documentation.
pub struct Person {
    pub database: String,
    pub core: CoreCryptoClient,
    /// The Rust state, while the client is open.
    pub engine: Engine,
}

impl Person {
    /// Opens a client over `database`, which need not exist yet.
    pub async fn open(database: &str) -> TestResult<Self> {
        let engine = new_engine();
        // One retry, at once: a test that has transactions aborted should not wait for back-off.
        let retry = object(&[("attempts", 2.into()), ("firstDelayMs", 0.into())])?;
        let options = object(&[
            ("name", database.into()),
            ("engine", host_of(&engine)?.into()),
            ("retry", retry.into()),
        ])?;
        let core = CoreCryptoClient::open(&options).await?.unchecked_into();
        Ok(Self {
            database: database.to_owned(),
            core,
            engine,
        })
    }

    /// A client with an identity, over a database that no other test has.
    pub async fn new(name: &str) -> TestResult<Self> {
        let random = (js_sys::Math::random() * 1e15) as u64;
        let person = Self::open(&format!("{name}-{random:x}")).await?;
        person.core.create_identity(utf8(name)).await?;
        Ok(person)
    }

    /// Closes the client and opens another over its database, which loads all that it left for
    /// when it is asked for: the stores can only be compared with what is in memory.
    pub async fn reopen(self) -> TestResult<Self> {
        self.core.close().await;
        let person = Self::open(&self.database).await?;
        person.core.key_packages().await?;
        let page = person.core.group_summaries().await?;
        let summaries: Array = property(&page, "groups")?.unchecked_into();
        for summary in summaries.iter() {
            let group = crate::package::bytes(&summary, "groupId")?;
            person.core.group_info(&group).await?;
        }
        Ok(person)
    }

    /// Compares the object stores with the Rust state, record by record; returns the records.
    pub async fn agrees(&self, step: &str) -> TestResult<Records> {
        let stored = stores::read(&self.database).await?;
        stores::same(step, &stored, &stores::in_memory(&self.engine)?)?;
        assert!(!stored.is_empty(), "after {step}: the stores are empty");
        assert!(!self.engine.has_unconfirmed()?, "after {step}: unconfirmed");
        Ok(stored)
    }

    /// Sends, and waits until that is durable; returns the outbox entry.
    pub async fn send(&self, group: &Uint8Array, text: &str) -> TestResult<JsValue> {
        JsFuture::from(self.core.send_message(group, utf8(text))).await
    }

    /// RFC 9420 §8.7: equal in two members if they agree on everything.
    pub fn epoch_authenticator(&self, group: &Uint8Array) -> TestResult<Vec<u8>> {
        let info = self.engine.group_info(group)?;
        Ok(crate::package::bytes(&info, "epochAuthenticator")?.to_vec())
    }

    /// The epoch as JavaScript has it.
    pub fn epoch(&self, group: &Uint8Array) -> TestResult<u64> {
        let epoch = property(&self.engine.group_info(group)?, "epoch")?;
        u64::try_from(epoch).map_err(|_| crate::failure("an epoch is no bigint"))
    }

    /// The references of the key packages whose private keys are still here.
    pub fn key_package_references(&self) -> TestResult<Vec<Vec<u8>>> {
        let list: Array = self.engine.key_packages()?.unchecked_into();
        let mut references = Vec::new();
        for info in list.iter() {
            if crate::package::property(&info, "hasPrivateKeys")? == JsValue::TRUE {
                references.push(crate::package::bytes(&info, "reference")?.to_vec());
            }
        }
        Ok(references)
    }
}

/// Text as bytes of JavaScript's own.
pub fn utf8(text: &str) -> Uint8Array {
    Uint8Array::from(text.as_bytes())
}
