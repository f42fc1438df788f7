//! Which records a client must have: all of them are named here, from the model alone.

use std::collections::{BTreeMap, BTreeSet};

use openmls_wasm::storage::{Category, Record};

use super::{
    effect::{Proposed, Psk},
    service::{ClientIndex, GroupIndex},
    view::{GroupView, Held, View},
    world::World,
};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How many records of a category there must be, and their keys where they are known.
enum Must {
    Be(BTreeSet<String>),
    /// Keys of each group with so many elements; the group's key is the first part of theirs.
    List(BTreeMap<String, usize>),
    Count(usize),
    Any,
}

/// Nothing left behind, nothing missing.
pub fn check(world: &World, client: ClientIndex) {
    let device = &world.devices[client];
    let view = &device.view;
    let records = device.everything().apart().records();
    for category in Category::ALL {
        let of = |record: &&Record| record.category == *category;
        let keys: Vec<String> = records
            .iter()
            .filter(of)
            .map(|record| record.key.clone())
            .filter(|key| !is_part(*category, key))
            .collect();
        let whose = format!("{} of client {client}, {}", category.name(), told(view));
        match must(world, client, *category) {
            Must::Be(expected) => {
                let keys: BTreeSet<String> = keys.into_iter().collect();
                assert_eq!(keys, expected, "{whose}");
            }
            Must::Any => {}
            Must::Count(count) => assert_eq!(keys.len(), count, "{whose}: {keys:?}"),
            Must::List(mut expected) => {
                let mut found: BTreeMap<String, usize> = BTreeMap::new();
                for key in keys {
                    let group = key.split('/').next().unwrap().to_owned();
                    *found.entry(group).or_default() += 1;
                }
                expected.retain(|_, count| *count > 0);
                assert_eq!(found, expected, "{whose}");
            }
        }
    }
    check_former_epochs(world, client, &records);
    let known = device.client.external_psks().unwrap();
    let known: BTreeSet<Psk> = known.into_iter().map(Psk::External).collect();
    assert_eq!(known, view.psks);
    if device.is_saved() {
        assert!(
            device.everything() == device.database,
            "memory and database of client {client} differ"
        );
    }
}

/// The last epoch of each former group: what decides which Welcomes are stale, and shows in nothing
/// else until one comes.
fn check_former_epochs(world: &World, client: ClientIndex, records: &[Record]) {
    /// A format tag and a checksum go before the content.
    const HEADER: usize = 9;
    let former = world.devices[client].view.former.iter();
    let former = former.map(|(group, epoch)| (hex(&world.groups[*group].id), *epoch));
    let of = |record: &&Record| record.category == Category::FormerGroup;
    let stored = records.iter().filter(of).map(|record| {
        let epoch = rmp_serde::from_slice(&record.value[HEADER..]).unwrap();
        (record.key.clone(), epoch)
    });
    let stored: BTreeMap<String, u64> = stored.collect();
    assert_eq!(stored, former.collect(), "former epochs of client {client}");
}

