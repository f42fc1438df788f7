//! Checks on the proposal queue: references and proposals of a group, in order.

use super::{
    lists::similar_groups,
    types::{Group, Reference, Sample},
    New, Subject,
};

type Queue = Vec<(Reference, Sample)>;

/// References that are not in alphabetical order: 0x9e…, 0x3c…, 0xda…, …
fn entries(count: u32) -> Queue {
    let entry = |index: u32| {
        let bytes = index
            .wrapping_add(1)
            .wrapping_mul(0x9e37_79c5)
            .to_be_bytes();
        (
            Reference::new(&bytes),
            Sample::new(&format!("proposal {index}")),
        )
    };
    (0..count).map(entry).collect()
}

fn queue<S: Subject>(store: &S, group: &Group, entries: &[(Reference, Sample)]) {
    for (reference, proposal) in entries {
        store
            .queue_proposal(group, reference, proposal)
            .expect("queue");
    }
}

fn remove<S: Subject>(store: &S, group: &Group, reference: &Reference) {
    store.remove_proposal(group, reference).expect("remove");
}

pub fn clear<S: Subject>(store: &S, group: &Group) {
    store
        .clear_proposal_queue::<_, Reference>(group)
        .expect("clear");
}

/// Both views of the queue, which must agree.
#[track_caller]
fn assert_queue<S: Subject>(store: &S, group: &Group, expected: &[(Reference, Sample)]) {
    let refs: Vec<Reference> = store.queued_proposal_refs(group).expect("read refs");
    let expected_refs: Vec<_> = expected.iter().map(|entry| entry.0.clone()).collect();
    assert_eq!(refs, expected_refs);
    let queued: Queue = store.queued_proposals(group).expect("read proposals");
    assert_eq!(queued, expected);
}

/// Queues `count` proposals.
pub fn fill<S: Subject>(store: &S, group: &Group, count: u32) {
    queue(store, group, &entries(count));
}

/// Removes every queued proposal, one by one.
pub fn remove_all<S: Subject>(store: &S, group: &Group) {
    let refs: Vec<Reference> = store.queued_proposal_refs(group).expect("read refs");
    refs.iter()
        .for_each(|reference| remove(store, group, reference));
}

pub fn queue_keeps_refs_and_proposals_in_order<S: Subject>(new: New<S>) {
    let mut store = new();
    let group = Group::new(b"group");
    let entries = entries(4);
    assert_queue(&store, &group, &[]);
    for count in 1..=entries.len() {
        queue(&store, &group, &entries[count - 1..count]);
        assert_queue(&store, &group, &entries[..count]);
    }
    store = store.reopened();
    assert_queue(&store, &group, &entries);
}

/// Ten, sixteen and 256 are where positions written as text or in one byte go wrong.
pub fn long_queue_keeps_its_order<S: Subject>(new: New<S>) {
    let mut store = new();
    let group = Group::new(b"group");
    let entries = entries(300);
    queue(&store, &group, &entries);
    assert_queue(&store, &group, &entries);
    store = store.reopened();
    assert_queue(&store, &group, &entries);
}

pub fn removing_takes_ref_and_proposal_of_that_one_only<S: Subject>(new: New<S>) {
    let entries = entries(5);
    for removed in 0..entries.len() {
        let mut store = new();
        let group = Group::new(b"group");
        queue(&store, &group, &entries);
        remove(&store, &group, &entries[removed].0);
        let mut expected = entries.clone();
        expected.remove(removed);
        assert_queue(&store, &group, &expected);
        store = store.reopened();
        assert_queue(&store, &group, &expected);
    }
}

/// A position that is given out again too early would overwrite what stands there.
pub fn removed_proposal_leaves_room_for_new_ones<S: Subject>(new: New<S>) {
    let entries = entries(8);
    for removed in 0..4 {
        let mut store = new();
        let group = Group::new(b"group");
        queue(&store, &group, &entries[..4]);
        remove(&store, &group, &entries[removed].0);
        store = store.reopened();
        queue(&store, &group, &entries[4..]);
        let mut expected = entries.clone();
        expected.remove(removed);
        assert_queue(&store, &group, &expected);
        // Queued again, it is the last one.
        queue(&store, &group, &entries[removed..=removed]);
        expected.push(entries[removed].clone());
        assert_queue(&store, &group, &expected);
    }
}

pub fn removing_what_is_not_queued_changes_nothing<S: Subject>(new: New<S>) {
    let store = new();
    let group = Group::new(b"group");
    let entries = entries(4);
    clear(&store, &group);
    remove(&store, &group, &entries[0].0);
    assert_queue(&store, &group, &[]);
    queue(&store, &group, &entries[..3]);
    remove(&store, &group, &entries[3].0);
    // The beginning of a queued reference is not that reference.
    remove(&store, &group, &Reference::new(&[]));
    remove(
        &store,
        &group,
        &Reference::new(&0x9e37_79c5u32.to_be_bytes()[..2]),
    );
    assert_queue(&store, &group, &entries[..3]);
}

