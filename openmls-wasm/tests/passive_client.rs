//! The MLS working group's passive-client vectors: a client joins by a Welcome that someone else's
//! implementation made, and follows commits of that implementation, with a rehydration from drained
//! events between every two epochs.
//!
//! The vectors lie beside this repository (`../shared/test-vectors`), not in it; without them the
//! tests say so and pass. Set `MLS_TEST_VECTORS` to a folder that has them.

mod common;
#[path = "passive_client/driver.rs"]
mod driver;

use std::path::PathBuf;

fn run_all(file: &str, expected: usize) {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/test-vectors");
    let folder = std::env::var_os("MLS_TEST_VECTORS").map_or(PathBuf::from(beside), PathBuf::from);
    let Ok(text) = std::fs::read_to_string(folder.join(file)) else {
        println!("skipped: no {file} in {}", folder.display());
        return;
    };
    let cases = driver::supported(&text);
    cases.iter().for_each(driver::run);
    println!("{file}: {} cases", cases.len());
    assert_eq!(cases.len(), expected);
}

#[test]
fn joins_by_every_welcome() {
    run_all("passive-client-welcome.json", 24);
}

#[test]
fn follows_every_commit() {
    run_all("passive-client-handling-commit.json", 39);
}
