//! Damaged bytes: whatever comes in that is not what was sent is a typed error, and the client is
//! what it was before.
//!
//! Every byte of every subject is flipped once; 10,000 more cases cut, extend and change at random.
//! `FLIP_SEED=7 cargo test --test byte_flips` repeats a run.
//!
//! No damage goes unnoticed, with two exceptions, which are the protocol's own:
//!
//! - A Welcome holds the group secrets once for each new member, encrypted to its key package. Nobody
//!   else can verify them (RFC 9420 §12.4.3.1), so damage there is noticed by that member alone. What
//!   the others join must be the group all the same.
//! - `inspect_group_info` reads what it is given, and says so: only joining verifies. It changes
//!   nothing, and whoever joins by the same bytes is told.

#[allow(dead_code)] // the walk uses all of it
#[path = "random_walk/rng.rs"]
mod rng;
#[path = "byte_flips/subjects.rs"]
mod subjects;

use std::{
    collections::BTreeMap,
    panic::{catch_unwind, AssertUnwindSafe},
    sync::Mutex,
    thread,
};

use openmls_wasm::{
    storage::{Category, Record, Scope},
    MlsClient,
};
use rng::Rng;
use subjects::{failure, subjects, Done, Subject};

/// Beside the flips.
const CASES: usize = 10_000;

type Codes = BTreeMap<String, usize>;

/// A change of the good bytes: what it is, and what comes of it.
#[derive(Clone, Debug)]
struct Damage {
    what: String,
    bytes: Vec<u8>,
}

impl Subject {
    /// Whether all that differs is what another member is to read.
    fn is_for_others(&self, damage: &Damage) -> bool {
        let pairs = self.bytes.iter().zip(&damage.bytes).enumerate();
        let mut differing = pairs.filter(|(_, (good, bad))| good != bad);
        let same_length = self.bytes.len() == damage.bytes.len();
        same_length && differing.all(|(at, _)| self.for_others.contains(&at))
    }
}

fn flip(good: &[u8], at: usize, bit: usize) -> Damage {
    let mut bytes = good.to_vec();
    bytes[at] ^= 1 << bit;
    let what = format!("bit {bit} of byte {at} flipped");
    Damage { what, bytes }
}

fn damage(good: &[u8], rng: &mut Rng) -> Damage {
    let at = rng.below(good.len());
    let mut bytes = good.to_vec();
    let what = match rng.below(5) {
        0 => {
            bytes.truncate(at);
            format!("cut to {at} bytes")
        }
        1 => {
            let more = 1 + rng.below(40);
            bytes.extend((0..more).map(|_| rng.next() as u8));
            return Damage {
                what: format!("{more} bytes longer"),
                bytes,
            };
        }
        2 => {
            bytes.insert(at, rng.next() as u8);
            format!("a byte more at {at}")
        }
        3 => {
            bytes.remove(at);
            format!("a byte less at {at}")
        }
        _ => {
            let end = good.len().min(at + 1 + rng.below(16));
            bytes[at..end]
                .iter_mut()
                .for_each(|byte| *byte = rng.next() as u8);
            format!("noise in {at}..{end}")
        }
    };
    Damage { what, bytes }
}

/// Every byte flipped, and so many other damages.
fn damages(good: &[u8], others: usize, rng: &mut Rng) -> Vec<Damage> {
    let mut all: Vec<Damage> = (0..good.len())
        .map(|at| flip(good, at, rng.below(8)))
        .collect();
    while all.len() < good.len() + others {
        let damage = damage(good, rng);
        if damage.bytes != good {
            all.push(damage);
        }
    }
    all
}

fn records(client: &MlsClient) -> Vec<Record> {
    client.storage().records().unwrap()
}

fn same(one: &[Record], other: &[Record]) -> bool {
    let id = |record: &Record| (record.category, record.key.clone(), record.value.clone());
    one.iter().map(id).eq(other.iter().map(id))
}

/// Tries one damage on a client that has seen many. Returns the code it led to.
fn try_damage(
    subject: &Subject,
    client: &mut MlsClient,
    damage: &Damage,
) -> Result<String, String> {
    let attempt = AssertUnwindSafe(|| subject.attempt(client, &damage.bytes));
    let done = catch_unwind(attempt).map_err(|_| "a panic".to_owned())?;
    match done {
        Err(error) => {
            let code = error.code();
            if !subject.codes.contains(&code) {
                return Err(format!("{code}: {error}"));
            }
            if client.drain_storage_events().unwrap().is_some() {
                return Err(format!("{code}, and something was to be stored"));
            }
            if !same(&subject.records, &records(client)) {
                return Err(format!("{code}, and records had changed"));
            }
            Ok(code.into())
        }
        Ok(Done::Item(Some(item))) if failure(&item).is_some() => {
            let code = failure(&item).unwrap_or_default().to_owned();
            if !subject.codes.contains(&code.as_str()) {
                return Err(format!("an item with {code}"));
            }
            only_a_failure(subject, client, &item.id)?;
            // One bad message does not hold up what comes behind it.
            works(subject, client, subject.position().map(|at| at + 1))?;
            client.roll_back_unconfirmed().unwrap();
            Ok(format!("item: {code}"))
        }
        Ok(Done::Joined(authenticator)) if subject.is_for_others(damage) => {
            *client = subject.receiver();
            match Some(authenticator) == subject.authenticator {
                true => Ok("for another member".into()),
                false => Err("joined something else".into()),
            }
        }
        Ok(Done::Unverified) if same(&subject.records, &records(client)) => {
            Ok("read as it is".into())
        }
        // Whether a message of an epoch to come is genuine, that epoch will tell.
        Ok(Done::Item(None)) if subject.position().is_none() => {
            let kept = client.early_messages(&subject.group).unwrap();
            if kept.len() != 1 || kept[0].bytes != damage.bytes {
                return Err(format!("kept: {kept:?}"));
            }
            only_changed(
                subject,
                client,
                &[
                    Category::EarlyMessage,
                    // That there are any of the group, for whoever has not loaded it.
                    Category::EarlyMessageGroup,
                    Category::LastSequence,
                ],
            )?;
            client.roll_back_unconfirmed().unwrap();
            Ok("kept for a later epoch".into())
        }
        Ok(done) => Err(format!("not noticed: {done:?}")),
    }
}

