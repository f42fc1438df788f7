//! What operations cost in a large group, natively: bytes written and time.
//! `cargo run --profile service -p openmls-wasm --example large_group -- 1000`

use std::time::Instant;

use openmls_wasm::{client::Delivered, storage::Scope, MlsClient};

fn drain(client: &mut MlsClient) -> (usize, usize, f64) {
    let start = Instant::now();
    let batch = client.drain_storage_events().unwrap();
    let time = start.elapsed().as_secs_f64() * 1e3;
    let Some(batch) = batch else {
        return (0, 0, time);
    };
    let bytes = batch
        .events
        .iter()
        .filter(|e| e.category.scope() == Scope::Group)
        .map(|e| e.key.len() + e.value.as_ref().map_or(0, |v| v.len()))
        .sum();
    let count = batch.events.len();
    client.confirm_batch(batch.sequence).unwrap();
    (bytes, count, time)
}

fn timed<T>(what: &str, client: &mut MlsClient, f: impl FnOnce(&mut MlsClient) -> T) -> T {
    let start = Instant::now();
    let value = f(client);
    let time = start.elapsed().as_secs_f64() * 1e3;
    let (bytes, count, drained) = drain(client);
    println!("{what}: {time:.2} ms, drain {drained:.2} ms, {count} records, {bytes} bytes");
    value
}

fn main() {
    let n: usize = std::env::args().nth(1).map_or(1000, |a| a.parse().unwrap());
    let mut alice = MlsClient::new();
    alice.create_identity(b"alice", 1).unwrap();
    let mut others: Vec<MlsClient> = (0..n - 1)
        .map(|i| {
            let mut c = MlsClient::new();
            c.create_identity(format!("member {i}").as_bytes(), 1)
                .unwrap();
            c
        })
        .collect();
    let packages: Vec<Vec<u8>> = others
        .iter_mut()
        .map(|c| c.generate_key_packages(1).unwrap().remove(0))
        .collect();
    let group = alice.create_group(None).unwrap();
    drain(&mut alice);
    let entry = timed("add all", &mut alice, |c| {
        c.add_members(&group, &packages, None).unwrap()
    });
    timed("merge add all", &mut alice, |c| {
        c.merge_pending_commit(&group).unwrap()
    });
    let welcome = entry.welcome.clone().unwrap();
    let mut bob = others.remove(0);
    drain(&mut bob);
    timed("join", &mut bob, |c| c.join_group(&welcome).unwrap());
    let start = Instant::now();
    for other in &mut others {
        other.join_group(&welcome).unwrap();
        let message = other.encrypt_message(&group, b"hello").unwrap();
        alice.process_message(&message).unwrap();
        bob.process_message(&message).unwrap();
        *other = MlsClient::new();
    }
    println!("all speak: {:.1} s", start.elapsed().as_secs_f64());
    drain(&mut alice);
    drain(&mut bob);
    for _ in 0..3 {
        let message = timed("encrypt", &mut alice, |c| {
            c.encrypt_message(&group, b"hello").unwrap()
        });
        timed("decrypt", &mut bob, |c| {
            c.process_message(&message).unwrap()
        });
    }
    let start = Instant::now();
    let rounds = 200;
    for _ in 0..rounds {
        alice.encrypt_message(&group, b"hello").unwrap();
    }
    println!(
        "encrypt: {:.1} us each",
        start.elapsed().as_secs_f64() * 1e6 / rounds as f64
    );
    drain(&mut alice);
    let total: usize = alice
        .storage()
        .records()
        .unwrap()
        .iter()
        .map(|r| r.value.len())
        .sum();
    println!(
        "alice: {total} bytes in {} records",
        alice.storage().records().unwrap().len()
    );
    let records = bob.storage().records().unwrap();
    let start = Instant::now();
    let mut again = MlsClient::new();
    again.hydrate(records).unwrap();
    println!("hydrate {:.2} ms", start.elapsed().as_secs_f64() * 1e3);
    let start = Instant::now();
    again.encrypt_message(&group, b"x").unwrap();
    println!(
        "load and encrypt {:.2} ms",
        start.elapsed().as_secs_f64() * 1e3
    );
    for _ in 0..3 {
        let commit = timed("self update", &mut alice, |c| {
            c.self_update(&group, None).unwrap()
        });
        timed("merge", &mut alice, |c| {
            c.merge_pending_commit(&group).unwrap()
        });
        timed("process commit", &mut bob, |c| {
            c.receive_message(Delivered {
                bytes: commit.bytes.as_deref().unwrap(),
                ..Default::default()
            })
            .unwrap()
        });
        let message = timed("encrypt", &mut alice, |c| {
            c.encrypt_message(&group, b"hello").unwrap()
        });
        timed("decrypt", &mut bob, |c| {
            c.process_message(&message).unwrap()
        });
    }
}