/// OpenMLS queues a proposal again when it receives it again. The newer one counts, the order
/// stays, and the other proposals are not touched. How often the queue then names it is left
/// open: `MemoryStorage` does so twice.
pub fn queueing_again_replaces_the_proposal<S: Subject>(new: New<S>) {
    let store = new();
    let group = Group::new(b"group");
    let mut entries = entries(3);
    queue(&store, &group, &entries);
    entries[1].1 = Sample::new("newer");
    queue(&store, &group, &entries[1..2]);
    let mut queued: Queue = store.queued_proposals(&group).expect("read proposals");
    let refs: Vec<Reference> = store.queued_proposal_refs(&group).expect("read refs");
    assert_eq!(refs.len(), queued.len());
    if queued.len() == 4 {
        assert_eq!(queued.pop(), Some(entries[1].clone()));
    }
    assert_eq!(queued, entries);
}

pub fn removing_after_queueing_again_leaves_nothing<S: Subject>(new: New<S>) {
    let store = new();
    let group = Group::new(b"group");
    let entries = entries(3);
    queue(&store, &group, &entries);
    queue(&store, &group, &entries[1..2]);
    remove(&store, &group, &entries[1].0);
    assert_queue(&store, &group, &[entries[0].clone(), entries[2].clone()]);
}

pub fn clearing_takes_all_of_the_queue<S: Subject>(new: New<S>) {
    let mut store = new();
    let group = Group::new(b"group");
    clear(&store, &group);
    for count in [1, 2, 12] {
        fill(&store, &group, count);
        clear(&store, &group);
        assert_queue(&store, &group, &[]);
        store = store.reopened();
        assert_queue(&store, &group, &[]);
        assert_eq!(store.records_left(), 0, "{count} proposals leave records");
    }
}

pub fn cleared_queue_can_be_filled_again<S: Subject>(new: New<S>) {
    let store = new();
    let group = Group::new(b"group");
    let entries = entries(6);
    queue(&store, &group, &entries[..4]);
    clear(&store, &group);
    // The last of the old ones comes back with another content.
    let again = [
        entries[5].clone(),
        (entries[3].0.clone(), Sample::new("again")),
    ];
    queue(&store, &group, &again);
    assert_queue(&store, &group, &again);
}

fn check_groups<S: Subject>(new: New<S>, one: &Group, other: &Group) {
    let entries = entries(6);
    let fill = |store: &S| {
        queue(store, one, &entries[..4]);
        // Two references stand in both queues, with other contents.
        queue(store, other, &entries[4..]);
        let shared: Queue = entries[2..4]
            .iter()
            .map(|entry| (entry.0.clone(), Sample::new("of the other")))
            .collect();
        queue(store, other, &shared);
        [&entries[4..], &shared].concat()
    };

    let store = new();
    let others = fill(&store);
    assert_queue(&store, one, &entries[..4]);
    assert_queue(&store, other, &others);
    remove(&store, one, &entries[2].0);
    assert_queue(&store, other, &others);
    clear(&store, one);
    assert_queue(&store, one, &[]);
    assert_queue(&store, other, &others);

    let store = new();
    fill(&store);
    clear(&store, other);
    assert_queue(&store, one, &entries[..4]);
    assert_queue(&store, other, &[]);
}

pub fn queues_are_separated_by_group<S: Subject>(new: New<S>) {
    check_groups(new, &Group::new(b"group one"), &Group::new(b"another"));
}

pub fn queues_of_groups_that_begin_alike_are_told_apart<S: Subject>(new: New<S>) {
    for (one, other) in similar_groups() {
        check_groups(new, &one, &other);
    }
}

/// Group 1 with reference 2, 3 is not group 1, 2 with reference 3.
pub fn group_and_ref_do_not_run_together<S: Subject>(new: New<S>) {
    let store = new();
    let short = (Group::new(&[1]), Reference::new(&[2, 3]));
    let long = (Group::new(&[1, 2]), Reference::new(&[3]));
    for ((group, reference), label) in [(&short, "short"), (&long, "long")] {
        queue(&store, group, &[(reference.clone(), Sample::new(label))]);
    }
    assert_queue(&store, &short.0, &[(short.1.clone(), Sample::new("short"))]);
    assert_queue(&store, &long.0, &[(long.1.clone(), Sample::new("long"))]);
    remove(&store, &short.0, &short.1);
    assert_queue(&store, &short.0, &[]);
    assert_queue(&store, &long.0, &[(long.1, Sample::new("long"))]);
}
