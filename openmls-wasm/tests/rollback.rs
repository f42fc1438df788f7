//! A group that is put back as a whole to what it was, or taken away, or is there again: told from a true
//! one, and the end of that group only.

mod common;

use std::collections::BTreeMap;

use common::{code, Database, Device};
use openmls_wasm::{
    storage::{key, Category, Page, Record, Scope},
    ClientError, MlsClient, StorageError,
};
use sha2::Digest as _;

fn group_of(record: &Record) -> &str {
    record.key.split('/').next().unwrap()
}

fn is_of(record: &Record, group: &str) -> bool {
    record.category.scope() == Scope::Group && group_of(record) == group
}

/// A database with all records of `group` as `other` has them.
fn with_group_of(database: &Database, other: &Database, group: &str) -> Database {
    let of_others = database.records().into_iter();
    let of_others = of_others.filter(|record| !is_of(record, group));
    let of_group = other.records().into_iter();
    of_others
        .chain(of_group.filter(|record| is_of(record, group)))
        .collect()
}

/// A client that has nothing of its groups in memory.
fn opened(database: &Database) -> MlsClient {
    let mut client = MlsClient::new();
    let own = database.records_where(|category, _| category.scope() == Scope::Client);
    client.hydrate_client(own).unwrap();
    client
}

fn load(client: &mut MlsClient, database: &Database, page: &Page) -> Result<(), ClientError> {
    let of_page = |category: Category, of: &str| match page {
        Page::Group(group) => {
            category.scope() == Scope::Group && of.split('/').next() == Some(group)
        }
        Page::Category(name) => category == *name,
        Page::Record(name, key) => category == *name && of == key,
    };
    let records = database.records_where(of_page);
    loop {
        match client.hydrate_page(page.clone(), records.clone()) {
            Err(ClientError::Storage(StorageError::NotLoaded(missing))) => {
                load(client, database, &missing)?;
            }
            other => return other,
        }
    }
}

/// Does an operation and loads what it lacks, as the write-behind loop does.
fn run<T>(
    client: &mut MlsClient,
    database: &Database,
    mut operation: impl FnMut(&mut MlsClient) -> Result<T, ClientError>,
) -> Result<T, ClientError> {
    loop {
        match operation(client) {
            Err(ClientError::Storage(StorageError::NotLoaded(page))) => {
                load(client, database, &page)?;
            }
            other => return other,
        }
    }
}

fn load_group(database: &Database, group: &str) -> Result<(), ClientError> {
    load(&mut opened(database), database, &Page::Group(group.into()))
}

/// Whether nothing is amiss: in whole, and group by group.
fn assert_sound(database: &Database) {
    MlsClient::new().hydrate(database.records()).unwrap();
    for group in database.groups() {
        load_group(database, group).unwrap();
    }
}

/// One group is refused by its name, all others work.
fn assert_only_damaged(database: &Database, group: &str, what: &str) {
    let error = load_group(database, group).unwrap_err();
    assert_eq!(error.code(), "damaged-group", "{what}");
    assert!(error.to_string().contains(group), "{what}: {error}");
    for other in database.groups() {
        if other != group {
            load_group(database, other).unwrap();
        }
    }
    let whole = MlsClient::new().hydrate(database.records());
    assert_eq!(code(whole), "damaged-group", "{what}");
}

fn save(client: &mut MlsClient, database: &mut Database) {
    if let Some(batch) = client.drain_storage_events().unwrap() {
        database.write(&batch);
        client.confirm_batch(batch.sequence).unwrap();
    }
}

