//! Checks on records of the kind "one value per key".

use super::{
    lists,
    proposals::{self, clear},
    slots::slots,
    types::{Group, PskKey, Sample, Usage},
    New, Subject,
};

const KEY: &[u8] = &[1, 2, 3, 4, 5, 6, 7, 8];

pub fn missing_record_is_none<S: Subject>(new: New<S>) {
    let store = new();
    for slot in slots::<S>() {
        assert_eq!((slot.read)(&store, KEY), None, "{}", slot.name);
    }
}

pub fn record_is_read_back<S: Subject>(new: New<S>) {
    let mut store = new();
    for slot in slots::<S>() {
        for label in ["odd", "even"] {
            (slot.write)(&store, label.as_bytes(), &Sample::new(label));
        }
    }
    for _ in 0..2 {
        for slot in slots::<S>() {
            for label in ["odd", "even"] {
                let read = (slot.read)(&store, label.as_bytes());
                assert_eq!(read, Some(Sample::new(label)), "{}", slot.name);
            }
        }
        store = store.reopened();
    }
}

pub fn record_is_replaced<S: Subject>(new: New<S>) {
    let store = new();
    for slot in slots::<S>() {
        // A read in between gives a cache the chance to keep the old value.
        for label in ["first", "the second", "3"] {
            (slot.write)(&store, KEY, &Sample::new(label));
            let read = (slot.read)(&store, KEY);
            assert_eq!(read, Some(Sample::new(label)), "{}", slot.name);
        }
    }
}

pub fn deleted_record_is_gone<S: Subject>(new: New<S>) {
    let store = new();
    for slot in slots::<S>() {
        (slot.write)(&store, KEY, &Sample::new("gone"));
        (slot.delete)(&store, KEY);
        assert_eq!((slot.read)(&store, KEY), None, "{}", slot.name);
    }
}

pub fn deleting_what_is_missing_is_no_error<S: Subject>(new: New<S>) {
    let store = new();
    for slot in slots::<S>() {
        (slot.delete)(&store, KEY);
        assert_eq!((slot.read)(&store, KEY), None, "{}", slot.name);
    }
}

pub fn record_written_anew_after_a_delete_is_the_new_one<S: Subject>(new: New<S>) {
    let store = new();
    for slot in slots::<S>() {
        (slot.write)(&store, KEY, &Sample::new("old"));
        (slot.delete)(&store, KEY);
        (slot.write)(&store, KEY, &Sample::new("new"));
        let read = (slot.read)(&store, KEY);
        assert_eq!(read, Some(Sample::new("new")), "{}", slot.name);
    }
}

/// Two keys in every record: what happens to one leaves the other alone.
fn check_pair<S: Subject>(new: New<S>, one: &[u8], other: &[u8]) {
    let store = new();
    for slot in slots::<S>() {
        let about = format!("{}: {one:02x?} and {other:02x?}", slot.name);
        (slot.write)(&store, one, &Sample::new("one"));
        assert_eq!((slot.read)(&store, other), None, "{about}");
        (slot.write)(&store, other, &Sample::new("other"));
        let read = (slot.read)(&store, one);
        assert_eq!(read, Some(Sample::new("one")), "{about}");
        (slot.delete)(&store, other);
        let read = (slot.read)(&store, one);
        assert_eq!(read, Some(Sample::new("one")), "{about}");
        (slot.write)(&store, other, &Sample::new("other"));
        (slot.delete)(&store, one);
        let read = (slot.read)(&store, other);
        assert_eq!(read, Some(Sample::new("other")), "{about}");
        (slot.delete)(&store, other);
    }
}

pub fn records_of_other_keys_stay<S: Subject>(new: New<S>) {
    check_pair(new, &[1; 16], &[2; 16]);
    check_pair(new, &[1, 2], &[2, 1]);
    // Differs in the last of many bytes, and only in one bit.
    check_pair(new, &[7; 255], &[&[7; 254][..], &[6]].concat());
}

