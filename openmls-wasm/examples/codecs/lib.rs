//! The table of codecs (`bench/codecs`) in wasm, for Node: `tests/bench/codecs-in-wasm.mjs` runs it.
#![cfg(target_arch = "wasm32")]

#[path = "../bench/clock.rs"]
mod clock;
#[path = "../bench/codecs.rs"]
mod codecs;
#[allow(dead_code)]
#[path = "../bench/file.rs"]
mod file;
#[allow(dead_code)]
#[path = "../bench/observed.rs"]
mod observed;
#[allow(dead_code)]
#[path = "../bench/world.rs"]
mod world;

use wasm_bindgen::prelude::wasm_bindgen;

/// The table of the group in a file of the fixture, as JSON.
#[wasm_bindgen(js_name = codecTable)]
pub fn codec_table(file: &[u8]) -> String {
    codecs::table(file).to_string()
}
