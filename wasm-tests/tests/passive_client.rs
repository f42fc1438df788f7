//! The MLS working group's passive-client vectors in a browser, with the driver of the native test.
//!
//! The build script compiles the vectors in from beside the repository (`../shared/test-vectors`),
//! or from the folder that `MLS_TEST_VECTORS` names. Where there are none, the tests are ignored.

#![cfg(target_arch = "wasm32")]

#[path = "../../openmls-wasm/tests/common/database.rs"]
#[allow(dead_code)] // the driver uses a part of it
mod common;
#[path = "../../openmls-wasm/tests/passive_client/driver.rs"]
mod driver;

use wasm_bindgen_test::{console_log, wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

include!(concat!(env!("OUT_DIR"), "/vectors.rs"));

async fn run_all(file: &str, vectors: &str, expected: usize) {
    let cases = driver::supported(vectors);
    for case in &cases {
        driver::run(case);
        pause().await;
    }
    console_log!("{file}: {} cases", cases.len());
    assert_eq!(cases.len(), expected);
}

/// Lets the page answer the test runner, which asks it how far the tests are.
async fn pause() {
    let next_task = js_sys::Promise::new(&mut |resolve, _| {
        let set_timeout: js_sys::Function =
            js_sys::Reflect::get(&js_sys::global(), &"setTimeout".into())
                .unwrap()
                .into();
        set_timeout.call1(&js_sys::global(), &resolve).unwrap();
    });
    wasm_bindgen_futures::JsFuture::from(next_task)
        .await
        .unwrap();
}

#[wasm_bindgen_test]
#[cfg_attr(
    no_test_vectors,
    ignore = "no vectors in ../shared/test-vectors or MLS_TEST_VECTORS"
)]
async fn joins_by_every_welcome() {
    run_all("passive-client-welcome.json", WELCOMES, 24).await;
}

#[wasm_bindgen_test]
#[cfg_attr(
    no_test_vectors,
    ignore = "no vectors in ../shared/test-vectors or MLS_TEST_VECTORS"
)]
async fn follows_every_commit() {
    run_all("passive-client-handling-commit.json", COMMITS, 39).await;
}
