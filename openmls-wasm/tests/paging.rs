//! A client that has in memory what it uses, and no more: it works as one that has everything.

mod common;

use common::{code, pair, Database, Device};
use openmls_wasm::{
    client::{ProcessedContent, Role},
    storage::{key, Category, Page, Record, Scope},
    ClientError, MlsClient, StorageError,
};

/// A client over a database, with nothing in memory that is not asked for.
struct Paged {
    client: MlsClient,
    database: Database,
    /// The pages that were loaded, in order.
    loaded: Vec<Page>,
}

fn of_page(record: &Record, page: &Page) -> bool {
    match page {
        Page::Group(group) => {
            record.category.scope() == Scope::Group
                && record.key.split('/').next() == Some(group.as_str())
        }
        Page::Category(category) => record.category == *category,
        Page::Record(category, key) => record.category == *category && record.key == *key,
    }
}

impl Paged {
    fn open(database: &Database) -> Self {
        let mut client = MlsClient::new();
        let mut records = database.records();
        records.retain(|record| record.category.scope() == Scope::Client);
        client.hydrate_client(records).unwrap();
        Self {
            client,
            database: database.clone(),
            loaded: vec![],
        }
    }

    /// What the write-behind loop does: an operation that misses a page is done again with it.
    fn run<T>(
        &mut self,
        mut operation: impl FnMut(&mut MlsClient) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        loop {
            let before = Database::of(&self.client);
            let dirty = self.client.storage().is_dirty().unwrap();
            match operation(&mut self.client) {
                Err(ClientError::Storage(StorageError::NotLoaded(page))) => {
                    assert!(Database::of(&self.client) == before, "it changed nothing");
                    assert_eq!(self.client.storage().is_dirty().unwrap(), dirty);
                    self.load(page)?;
                }
                result => return result,
            }
        }
    }

    fn load(&mut self, page: Page) -> Result<(), ClientError> {
        assert!(!self.loaded.contains(&page), "loaded once: {page:?}");
        let mut records = self.database.records();
        records.retain(|record| of_page(record, &page));
        // What says whether the page is as it was left may not be in memory itself.
        while let Err(error) = self.client.hydrate_page(page.clone(), records.clone()) {
            match error {
                ClientError::Storage(StorageError::NotLoaded(missing)) => self.load(missing)?,
                other => return Err(other),
            }
        }
        self.loaded.push(page);
        Ok(())
    }

    fn save(&mut self) {
        if let Some(batch) = self.client.drain_storage_events().unwrap() {
            self.database.write(&batch);
            self.client.confirm_batch(batch.sequence).unwrap();
        }
    }

    /// Lets go of all that may go.
    fn release(&mut self) {
        self.client.release_groups(0).unwrap();
        self.loaded.retain(|page| !matches!(page, Page::Group(_)));
        let kept = self.groups_in_memory();
        self.loaded.extend(kept.into_iter().map(Page::Group));
    }

    fn groups_in_memory(&self) -> Vec<String> {
        let records = self.client.storage().records().unwrap();
        let of_groups = records
            .iter()
            .filter(|record| record.category == Category::GroupState);
        of_groups.map(|record| record.key.clone()).collect()
    }
}

fn text(client: &mut Paged, message: &[u8]) -> Vec<u8> {
    let processed = client.run(|client| client.process_message(message));
    match processed.unwrap().content {
        ProcessedContent::Message { plaintext, .. } => plaintext,
        other => panic!("{other:?}"),
    }
}

/// Alice with some groups that Bob is in too, and somebody who makes them so large that there are parts.
fn with_groups(count: usize) -> (Device, Device, Vec<Vec<u8>>) {
    let (mut alice, mut bob) = (Device::new("alice"), Device::new("bob"));
    let mut third = Device::new("third");
    let groups = (0..count)
        .map(|_| {
            let mut packages = bob.client.generate_key_packages(1).unwrap();
            packages.extend(third.client.generate_key_packages(1).unwrap());
            let group = alice.client.create_group(None).unwrap();
            let commit = alice.client.add_members(&group, &packages, None).unwrap();
            alice.client.merge_pending_commit(&group).unwrap();
            bob.client.join_group(&commit.welcome.unwrap()).unwrap();
            group
        })
        .collect();
    alice.save();
    bob.save();
    (alice, bob, groups)
}

