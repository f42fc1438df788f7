//! What came before its epoch: processed when that is reached, or held for the app.

use super::{
    aside::{inspect, receive_without_position},
    device::Expected,
    service::{ClientIndex, GroupIndex, Sent, What},
    view::{Item, Said},
    world::World,
};

/// The app looks at what came early and is held for it.
pub fn take_held(world: &mut World, client: ClientIndex) -> bool {
    let view = &world.devices[client].view;
    let groups = view.groups.keys();
    let due = groups.filter_map(|group| view.next_early(*group, &[], |_| false));
    let due: Vec<_> = due.map(|early| early.sent).collect();
    let Some(sent) = world.rng.pick(&due) else {
        return false;
    };
    let joining = world.devices[client].view.joining_by_commit(sent.group);
    if joining.is_some() {
        return false;
    }
    inspect(world, client, &sent);
    receive_without_position(world, client, &sent);
    true
}

/// What has come too early is processed by whatever reaches its epoch.
pub fn early(world: &mut World, client: ClientIndex, group: GroupIndex) {
    let items = world.devices[client].client.take_early_items();
    let mut items = items
        .iter()
        .map(|item| world.item(item))
        .collect::<Vec<_>>()
        .into_iter();
    let mut tried: Vec<u64> = vec![];
    loop {
        let World {
            devices, groups, ..
        } = world;
        let view = &mut devices[client].view;
        let holds = view.holds_handshakes;
        let is_held = |sent: &Sent| holds && !matches!(sent.what, What::Message { .. });
        let Some(early) = view.next_early(group, &tried, is_held) else {
            break;
        };
        tried.push(early.order);
        let own = view
            .outbox
            .iter()
            .any(|held| held.entry.bytes.as_ref() == Some(&early.sent.bytes));
        assert!(!own, "own messages do not travel beside the log");
        let mut next = view.clone();
        let processed = next.process(&groups[group], &early.sent);
        if processed == Err("unknown-psk") {
            continue; // it stays
        }
        *view = next;
        let said = match processed {
            Err(code) => Said::Failed { code: code.into() },
            Ok(said) => said,
        };
        view.forget_early(group, &early.sent);
        if said == Said::OwnMessage {
            continue;
        }
        let item = items.next();
        let shown = item.as_ref().map(|item| item.id.clone());
        let free = early
            .id
            .filter(|id| view.inbox.iter().all(|item| item.id != *id));
        let expected = Item {
            id: free.or(shown).unwrap_or_default(),
            group: Some(group),
            position: None,
            said,
        };
        assert_eq!(item.as_ref(), Some(&expected), "what came early");
        assert!(view.inbox.iter().all(|other| other.id != expected.id));
        view.inbox.push(expected);
        world.tally("  an early message was processed".into());
    }
    assert_eq!(items.next(), None, "more was early than should be");
    let view = world.devices[client].view.groups.get(&group);
    if view.is_some_and(|view| !view.early.is_empty()) {
        next_early(world, client, group);
    }
}

/// What is kept although its epoch is there: it failed for a reason that may go away.
fn next_early(world: &mut World, client: ClientIndex, group: GroupIndex) {
    let id = world.groups[group].id.clone();
    let mut after: Option<Vec<u8>> = None;
    let mut tried = vec![];
    while let Some(next) = world.devices[client]
        .view
        .next_early(group, &tried, |_| false)
    {
        let shown = world.look(client, Expected::Ok, |mls| {
            mls.next_early_message(&id, after.as_deref())
        });
        let shown = shown.unwrap().map(|early| early.bytes);
        assert_eq!(shown.as_ref(), Some(&next.sent.bytes));
        tried.push(next.order);
        after = shown;
    }
    let shown = world.look(client, Expected::Ok, |mls| {
        mls.next_early_message(&id, after.as_deref())
    });
    assert!(shown.unwrap().is_none() || after.is_none());
}