/// A client in many groups, more than the root itself names, and what its database was when each of them
/// had been made; then each has gone on by a message, in another order.
fn in_groups(count: usize) -> (Database, Vec<Vec<u8>>, BTreeMap<Vec<u8>, Database>) {
    let mut alice = Device::new("alice");
    let mut older = BTreeMap::new();
    let groups: Vec<Vec<u8>> = (0..count)
        .map(|_| {
            let group = alice.client.create_group(None).unwrap();
            alice.save();
            older.insert(group.clone(), alice.database.clone());
            group
        })
        .collect();
    let mut database = alice.database.clone();
    for at in 0..count {
        let group = &groups[(at * 7) % count];
        // Opened anew for each of them: nodes are loaded when groups leave the root.
        let mut client = opened(&database);
        let stored = database.clone();
        run(&mut client, &stored, |client| {
            client.encrypt_message(group, b"hello")
        })
        .unwrap();
        save(&mut client, &mut database);
    }
    (database, groups, older)
}

#[test]
fn every_group_that_is_put_back_as_a_whole_is_told() {
    let (database, groups, older) = in_groups(40);
    assert_sound(&database);
    assert!(database.count(Category::DigestNode) > 2);
    for group in &groups {
        let name = key::bytes_key(group);
        let put_back = with_group_of(&database, &older[group], &name);
        assert_only_damaged(&put_back, &name, "put back");
        let taken_away = with_group_of(&database, &Database::default(), &name);
        assert_only_damaged(&taken_away, &name, "taken away");
        // As the app sees it: neither is it taken for a group that does not exist.
        let mut client = opened(&taken_away);
        let created = run(&mut client, &taken_away, |client| {
            client.create_group(Some(group))
        });
        assert_eq!(code(created), "damaged-group");
    }
}

/// Reads after each other are what opening a client in many groups would take longest for (G9).
#[test]
fn a_group_that_is_loaded_with_its_nodes_asks_for_nothing_else() {
    let (database, groups, _) = in_groups(60);
    let mut nodes = 0;
    for group in &groups {
        let name = key::bytes_key(group);
        let mut client = opened(&database);
        for node in client.nodes_to_load(&name).unwrap() {
            let of_key = |category, key: &str| category == Category::DigestNode && key == node;
            let record = database.records_where(of_key);
            let page = Page::Record(Category::DigestNode, node.clone());
            client.hydrate_page(page, record).unwrap();
            nodes += 1;
        }
        assert_eq!(client.nodes_to_load(&name).unwrap(), Vec::<String>::new());
        let of_group = |category: Category, key: &str| {
            category.scope() == Scope::Group && key.split('/').next() == Some(&name)
        };
        let records = database.records_where(of_group);
        client.hydrate_page(Page::Group(name), records).unwrap();
        client.encrypt_message(group, b"hello").unwrap();
        client.drain_storage_events().unwrap().unwrap();
    }
    assert!(nodes > 100, "{nodes}");
}

#[test]
fn every_record_that_is_put_back_is_told() {
    let (database, groups, older) = in_groups(20);
    let mut told = 0;
    for group in &groups {
        let name = key::bytes_key(group);
        let before = older[group].records();
        for record in before.iter().filter(|record| is_of(record, &name)) {
            let is_it =
                |other: &Record| other.category == record.category && other.key == record.key;
            let now = database.records().into_iter();
            let put_back: Database = now
                .filter(|other| !is_it(other))
                .chain([record.clone()])
                .collect();
            if put_back != database {
                assert_only_damaged(&put_back, &name, record.category.name());
                told += 1;
            }
        }
    }
    assert!(told >= groups.len(), "{told}");
}

#[test]
fn a_deleted_group_that_is_there_again_is_told() {
    let (database, groups, _) = in_groups(40);
    for group in [&groups[0], &groups[20], &groups[39]] {
        let name = key::bytes_key(group);
        let mut client = opened(&database);
        let mut after = database.clone();
        run(&mut client, &database, |client| client.delete_group(group)).unwrap();
        save(&mut client, &mut after);
        assert_sound(&after);
        let again = with_group_of(&after, &database, &name);
        assert_only_damaged(&again, &name, "there again");
    }
}