#[test]
fn only_what_is_used_is_in_memory() {
    let (alice, mut bob, groups) = with_groups(5);
    let mut paged = Paged::open(&alice.database);
    assert!(paged.client.identity().unwrap().is_some());
    assert!(paged.groups_in_memory().is_empty());
    let not_loaded = paged.client.encrypt_message(&groups[2], b"hello");
    assert_eq!(code(not_loaded), "not-loaded");
    let message = paged
        .run(|client| client.encrypt_message(&groups[2], b"hello"))
        .unwrap();
    assert_eq!(paged.groups_in_memory(), [key::bytes_key(&groups[2])]);
    assert_eq!(paged.loaded.len(), 1);
    assert!(bob.client.process_message(&message).is_ok());
    assert_eq!(code(paged.client.list_groups()), "storage");
    // Key packages are there when one is asked about.
    let packages = paged.run(|client| client.key_packages()).unwrap();
    assert!(packages.is_empty());
    assert_eq!(
        paged.loaded[1..],
        [
            Page::Category(Category::KeyPackage),
            Page::Category(Category::KeyPackageState)
        ]
    );
    let missing = paged.run(|client| client.group_info(b"nobody's"));
    assert_eq!(code(missing), "group-not-found");
}

#[test]
fn a_group_that_is_stored_exists_in_memory_or_not() {
    let (mut alice, mut bob, _, group) = pair();
    alice.save();
    bob.save();
    let mut paged = Paged::open(&alice.database);
    let created = paged.run(|client| client.create_group(Some(&group)));
    assert_eq!(code(created), "group-exists");

    // A Welcome into a group that this client is in: its id is known only when it is opened.
    let package = alice.client.generate_key_packages(1).unwrap();
    alice.save();
    let mut carol = Device::new("carol");
    carol.client.create_group(Some(&group)).unwrap();
    let commit = carol.client.add_members(&group, &package, None).unwrap();
    carol.client.merge_pending_commit(&group).unwrap();
    carol.client.self_update(&group, None).unwrap();
    let welcome = commit.welcome.unwrap();
    let mut paged = Paged::open(&alice.database);
    let before = Database::of(&alice.client);
    for inspect in [true, false] {
        let joined = paged.run(|client| match inspect {
            true => client.inspect_welcome(&welcome, None).map(|_| ()),
            false => client.join_group(&welcome).map(|_| ()),
        });
        assert_eq!(code(joined), "stale-welcome");
    }
    paged.save();
    assert!(paged.database == before, "the key package is still there");
    assert!(paged.loaded.contains(&Page::Group(key::bytes_key(&group))));
    // One that does not exist is created without a look into the database.
    let loaded = paged.loaded.len();
    paged.run(|client| client.create_group(None)).unwrap();
    assert_eq!(paged.loaded.len(), loaded);
}

#[test]
fn a_conversation_in_which_every_group_leaves_memory_at_once() {
    let (alice, mut bob, groups) = with_groups(4);
    let mut alice = Paged::open(&alice.database);
    let mut reader = Paged::open(&bob.database);
    drop(std::mem::take(&mut bob.client));
    for round in 0..60 {
        let group = &groups[round % groups.len()];
        let sent = format!("message {round}");
        let message = alice
            .run(|client| client.encrypt_message(group, sent.as_bytes()))
            .unwrap();
        if round % 3 == 0 {
            // What is not stored yet stays, whatever the limit.
            let in_memory = alice.groups_in_memory();
            alice.release();
            assert!(alice.groups_in_memory().contains(&key::bytes_key(group)));
            assert!(in_memory.len() >= alice.groups_in_memory().len());
        }
        alice.save();
        alice.release();
        assert!(alice.groups_in_memory().len() <= 1);
        assert_eq!(text(&mut reader, &message), sent.as_bytes());
        let again = reader.run(|client| client.process_message(&message));
        assert_eq!(code(again), "duplicate-message");
        if round % 7 == 0 {
            let commit = reader
                .run(|client| client.self_update(group, None))
                .unwrap();
            reader.save();
            reader.release();
            reader
                .run(|client| client.merge_pending_commit(group))
                .unwrap();
            let commit = commit.bytes.unwrap();
            alice.run(|client| client.process_message(&commit)).unwrap();
        }
        reader.save();
        reader.release();
        let back = reader
            .run(|client| client.encrypt_message(group, sent.as_bytes()))
            .unwrap();
        assert_eq!(text(&mut alice, &back), sent.as_bytes());
    }
    let (mut one, mut other) = (alice, reader);
    for group in &groups {
        let one = one.run(|client| client.group_info(group)).unwrap();
        let other = other.run(|client| client.group_info(group)).unwrap();
        assert_eq!(one.epoch_authenticator, other.epoch_authenticator);
    }
}

