//! The same operations as in the browser, by the same crate built natively: in memory, drained and
//! confirmed, written nowhere.

use openmls::prelude::{GroupId, LeafNodeParameters, MlsGroup};
use openmls_wasm::{storage::Record, MlsClient};
use serde_json::{json, Value};

use crate::{
    clock::{median, timed},
    observed::Observed,
    world::{restored, settle, signer, PLAINTEXT},
};

/// Milliseconds of each operation in the group of which `alice` and `bob` are members.
pub fn measure(alice: &[Record], bob: &[Record], group: &[u8]) -> Value {
    let (mut alice_client, mut bob_client) = (restored(alice), restored(bob));
    let mut sent = vec![];
    let encrypt = median(300, || {
        let (message, took) = op(&mut alice_client, |c| {
            c.encrypt_message(group, &PLAINTEXT).unwrap()
        });
        sent.push(message);
        took
    });
    let mut sent = sent.iter();
    let decrypt = median(300, || {
        op(&mut bob_client, |c| {
            c.process_message(sent.next().unwrap()).unwrap()
        })
        .1
    });
    let mut commits = vec![];
    let mut merges = vec![];
    let commit = median(10, || {
        let (commit, took) = op(&mut alice_client, |c| c.self_update(group, None).unwrap());
        commits.push(commit.bytes.unwrap());
        merges.push(
            op(&mut alice_client, |c| {
                c.merge_pending_commit(group).unwrap()
            })
            .1,
        );
        took
    });
    let mut merges = merges.into_iter();
    let mut commits = commits.iter();
    let process = median(10, || {
        op(&mut bob_client, |c| {
            c.process_message(commits.next().unwrap()).unwrap()
        })
        .1
    });
    json!({
        "encrypt": encrypt,
        "decrypt": decrypt,
        "selfUpdate": commit,
        "merge": median(10, || merges.next().unwrap()),
        "processCommit": process,
        "storage": storage_share(alice, group),
    })
}

/// How much of a self-update and of its merge is spent in the store: OpenMLS over a store that is
/// watched.
pub fn storage_share(alice: &[Record], group: &[u8]) -> Value {
    let signer = signer(&restored(alice));
    let provider = Observed::<()>::default();
    provider.storage.inner.hydrate(alice.to_vec()).unwrap();
    let group = GroupId::from_slice(group);
    let mut group = MlsGroup::load(&provider.storage, &group).unwrap().unwrap();
    let (mut stored, mut crypto, mut drained) = (vec![], vec![], vec![]);
    let merged = median(10, || {
        provider.storage.take_spent();
        let parameters = LeafNodeParameters::default();
        let (_, committing) = timed(|| group.self_update(&provider, &signer, parameters).unwrap());
        let at_commit = provider.storage.take_spent();
        let (_, merging) = timed(|| group.merge_pending_commit(&provider).unwrap());
        let at_merge = provider.storage.take_spent();
        let inner = &provider.storage.inner;
        let (batch, draining) = timed(|| inner.drain().unwrap());
        inner.confirm(batch.unwrap().sequence).unwrap();
        stored.push(at_merge);
        crypto.push(committing - at_commit + merging - at_merge);
        drained.push(draining);
        merging
    });
    let middle = |samples: Vec<f64>| {
        let mut samples = samples.into_iter();
        median(10, || samples.next().unwrap())
    };
    json!({
        "merge": merged,
        "storedInMerge": middle(stored),
        "drain": middle(drained),
        "crypto": middle(crypto),
    })
}

/// A 2-member group gets `packages` added; then a newcomer joins by the Welcome of a large group.
pub fn large(
    small: &[Record],
    group: &[u8],
    packages: &[Vec<u8>],
    joiner: &[Record],
    welcome: &[u8],
) -> Value {
    let add = median(3, || {
        let mut alice = restored(small);
        op(&mut alice, |c| {
            c.add_members(group, packages, None).unwrap();
            c.merge_pending_commit(group).unwrap();
        })
        .1
    });
    let join = median(3, || {
        let mut joiner = restored(joiner);
        op(&mut joiner, |c| c.join_group(welcome).unwrap()).1
    });
    json!({ "add": add, "join": join })
}

/// An operation, and what it and handing over its changes took.
fn op<T>(client: &mut MlsClient, work: impl FnOnce(&mut MlsClient) -> T) -> (T, f64) {
    timed(|| {
        let value = work(client);
        settle(client);
        value
    })
}