fn must(world: &World, client: ClientIndex, category: Category) -> Must {
    let view = &world.devices[client].view;
    let key = |group: &usize| hex(&world.groups[*group].id);
    let one_if = |present: bool| Must::Count(usize::from(present));
    match category {
        Category::Identity => Must::Count(1),
        Category::KeyPackage => {
            let packages = view.packages.iter();
            Must::Be(packages.map(|own| hex(&own.reference)).collect())
        }
        Category::KeyPackageState => Must::Be(view.notes.keys().map(|key| hex(key)).collect()),
        Category::EncryptionKeyPair => {
            let updates = view.groups.values().map(own_updates);
            Must::Count(updates.sum())
        }
        Category::OwnLeafNode => {
            let groups = view.groups.iter();
            let updates = groups.map(|(group, view)| (key(group), own_updates(view)));
            Must::List(updates.collect())
        }
        Category::OwnSignatureKey => {
            let groups = view.groups.keys();
            let keys = groups.map(|group| (key(group), own_keys(view, *group)));
            Must::List(keys.collect())
        }
        Category::SignatureKeyPair => {
            let groups = view.groups.keys().map(|group| own_keys(view, *group));
            Must::Count(1 + usize::from(view.has_generated_key) + groups.sum::<usize>())
        }
        Category::Psk => Must::Count(view.psks.len()),
        // Nobody here restores or moves.
        Category::MovedAway | Category::InertGroup => Must::Count(0),
        Category::Inbox => {
            let items = view.inbox.iter();
            Must::Be(items.map(|item| hex(item.id.as_bytes())).collect())
        }
        Category::Outbox => {
            let held = view.outbox.iter();
            Must::Be(held.map(|held| hex(held.entry.id.as_bytes())).collect())
        }
        Category::GeneratedSignatureKey => one_if(view.has_generated_key),
        Category::LastSequence => one_if(view.has_sequence),
        Category::WelcomeCursor => one_if(view.welcome_cursor.is_some()),
        Category::FormerGroup => Must::Be(view.former.keys().map(key).collect()),
        Category::DeliveryCursor => {
            let groups = view.groups.iter();
            let with_cursor = groups.filter(|(_, group)| group.cursor.is_some());
            Must::Be(with_cursor.map(|(group, _)| key(group)).collect())
        }
        Category::QueuedProposal => {
            let groups = view.groups.iter();
            Must::List(
                groups
                    .map(|(group, view)| (key(group), view.waiting.len()))
                    .collect(),
            )
        }
        // Of databases from before digests were in the root.
        Category::GroupDigest => Must::Count(0),
        // What is in it is looked at here.
        Category::EpochRecords => Must::Count(0),
        // What these say is checked whenever a group is loaded.
        Category::DigestRoot => {
            let joining = view.outbox.iter().any(|held| held.joins.is_some());
            one_if(!view.groups.is_empty() || !view.former.is_empty() || joining)
        }
        Category::DigestNode => Must::Any,
        // No service is asked whether a state is the newest.
        Category::UploadChain => Must::Count(0),
        Category::PendingExternalJoin => {
            let joining = view.outbox.iter().filter(|held| held.joins.is_some());
            Must::Be(joining.map(|held| key(&held.group)).collect())
        }
        Category::EarlyMessageGroup => {
            let groups = view.groups.iter();
            let early = groups.filter(|(_, view)| !view.early.is_empty());
            Must::Be(early.map(|(group, _)| key(group)).collect())
        }
        Category::EarlyMessage => {
            let groups = view.groups.iter();
            let early = groups.map(|(group, view)| (key(group), view.early.len()));
            Must::List(early.collect())
        }
        Category::EpochKeyPairs => {
            let groups = view.groups.iter();
            // A member that was removed opens no commit any more.
            let pairs = groups.filter(|(_, view)| view.active).map(|(group, view)| {
                let GroupView {
                    epoch, own_leaf, ..
                } = view;
                format!("{}/{epoch:016x}/{own_leaf:016x}", key(group))
            });
            Must::Be(pairs.collect())
        }
        Category::MessageSecrets => {
            let groups = view.groups.iter();
            let epochs = groups.flat_map(|(group, view)| {
                // Whoever is removed learns nothing of the epoch that this leads to.
                let last = view.epoch - u64::from(!view.active);
                let known = retained(view).chain([last]);
                known.map(|epoch| format!("{}/{epoch:016x}", key(group)))
            });
            Must::Be(epochs.collect())
        }
        Category::RetainedEpoch => {
            let groups = view.groups.iter();
            let epochs = groups.flat_map(|(group, view)| {
                retained(view).map(|epoch| format!("{}/{epoch:016x}", key(group)))
            });
            Must::Be(epochs.collect())
        }
        Category::JoinConfig
        | Category::GroupSummary
        | Category::PastEpochPolicy
        | Category::Tree
        | Category::InterimTranscriptHash
        | Category::GroupContext
        | Category::ConfirmationTag
        | Category::GroupState
        | Category::ResumptionPskStore
        | Category::OwnLeafIndex
        | Category::GroupEpochSecrets
        | Category::ApplicationExportTree => Must::Be(view.groups.keys().map(key).collect()),
    }
}

/// The epochs that are over and of which late messages can be read.
fn retained(view: &GroupView) -> std::ops::Range<u64> {
    match view.active {
        true => view.oldest.max(view.joined)..view.epoch,
        false => 0..0,
    }
}

/// A part of a value. That none is missing, out of date or left behind, the digest of the group says
/// whenever a database is opened.
fn is_part(category: Category, key: &str) -> bool {
    category.has_parts() && Some(key.split('/').count()) != category.key_parts()
}

/// Own update proposals that wait: each has an HPKE key pair that may yet be needed.
fn own_updates(view: &GroupView) -> usize {
    let is_update = |what: &&Proposed| matches!(what, Proposed::Update { .. });
    view.own_keyed().filter(is_update).count()
}

/// Signature key pairs of a group: of the leaf, of what may replace it.
fn own_keys(view: &View, group: GroupIndex) -> usize {
    let of_group = &view.groups[&group];
    let own = Some(of_group).filter(|group| group.active);
    // The leaf that a pending external commit adds keeps its key too.
    let joining = view.joining_by_commit(group);
    let joining = joining.and_then(|held| held.joins.as_ref()?.key);
    let kept: BTreeSet<u64> = own
        .and_then(|own| own.key)
        .into_iter()
        .chain(joining)
        .collect();
    let proposed = of_group.proposed_keys();
    let committed = view.pending_commit(group).is_some_and(Held::has_new_key);
    kept.len() + proposed + usize::from(committed)
}

/// What a failure should say of the client's groups.
fn told(view: &View) -> String {
    let joins = |group| view.joining_by_commit(group).map(|held| held.entry.epoch);
    let groups = view.groups.iter().map(|(group, view)| {
        let joins = joins(*group);
        let GroupView {
            active,
            epoch,
            waiting,
            key,
            ..
        } = view;
        format!("group {group}: {active} {epoch} {key:?} {joins:?} {waiting:?}")
    });
    groups.collect::<Vec<_>>().join("; ")
}