#[test]
fn the_limit_is_one_of_bytes() {
    let (alice, _, groups) = with_groups(6);
    let mut paged = Paged::open(&alice.database);
    for group in &groups {
        paged.run(|client| client.group_info(group)).unwrap();
    }
    let size = |paged: &Paged| {
        let records = paged.client.storage().records().unwrap();
        let of_groups = records
            .iter()
            .filter(|record| record.category.scope() == Scope::Group);
        of_groups
            .map(|record| record.key.len() + record.value.len())
            .sum::<usize>()
    };
    let all = size(&paged);
    paged.client.release_groups(all * 2).unwrap();
    assert_eq!(paged.groups_in_memory().len(), 6);
    // The first is used again: it is the second that has not been used for longest.
    paged.run(|client| client.group_info(&groups[0])).unwrap();
    paged.client.release_groups(all).unwrap();
    let kept = paged.groups_in_memory();
    assert!(kept.contains(&key::bytes_key(&groups[0])));
    assert!(!kept.contains(&key::bytes_key(&groups[1])));
    paged.client.release_groups(all / 2).unwrap();
    assert!(size(&paged) <= all / 2);
    assert!(paged.groups_in_memory().len() >= 2);
}

/// What a stranger, or a disk, can do to the records of one group.
#[test]
fn a_group_with_a_record_missing_or_out_of_date_is_reported_and_others_work() {
    let (mut alice, mut bob, groups) = with_groups(3);
    // An older state of the same group, every record of it valid.
    let older = alice.database.clone();
    for _ in 0..2 {
        let message = bob.client.encrypt_message(&groups[1], b"hello").unwrap();
        alice.client.process_message(&message).unwrap();
        alice
            .client
            .send_message(&groups[1], b"hello", None)
            .unwrap();
        let commit = alice.client.self_update(&groups[1], None).unwrap();
        alice.client.merge_pending_commit(&groups[1]).unwrap();
        bob.client.process_message(&commit.bytes.unwrap()).unwrap();
    }
    alice.save();
    // As it is stored, and as up to layout 4, each record by itself.
    let layouts = [
        (alice.database.clone(), older.clone()),
        (alice.database.apart(), older.apart()),
    ];
    for (database, older) in layouts {
        assert_every_damage_is_told(&database, &older, &groups);
    }
    // Undamaged, it opens.
    let mut paged = Paged::open(&alice.database);
    paged.run(|client| client.group_info(&groups[1])).unwrap();
}

