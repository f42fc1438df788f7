//! Checks on own leaf nodes (appended one by one) and epoch key pairs (written as a whole).

use super::{
    types::{Epoch, Group, Numbered, Sample},
    New, Subject,
};

const EPOCH: Epoch = Epoch(7);
const LEAF: u32 = 3;

fn samples(prefix: &str, count: usize) -> Vec<Sample> {
    let label = |index| Sample::new(&format!("{prefix} {index}"));
    (0..count).map(label).collect()
}

fn leaf_nodes<S: Subject>(store: &S, group: &Group) -> Vec<Sample> {
    store.own_leaf_nodes(group).expect("read own leaf nodes")
}

fn append<S: Subject>(store: &S, group: &Group, nodes: &[Sample]) {
    for node in nodes {
        store.append_own_leaf_node(group, node).expect("append");
    }
}

fn key_pairs<S: Subject>(store: &S, group: &Group, epoch: Epoch, leaf: u32) -> Vec<Sample> {
    store
        .encryption_epoch_key_pairs(group, &epoch, leaf)
        .expect("read epoch key pairs")
}

fn write<S: Subject>(store: &S, group: &Group, epoch: Epoch, leaf: u32, pairs: &[Sample]) {
    store
        .write_encryption_epoch_key_pairs(group, &epoch, leaf, pairs)
        .expect("write epoch key pairs");
}

/// Own leaf nodes and epoch key pairs for `group`.
pub fn fill<S: Subject>(store: &S, group: &Group, count: usize) {
    append(store, group, &samples("leaf", count));
    write(store, group, EPOCH, LEAF, &samples("pair", count));
}

/// Deletes what [`fill`] wrote.
pub fn delete<S: Subject>(store: &S, group: &Group) {
    store.delete_own_leaf_nodes(group).expect("delete");
    store
        .delete_encryption_epoch_key_pairs(group, &EPOCH, LEAF)
        .expect("delete");
}

pub fn missing_lists_are_empty<S: Subject>(new: New<S>) {
    let store = new();
    let group = Group::new(b"group");
    assert_eq!(leaf_nodes(&store, &group), []);
    assert_eq!(key_pairs(&store, &group, EPOCH, LEAF), []);
    delete(&store, &group);
    assert_eq!(leaf_nodes(&store, &group), []);
    assert_eq!(key_pairs(&store, &group, EPOCH, LEAF), []);
}

pub fn own_leaf_nodes_are_appended_in_order<S: Subject>(new: New<S>) {
    let mut store = new();
    let group = Group::new(b"group");
    // Not in alphabetical order, one twice, and more than ten.
    let mut nodes = samples("leaf", 12);
    nodes.reverse();
    nodes.push(nodes[0].clone());
    for count in 1..=nodes.len() {
        append(&store, &group, &nodes[count - 1..count]);
        assert_eq!(leaf_nodes(&store, &group), nodes[..count]);
    }
    store = store.reopened();
    append(&store, &group, &nodes[..1]);
    nodes.push(nodes[0].clone());
    assert_eq!(leaf_nodes(&store, &group), nodes);
}

pub fn own_leaf_nodes_are_deleted<S: Subject>(new: New<S>) {
    let store = new();
    let group = Group::new(b"group");
    append(&store, &group, &samples("old", 3));
    store.delete_own_leaf_nodes(&group).expect("delete");
    assert_eq!(leaf_nodes(&store, &group), []);
    append(&store, &group, &samples("new", 2));
    assert_eq!(leaf_nodes(&store, &group), samples("new", 2));
}

pub fn own_leaf_nodes_are_separated_by_group<S: Subject>(new: New<S>) {
    for (one, other) in similar_groups() {
        let store = new();
        append(&store, &one, &samples("one", 2));
        assert_eq!(leaf_nodes(&store, &other), []);
        append(&store, &other, &samples("other", 3));
        assert_eq!(leaf_nodes(&store, &one), samples("one", 2));
        store.delete_own_leaf_nodes(&one).expect("delete");
        assert_eq!(leaf_nodes(&store, &one), []);
        assert_eq!(leaf_nodes(&store, &other), samples("other", 3));
    }
}

pub fn epoch_key_pairs_are_replaced_as_a_whole<S: Subject>(new: New<S>) {
    let mut store = new();
    let group = Group::new(b"group");
    for (label, count) in [("a", 3), ("bb", 5), ("c", 1), ("dd", 2)] {
        write(&store, &group, EPOCH, LEAF, &samples(label, count));
        let read = key_pairs(&store, &group, EPOCH, LEAF);
        assert_eq!(read, samples(label, count));
    }
    store = store.reopened();
    let read = key_pairs(&store, &group, EPOCH, LEAF);
    assert_eq!(read, samples("dd", 2));
}

pub fn epoch_key_pairs_may_be_empty<S: Subject>(new: New<S>) {
    let mut store = new();
    let group = Group::new(b"group");
    write(&store, &group, EPOCH, LEAF, &samples("pair", 2));
    write(&store, &group, EPOCH, LEAF, &[]);
    assert_eq!(key_pairs(&store, &group, EPOCH, LEAF), []);
    store = store.reopened();
    assert_eq!(key_pairs(&store, &group, EPOCH, LEAF), []);
}