pub fn keys_that_begin_alike_are_told_apart<S: Subject>(new: New<S>) {
    check_pair(new, KEY, &[KEY, &[9]].concat());
    check_pair(new, KEY, &KEY[..4]);
    check_pair(new, &[], KEY);
    check_pair(new, &[], &[0]);
    check_pair(new, &[0], &[0, 0]);
    // Bytes that mean something in text: '/', '0', '[', ',', '"'.
    check_pair(new, b"a", b"a/");
    check_pair(new, b"a/0", b"a");
    check_pair(new, b"[1,2]", &[1, 2]);
}

pub fn kinds_of_records_are_told_apart<S: Subject>(new: New<S>) {
    let store = new();
    for slot in slots::<S>() {
        (slot.write)(&store, KEY, &Sample::new(slot.name));
    }
    for slot in slots::<S>() {
        let read = (slot.read)(&store, KEY);
        assert_eq!(read, Some(Sample::new(slot.name)), "{}", slot.name);
    }
    for deleted in slots::<S>() {
        (deleted.delete)(&store, KEY);
        for slot in slots::<S>() {
            let gone = (slot.read)(&store, KEY).is_none();
            assert_eq!(
                gone,
                slot.name == deleted.name,
                "{} after the delete of {}",
                slot.name,
                deleted.name
            );
        }
        (deleted.write)(&store, KEY, &Sample::new(deleted.name));
    }
}

pub fn large_record_is_read_back_whole<S: Subject>(new: New<S>) {
    let mut store = new();
    for slot in slots::<S>() {
        (slot.write)(&store, KEY, &Sample::large(slot.name));
    }
    store = store.reopened();
    for slot in slots::<S>() {
        let whole = (slot.read)(&store, KEY) == Some(Sample::large(slot.name));
        assert!(whole, "{}", slot.name);
    }
}

pub fn psk_kinds_are_told_apart<S: Subject>(new: New<S>) {
    let store = new();
    let ids = [
        PskKey::external(&[1]),
        PskKey::external(&[]),
        PskKey::external(&[0, 1]),
        PskKey::application(1, &[]),
        PskKey::application(0, &[1]),
        PskKey::application(1, &[1]),
        PskKey::application(256, &[1]),
        PskKey::resumption(Usage::Application, &[1], 1),
        PskKey::resumption(Usage::Branch, &[1], 1),
        PskKey::resumption(Usage::Branch, &[1], 2),
        PskKey::resumption(Usage::Branch, &[1, 1], 1),
        PskKey::resumption(Usage::Branch, &[], 1),
    ];
    for id in &ids {
        let label = format!("{id:?}");
        assert_eq!(store.psk(id).expect("read"), None::<Sample>, "{id:?}");
        store.write_psk(id, &Sample::new(&label)).expect("write");
    }
    for (index, id) in ids.iter().enumerate() {
        store.delete_psk(id).expect("delete");
        for (other, id) in ids.iter().enumerate() {
            let expected = (other > index).then(|| Sample::new(&format!("{id:?}")));
            assert_eq!(store.psk(id).expect("read"), expected, "{id:?}");
        }
    }
}

/// Whatever a store keeps beside the values (indexes, counters) must go with them: in the
/// browser it would stay for ever.
pub fn nothing_is_left_after_all_deletes<S: Subject>(new: New<S>) {
    let store = new();
    let group = Group::new(KEY);
    for slot in slots::<S>() {
        (slot.write)(&store, KEY, &Sample::new("x"));
    }
    lists::fill(&store, &group, 3);
    proposals::fill(&store, &group, 3);
    assert!(store.records_left() >= slots::<S>().len());

    for slot in slots::<S>() {
        (slot.delete)(&store, KEY);
    }
    lists::delete(&store, &group);
    clear(&store, &group);
    assert_eq!(store.records_left(), 0, "records are left");

    proposals::fill(&store, &group, 3);
    proposals::remove_all(&store, &group);
    clear(&store, &group);
    assert_eq!(store.records_left(), 0, "records are left of the queue");
}