/// Of one group each record is taken away, put back, put in the place of another, and there again: it is
/// refused, by its id, and the others work.
fn assert_every_damage_is_told(database: &Database, older: &Database, groups: &[Vec<u8>]) {
    let is_same =
        |one: &Record, other: &Record| one.category == other.category && one.key == other.key;
    let group = key::bytes_key(&groups[1]);
    let present = database.records();
    let of_group = |record: &&Record| of_page(record, &Page::Group(group.clone()));
    let victims: Vec<Record> = present.iter().filter(of_group).cloned().collect();
    let apart = database.apart().records();
    let inside: Vec<&Record> = apart
        .iter()
        .filter(|it| of_group(it) && !victims.iter().any(|there| is_same(there, it)))
        .collect();
    assert!(victims
        .iter()
        .any(|record| record.category == Category::Tree && record.key.split('/').count() == 2));
    let mut damages = 0;
    let mut open = |records: Vec<Record>, what: &str| {
        damages += 1;
        let mut client = MlsClient::new();
        let (own, rest): (Vec<_>, Vec<_>) = records
            .into_iter()
            .partition(|record| record.category.scope() == Scope::Client);
        client.hydrate_client(own).unwrap();
        for other in [&groups[0], &groups[2]] {
            let page = Page::Group(key::bytes_key(other));
            let records = rest.iter().filter(|record| of_page(record, &page));
            client
                .hydrate_page(page.clone(), records.cloned().collect())
                .unwrap();
        }
        let page = Page::Group(group.clone());
        let records = rest.iter().filter(|record| of_page(record, &page));
        let error = client
            .hydrate_page(page.clone(), records.cloned().collect())
            .unwrap_err();
        assert!(error.to_string().contains(&group), "{what}: {error}");
        assert!(
            matches!(error.code(), "damaged-group" | "damaged-record"),
            "{what}: {error}"
        );
        // Nothing of it was taken in, and the others work.
        assert_eq!(
            code(client.encrypt_message(&groups[1], b"?")),
            "not-loaded",
            "{what}"
        );
        client.encrypt_message(&groups[0], b"!").unwrap();
    };
    for victim in &victims {
        let is_victim =
            |record: &Record| record.category == victim.category && record.key == victim.key;
        let without: Vec<_> = present
            .iter()
            .filter(|it| !is_victim(it))
            .cloned()
            .collect();
        open(without.clone(), &format!("without {victim:?}"));
        // Put back to what it was.
        let mut before = older.records().into_iter().filter(|it| is_victim(it));
        if let Some(before) = before.next().filter(|before| before.value != victim.value) {
            let mut changed = without.clone();
            changed.push(before);
            open(changed, &format!("older {victim:?}"));
        }
        // In the place of another of its kind.
        let mut others = victims
            .iter()
            .filter(|it| it.category == victim.category && it.key != victim.key);
        if let Some(other) = others.next() {
            let mut swapped = without;
            swapped.push(Record {
                value: other.value.clone(),
                ..victim.clone()
            });
            open(swapped, &format!("swapped {victim:?}"));
        }
    }
    // A record that was deleted since.
    for gone in older.records().iter().filter(|it| of_group(it)) {
        if victims.iter().any(|it| is_same(it, gone)) {
            continue;
        }
        let mut more = present.clone();
        more.push(gone.clone());
        open(more, &format!("back again {gone:?}"));
    }
    // One that is stored together with others, by itself too.
    for double in inside {
        let mut more = present.clone();
        more.push(double.clone());
        open(more, &format!("twice {double:?}"));
    }
    assert!(damages > 30, "{damages}");
}

/// A group is put aside: that it was in an epoch is known by what its commits write, if nothing else says so.
#[test]
fn the_epoch_of_a_group_that_is_put_aside_is_read_where_it_is_stored() {
    let (mut alice, _, groups) = with_groups(2);
    let epoch = alice.client.group_info(&groups[1]).unwrap().epoch;
    let group = key::bytes_key(&groups[1]);
    let of_epoch = |category, key: &str| category == Category::EpochRecords && key == group;
    let readable = alice.database.records_where(of_epoch);
    assert_eq!(readable.len(), 1);
    let mut paged = Paged::open(&alice.database);
    paged
        .run(|client| client.note_quarantined(&groups[1], &readable))
        .unwrap();
    let records = paged.client.storage().records().unwrap();
    let former = records
        .iter()
        .find(|it| it.category == Category::FormerGroup && it.key == group);
    let noted: u64 = rmp_serde::from_slice(&former.unwrap().value[9..]).unwrap();
    assert_eq!(noted, epoch);
}

