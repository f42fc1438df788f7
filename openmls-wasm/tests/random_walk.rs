//! Random walks: some clients, a delivery service, 2,000 random operations, invariants after each.
//!
//! `WALK_SEEDS=200 cargo test --test random_walk -- --nocapture` runs so many seeds,
//! `WALK_SEED=7 cargo test --test random_walk -- --nocapture` one of them again.

mod common;
#[path = "random_walk/mod.rs"]
mod walk;

use std::{
    collections::BTreeMap,
    panic::catch_unwind,
    sync::{
        atomic::{AtomicU64, Ordering},
        Mutex,
    },
    thread,
    time::{Duration, Instant},
};

use walk::{operations::OPERATIONS, world::World};

const STEPS: usize = 2_000;
const SEEDS: u64 = 20;
/// Seeds beyond the first are begun only this long after the start.
const BUDGET: Duration = Duration::from_secs(120);

type Counts = BTreeMap<String, usize>;

fn walk(seed: u64) -> Counts {
    let mut world = World::new(seed);
    for _ in 0..STEPS {
        world.step();
    }
    world.check_everything();
    std::mem::take(&mut world.counts)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn random_walks_keep_the_invariants() {
    let start = Instant::now();
    if let Some(seed) = number("WALK_SEED") {
        println!("seed {seed}: {:#?}", walk(seed));
        return;
    }
    let asked = number("WALK_SEEDS");
    let next = AtomicU64::new(1);
    let total = Mutex::new((Counts::new(), vec![], 0));
    let run = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        let is_wanted = match asked {
            Some(count) => seed <= count,
            None => seed <= SEEDS || start.elapsed() < BUDGET,
        };
        if !is_wanted {
            return;
        }
        let walked = catch_unwind(|| walk(seed));
        let mut total = total.lock().unwrap();
        match walked {
            Ok(counts) => {
                for (name, count) in counts {
                    *total.0.entry(name).or_default() += count;
                }
                total.2 += 1;
            }
            Err(_) => {
                eprintln!("replay: WALK_SEED={seed} cargo test --test random_walk");
                total.1.push(seed);
            }
        }
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..threads {
            scope.spawn(run);
        }
    });
    let (counts, failed, passed) = total.into_inner().unwrap();
    println!(
        "{passed} seeds of {STEPS} operations in {:?}: {counts:#?}",
        start.elapsed()
    );
    assert!(failed.is_empty(), "seeds {failed:?} failed");
    for (name, ..) in OPERATIONS {
        assert!(counts.contains_key(*name), "never done: {name}");
    }
}
