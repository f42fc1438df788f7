//! Milliseconds, natively and in wasm, where `Instant` panics.

#[cfg(not(target_arch = "wasm32"))]
pub fn now() -> f64 {
    use std::{sync::OnceLock, time::Instant};
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64() * 1e3
}

#[cfg(target_arch = "wasm32")]
pub use wasm::now;

#[cfg(target_arch = "wasm32")]
mod wasm {
    use wasm_bindgen::prelude::wasm_bindgen;

    #[wasm_bindgen]
    extern "C" {
        #[wasm_bindgen(js_namespace = performance)]
        pub fn now() -> f64;
    }
}

/// The median of what `work` says it took, `rounds` times.
pub fn median(rounds: usize, mut work: impl FnMut() -> f64) -> f64 {
    let mut samples: Vec<f64> = (0..rounds).map(|_| work()).collect();
    samples.sort_by(f64::total_cmp);
    let (low, high) = (samples[(rounds - 1) / 2], samples[rounds / 2]);
    (low + high) / 2.0
}

/// What `work` returns, and how long it took.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = now();
    let value = work();
    (value, now() - start)
}