fn only_changed(subject: &Subject, client: &MlsClient, changed: &[Category]) -> Result<(), String> {
    // A record of a group changes the digest of its group too, which is in the root.
    let of_group = changed.iter().any(|it| it.scope() == Scope::Group);
    let may_differ =
        |it: Category| changed.contains(&it) || (of_group && it == Category::DigestRoot);
    let rest = |all: Vec<Record>| -> Vec<Record> {
        all.into_iter()
            .filter(|record| !may_differ(record.category))
            .collect()
    };
    match same(&rest(subject.records.clone()), &rest(records(client))) {
        true => Ok(()),
        false => Err(format!("more changed than {changed:?}")),
    }
}

/// After an item that tells of a failure: it, the cursor and the sequence are all that changed.
fn only_a_failure(subject: &Subject, client: &MlsClient, id: &str) -> Result<(), String> {
    let mut changed = vec![Category::Inbox, Category::LastSequence];
    if subject.position().is_some() {
        changed.extend([Category::DeliveryCursor, Category::WelcomeCursor]);
    }
    only_changed(subject, client, &changed)?;
    let inbox = client.inbox().unwrap();
    if inbox.len() != 1
        || inbox[0].id != id
        || inbox[0].position.is_none() && subject.position().is_some()
    {
        return Err(format!("the inbox holds {inbox:?}"));
    }
    let cursor = match subject.way {
        subjects::Way::ReceiveWelcome => client.welcome_cursor().unwrap(),
        _ => client.delivery_cursor(&subject.group).unwrap(),
    };
    let before = subjects::opened(&subject.records);
    let expected = subject
        .position()
        .or(before.delivery_cursor(&subject.group).unwrap());
    if cursor != expected {
        return Err(format!("the cursor is at {cursor:?}"));
    }
    Ok(())
}

/// The good bytes still do what they did before the damaged ones came.
fn works(subject: &Subject, client: &mut MlsClient, position: Option<u64>) -> Result<(), String> {
    match subject.attempt_at(client, &subject.bytes, position) {
        Ok(Done::Item(Some(item))) if failure(&item).is_none() => Ok(()),
        Ok(Done::Other(_) | Done::Joined(_) | Done::Unverified) => Ok(()),
        other => Err(format!("the good bytes came to {other:?}")),
    }
}

/// All damages of one subject, on one client. Returns what went wrong, and counts the codes.
fn run(subject: &Subject, cases: usize, seed: u64, codes: &mut Codes) -> Vec<String> {
    let mut rng = Rng::new(seed);
    let mut failures = vec![];
    let mut client = subject.receiver();
    for damage in damages(&subject.bytes, cases, &mut rng) {
        match try_damage(subject, &mut client, &damage) {
            Ok(code) => *codes.entry(code).or_default() += 1,
            Err(what) => {
                failures.push(format!("{}, {}: {what}", subject.name, damage.what));
                client = subject.receiver();
            }
        }
    }
    // The client that has withstood all this takes the good bytes.
    if let Err(what) = works(subject, &mut client, subject.position()) {
        failures.push(format!("{}: {what}", subject.name));
    }
    failures
}

#[test]
fn damaged_bytes_are_refused_and_leave_no_trace() {
    let seed = std::env::var("FLIP_SEED");
    let seed: u64 = seed.ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    std::panic::set_hook(Box::new(|_| {}));
    let subjects = subjects();
    let bytes: usize = subjects.iter().map(|subject| subject.bytes.len()).sum();
    let work = Mutex::new(subjects.iter().enumerate());
    let report = Mutex::new((vec![], 0));
    let run_some = || loop {
        let Some((index, subject)) = work.lock().unwrap().next() else {
            return;
        };
        let share = (CASES * subject.bytes.len()).div_ceil(bytes);
        let mut codes = Codes::new();
        let found = run(subject, share, seed * 1000 + index as u64, &mut codes);
        println!(
            "{} ({} bytes): {codes:?}",
            subject.name,
            subject.bytes.len()
        );
        let mut report = report.lock().unwrap();
        report.0.extend(found);
        report.1 += share + subject.bytes.len();
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(run_some);
        }
    });
    let _ = std::panic::take_hook();
    let (failures, cases) = report.into_inner().unwrap();
    println!("{cases} damages of {bytes} bytes");
    assert!(cases >= CASES);
    assert!(
        failures.is_empty(),
        "{} of {cases}, FLIP_SEED={seed}:\n{}",
        failures.len(),
        failures.join("\n")
    );
}