/// Two lists under two ids: what happens to one leaves the other alone.
fn check_pair<S: Subject>(new: New<S>, one: (&Group, u64, u32), other: (&Group, u64, u32)) {
    let store = new();
    let put =
        |id: (&Group, u64, u32), pairs: &[Sample]| write(&store, id.0, Epoch(id.1), id.2, pairs);
    let get = |id: (&Group, u64, u32)| key_pairs(&store, id.0, Epoch(id.1), id.2);
    put(one, &samples("one", 2));
    assert_eq!(get(other), [], "{one:?}, {other:?}");
    put(other, &samples("other", 3));
    assert_eq!(get(one), samples("one", 2), "{one:?}, {other:?}");
    store
        .delete_encryption_epoch_key_pairs(one.0, &Epoch(one.1), one.2)
        .expect("delete");
    assert_eq!(get(one), [], "{one:?}, {other:?}");
    assert_eq!(get(other), samples("other", 3), "{one:?}, {other:?}");
}

pub fn epoch_key_pairs_are_separated_by_epoch<S: Subject>(new: New<S>) {
    let group = Group::new(b"group");
    // Alike in the lowest 8, 16 or 32 bits, as floats, or in how they begin as text.
    let epochs = [
        (0, 1),
        (1, 10),
        (0, 1 << 8),
        (0, 1 << 16),
        (0, 1 << 32),
        (1 << 53, (1 << 53) + 1),
        (0, u64::MAX),
    ];
    for (one, other) in epochs {
        check_pair(new, (&group, one, LEAF), (&group, other, LEAF));
        check_pair(new, (&group, other, LEAF), (&group, one, LEAF));
    }
}

pub fn epoch_key_pairs_are_separated_by_leaf<S: Subject>(new: New<S>) {
    let group = Group::new(b"group");
    for (one, other) in [(0, 1), (1, 10), (0, 1 << 8), (0, 1 << 16), (0, u32::MAX)] {
        check_pair(new, (&group, EPOCH.0, one), (&group, EPOCH.0, other));
        check_pair(new, (&group, EPOCH.0, other), (&group, EPOCH.0, one));
    }
}

/// Epoch and leaf index written one after the other may read the same: 1, 11 and 11, 1.
pub fn epoch_key_pairs_are_separated_by_epoch_and_leaf_together<S: Subject>(new: New<S>) {
    let group = Group::new(b"group");
    check_pair(new, (&group, 1, 11), (&group, 11, 1));
    check_pair(new, (&group, 1, 2), (&group, 2, 1));
    check_pair(new, (&group, 12, 3), (&group, 1, 23));
}

pub fn epoch_key_pairs_are_separated_by_group<S: Subject>(new: New<S>) {
    for (one, other) in similar_groups() {
        check_pair(new, (&one, EPOCH.0, LEAF), (&other, EPOCH.0, LEAF));
        check_pair(new, (&other, EPOCH.0, LEAF), (&one, EPOCH.0, LEAF));
    }
}

pub fn epoch_key_pairs_of_one_epoch_are_deleted<S: Subject>(new: New<S>) {
    let store = new();
    let group = Group::new(b"group");
    for epoch in 0..20 {
        write(&store, &group, Epoch(epoch), LEAF, &samples("pair", 1));
    }
    store
        .delete_encryption_epoch_key_pairs(&group, &Epoch(1), LEAF)
        .expect("delete");
    for epoch in 0..20 {
        let count = usize::from(epoch != 1);
        let read = key_pairs(&store, &group, Epoch(epoch), LEAF);
        assert_eq!(read, samples("pair", count), "epoch {epoch}");
    }
}

pub fn long_lists_are_read_back_whole<S: Subject>(new: New<S>) {
    let mut store = new();
    let group = Group::new(b"group");
    let many: Vec<_> = (0..300).map(|number| Numbered { number }).collect();
    for node in &many {
        store.append_own_leaf_node(&group, node).expect("append");
    }
    store
        .write_encryption_epoch_key_pairs(&group, &EPOCH, LEAF, &many)
        .expect("write");
    for _ in 0..2 {
        let nodes: Vec<Numbered> = store.own_leaf_nodes(&group).expect("read");
        assert_eq!(nodes, many);
        let pairs: Vec<Numbered> = store
            .encryption_epoch_key_pairs(&group, &EPOCH, LEAF)
            .expect("read");
        assert_eq!(pairs, many);
        store = store.reopened();
    }
}

/// Groups whose ids are easily taken for each other.
pub fn similar_groups() -> Vec<(Group, Group)> {
    let pairs: [(&[u8], &[u8]); 6] = [
        (b"group one", b"group two"),
        (b"group", b"group and more"),
        (b"group and more", b"group"),
        (&[], &[0]),
        (&[0x61], &[0x61, 0x2f]),
        (&[0x61], &[0x61, 0x30]),
    ];
    pairs
        .map(|(one, other)| (Group::new(one), Group::new(other)))
        .into()
}