#[test]
fn groups_are_listed_without_being_loaded() {
    let (mut alice, mut bob, groups) = with_groups(5);
    alice
        .client
        .set_group_name(&groups[3], "friends".as_bytes())
        .unwrap();
    let removal = bob.client.group_info(&groups[4]).unwrap().members[0].leaf_index;
    let commit = bob
        .client
        .remove_members(&groups[4], &[removal], None)
        .unwrap();
    alice
        .client
        .process_message(&commit.bytes.unwrap())
        .unwrap();
    alice.save();
    let mut paged = Paged::open(&alice.database);
    let mut stored = paged.database.records();
    stored.retain(|record| record.category == Category::GroupSummary);
    let all = paged.client.group_summaries(&stored, None, None).unwrap();
    assert!(paged.groups_in_memory().is_empty());
    let ids: Vec<_> = all.iter().map(|summary| &summary.group_id).collect();
    let mut sorted: Vec<_> = groups.iter().collect();
    sorted.sort();
    assert_eq!(ids, sorted);
    for summary in &all {
        let info = alice.info(&summary.group_id);
        assert_eq!(summary.epoch, info.epoch);
        assert_eq!(summary.member_count as usize, info.members.len());
        let (name, role) = match &summary.group_id {
            id if *id == groups[3] => ("friends", Role::Member),
            id if *id == groups[4] => ("", Role::FormerMember),
            _ => ("", Role::Member),
        };
        assert_eq!(
            (summary.name.as_slice(), summary.role),
            (name.as_bytes(), role)
        );
    }
    // A page, and what is in memory as it is now.
    let (first, last) = (sorted[0].clone(), sorted[2].clone());
    paged
        .run(|client| client.set_group_name(&last, b"new"))
        .unwrap();
    let page = paged
        .client
        .group_summaries(&stored, Some(&first), Some(&last))
        .unwrap();
    assert_eq!(page.len(), 2);
    assert_eq!(page[1].name, b"new");
    paged.run(|client| client.delete_group(&last)).unwrap();
    let page = paged.client.group_summaries(&stored, None, None).unwrap();
    assert!(page.iter().all(|summary| summary.group_id != last));
    let too_long = paged.run(|client| client.set_group_name(&first, &[0; 1025]));
    assert_eq!(code(too_long), "invalid-argument");
}

#[test]
fn a_page_holds_what_belongs_to_it_and_is_loaded_once() {
    let (alice, _, groups) = with_groups(2);
    let records = alice.database.records();
    let mut client = MlsClient::new();
    let refused = client.hydrate_client(records.clone());
    assert_eq!(code(refused), "malformed-key");
    let mut own = records.clone();
    own.retain(|record| record.category.scope() == Scope::Client);
    client.hydrate_client(own).unwrap();
    let page = |group: &[u8]| Page::Group(key::bytes_key(group));
    let mut both = records;
    both.retain(|record| record.category.scope() == Scope::Group);
    let refused = client.hydrate_page(page(&groups[0]), both.clone());
    assert_eq!(code(refused), "malformed-key");
    both.retain(|record| of_page(record, &page(&groups[0])));
    client.hydrate_page(page(&groups[0]), both.clone()).unwrap();
    client.encrypt_message(&groups[0], b"hello").unwrap();
    // Memory is newer than the database now (G5).
    let refused = client.hydrate_page(page(&groups[0]), both);
    assert_eq!(code(refused), "hydrate-conflict");
}

/// Ids of which one begins with the other, and the empty one, are groups of their own.
#[test]
fn groups_with_ids_that_begin_alike_do_not_mix() {
    let mut alice = Device::new("alice");
    let ids: [&[u8]; 6] = [&[], &[0], &[0xab], &[0xab, 0], &[0xab, 0, 0], &[0xab, 0xff]];
    for id in ids {
        alice.client.create_group(Some(id)).unwrap();
    }
    alice.save();
    let mut client = Paged::open(&alice.database);
    for round in 0..3 {
        for id in ids {
            let info = client.run(|client| client.group_info(id)).unwrap();
            assert_eq!(info.epoch, round);
            client.run(|client| client.self_update(id, None)).unwrap();
            client.client.merge_pending_commit(id).unwrap();
            let batch = client.client.drain_storage_events().unwrap().unwrap();
            let own = key::bytes_key(id);
            for event in &batch.events {
                if event.category.scope() == Scope::Group {
                    assert_eq!(event.key.split('/').next(), Some(own.as_str()));
                }
            }
            client.database.write(&batch);
            client.client.confirm_batch(batch.sequence).unwrap();
            client.release();
        }
    }
    client.run(|client| client.delete_group(&[0xab])).unwrap();
    client.save();
    let mut client = Paged::open(&client.database);
    for id in ids {
        let found = client.run(|client| client.group_info(id));
        assert_eq!(found.is_ok(), id != [0xab]);
    }
}