/// The root is put back alone: every group that has changed since is refused, no other is.
#[test]
fn a_root_that_is_put_back_or_gone_is_told_by_the_groups() {
    let (database, groups, older) = in_groups(10);
    let is_root = |record: &Record| record.category.name().starts_with("digest_");
    let without = database.records().into_iter();
    let without: Database = without.filter(|record| !is_root(record)).collect();
    let roots = older[&groups[9]].records().into_iter();
    let roots: Database = without
        .records()
        .into_iter()
        .chain(roots.filter(is_root))
        .collect();
    for group in &groups {
        let name = key::bytes_key(group);
        assert_eq!(code(load_group(&roots, &name)), "damaged-group");
        assert_eq!(code(load_group(&without, &name)), "damaged-group");
    }
}

/// The way out of a damaged node: its groups are put aside, and then there is nothing that it keeps out.
#[test]
fn a_damaged_node_begins_anew_when_its_groups_are_put_aside() {
    let (database, groups, _) = in_groups(60);
    let nodes = database.records_where(|category, _| category == Category::DigestNode);
    let without = |node: &Record| -> Database {
        let is_it = |record: &Record| record.category == node.category && record.key == node.key;
        let rest = database.records().into_iter();
        rest.filter(|record| !is_it(record)).collect()
    };
    let lost_without = |node: &Record| -> Vec<Vec<u8>> {
        let damaged = without(node);
        let is_lost = |group: &&Vec<u8>| load_group(&damaged, &key::bytes_key(group)).is_err();
        groups.iter().filter(is_lost).cloned().collect()
    };
    // A branch and a leaf: the last of each that has groups which the root does not name. (Group ids are
    // random here: any one node may have none.)
    let costs_a_group = |node: &&Record| !lost_without(node).is_empty();
    let is_branch = |node: &&Record| node.key.as_str() < "0000000000000010";
    let branch = nodes.iter().filter(is_branch).rfind(costs_a_group);
    let leaf = nodes
        .iter()
        .rfind(|node| !is_branch(node) && costs_a_group(node));
    for node in [branch.unwrap(), leaf.unwrap()] {
        let mut damaged = without(node);
        let lost = lost_without(node);
        let mut client = opened(&damaged);
        for group in &lost {
            let stored = damaged.clone();
            run(&mut client, &stored, |client| {
                client.note_quarantined(group, &[])
            })
            .unwrap();
            let name = key::bytes_key(group);
            let others = damaged.records().into_iter();
            damaged = others.filter(|record| !is_of(record, &name)).collect();
            save(&mut client, &mut damaged);
        }
        // Groups that the app names, and that belong to that node.
        let number = u64::from_str_radix(&node.key, 16).unwrap();
        let belongs = |group: &Vec<u8>| {
            let first = u64::from(sha2::Sha256::digest(key::bytes_key(group))[0]);
            [first / 16, 16 + first].contains(&number)
        };
        let chosen = (0..u64::MAX).map(|number| number.to_be_bytes().to_vec());
        for group in chosen.filter(belongs).take(20) {
            let stored = damaged.clone();
            run(&mut client, &stored, |client| {
                client.create_group(Some(&group))
            })
            .unwrap();
            save(&mut client, &mut damaged);
        }
        assert_sound(&damaged);
    }
}

/// A node of the tree that is put back, damaged or gone: the end of the groups in it, and of no other.
#[test]
fn a_node_that_is_damaged_costs_the_groups_in_it() {
    let (database, groups, older) = in_groups(60);
    let is_node = |record: &&Record| record.category == Category::DigestNode;
    let nodes = database.records();
    let older = older[&groups[45]].records();
    let mut told = 0;
    for (at, node) in nodes.iter().filter(is_node).enumerate() {
        let is_it = |other: &Record| other.category == node.category && other.key == node.key;
        let rest = database.records().into_iter().filter(|it| !is_it(it));
        let mut damaged: Database = rest.collect();
        if let Some(old) = older.iter().find(|it| is_it(it)) {
            let put_back: Vec<_> = damaged.records().into_iter().chain([old.clone()]).collect();
            damaged = put_back.into_iter().collect();
        }
        let refused = |group: &&Vec<u8>| match load_group(&damaged, &key::bytes_key(group)) {
            Ok(()) => false,
            Err(error) => {
                assert_eq!(error.code(), "damaged-group");
                true
            }
        };
        let (lost, kept): (Vec<_>, Vec<_>) = groups.iter().partition(refused);
        // Of a leaf whose groups have all changed since, the root names them.
        told += lost.len();
        assert!(kept.len() >= 16, "those that the root names");
        if at % 12 != 0 {
            continue;
        }
        // The others go on, also when the root has no room for all that it should name.
        let mut client = opened(&damaged);
        let mut after = damaged.clone();
        for group in kept.iter().chain(&kept) {
            let stored = after.clone();
            run(&mut client, &stored, |client| {
                client.encrypt_message(group, b"on")
            })
            .unwrap();
            save(&mut client, &mut after);
        }
        for group in kept {
            load_group(&after, &key::bytes_key(group)).unwrap();
        }
        for group in lost {
            assert_eq!(
                code(load_group(&after, &key::bytes_key(group))),
                "damaged-group"
            );
        }
        let root = after.records_where(|category, _| category == Category::DigestRoot);
        assert!(root[0].value.len() < 700, "{}", root[0].value.len());
    }
    // Each of those that the root does not name is in a branch and a leaf.
    assert!(told >= 2 * (groups.len() - 16), "{told}");
}

#[test]
fn a_database_from_before_there_was_a_root_gets_one_group_by_group() {
    let (database, groups, _) = in_groups(20);
    for as_bytes in [false, true] {
        let is_of_root = |record: &Record| record.category.name().starts_with("digest_");
        let former = database.records().into_iter();
        let former = former.filter(|record| !is_of_root(record));
        let former: Database = former
            .chain(common::former_digests(&database, as_bytes))
            .collect();
        assert_sound(&former);
        assert_eq!(former.count(Category::GroupDigest), groups.len());
        let mut client = opened(&former);
        let mut after = former.clone();
        for group in &groups {
            // Until it changes, its own record tells of what does not belong to it.
            let name = key::bytes_key(group);
            let is_summary =
                |record: &Record| record.category == Category::GroupSummary && record.key == name;
            let rest = after.records().into_iter();
            let without: Database = rest.filter(|record| !is_summary(record)).collect();
            assert_only_damaged(&without, &name, "a record less");
            run(&mut client, &former, |client| {
                client.encrypt_message(group, b"hello")
            })
            .unwrap();
            save(&mut client, &mut after);
            assert_sound(&after);
            assert_only_damaged(&with_group_of(&after, &former, &name), &name, "put back");
        }
        assert_eq!(after.count(Category::GroupDigest), 0);
    }
}

#[test]
fn an_operation_that_fails_or_is_rolled_back_leaves_the_root_as_it_was() {
    let (database, groups, _) = in_groups(40);
    let mut client = opened(&database);
    for group in &groups {
        run(&mut client, &database, |client| client.group_info(group)).unwrap();
    }
    let is_node = |category, _: &str| category == Category::DigestNode;
    for node in database.records_where(is_node) {
        let page = Page::Record(node.category, node.key);
        load(&mut client, &database, &page).unwrap();
    }
    let roots = |client: &MlsClient| {
        let records = Database::of(client);
        records.records_where(|category, _| category.name().starts_with("digest_"))
    };
    let values = |client: &MlsClient| -> Vec<_> {
        let records = roots(client).into_iter();
        records.map(|record| (record.key, record.value)).collect()
    };
    let before = values(&client);
    for group in &groups {
        client.encrypt_message(group, b"hello").unwrap();
    }
    assert_ne!(values(&client), before);
    client.roll_back_unconfirmed().unwrap();
    assert_eq!(values(&client), before);
    client.storage().fail_after(Some(0)).unwrap();
    assert!(client.encrypt_message(&groups[3], b"hello").is_err());
    assert_eq!(values(&client), before);
    assert!(!client.storage().is_dirty().unwrap());
}
