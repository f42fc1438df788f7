//! The invariants.

use std::collections::BTreeSet;

use openmls_wasm::client::InboxItem;

use super::{
    records,
    service::{ClientIndex, EpochSaid, GroupIndex, What},
    view::{Item, Said, Waiting},
    world::World,
};

impl World {
    /// After every step: what the client that acted shows of itself, of each of its groups and of its
    /// records is what the model says. No step changes any other client.
    pub fn check_client(&mut self, client: ClientIndex) {
        let shown: BTreeSet<GroupIndex> = {
            let device = &mut self.devices[client];
            device.load_all();
            let groups = device.client.group_summaries(&[], None, None).unwrap();
            let ids = groups.iter().map(|group| &group.group_id);
            ids.map(|id| self.index_of(id)).collect()
        };
        let expected = self.devices[client].view.groups.keys().copied().collect();
        assert_eq!(shown, expected, "groups of client {client}");
        let inbox = self.devices[client].client.inbox().unwrap();
        let items: Vec<Item> = inbox.iter().map(|item| self.item(item)).collect();
        assert_eq!(items, self.devices[client].view.inbox, "inbox of {client}");
        let in_order = |pair: &[InboxItem]| pair[0].sequence < pair[1].sequence;
        assert!(inbox.windows(2).all(in_order), "the inbox is in order");
        let outbox = self.devices[client].client.outbox().unwrap();
        let held = self.devices[client].view.outbox.iter();
        assert!(
            outbox.iter().eq(held.map(|held| &held.entry)),
            "outbox of client {client}: {:?}",
            outbox.iter().map(|entry| &entry.id).collect::<Vec<_>>()
        );
        let cursor = self.devices[client].client.welcome_cursor().unwrap();
        assert_eq!(cursor, self.devices[client].view.welcome_cursor);
        self.check_groups(client);
        records::check(self, client);
    }

    fn check_groups(&mut self, client: ClientIndex) {
        let groups = self.devices[client].view.groups.keys();
        for group in groups.copied().collect::<Vec<GroupIndex>>() {
            self.check_group(client, group);
        }
    }

    /// Same group and epoch, same authenticator and members.
    pub fn check_group(&mut self, client: ClientIndex, group: GroupIndex) {
        let id = self.groups[group].id.clone();
        let info = self.devices[client].client.group_info(&id).unwrap();
        let cursor = self.devices[client].client.delivery_cursor(&id).unwrap();
        let pending = self.devices[client].view.pending_commit(group);
        let pending = pending.is_some_and(|held| held.joins.is_none());
        let view = self.view(client, group);
        assert_eq!(info.is_active, view.active, "is client {client} a member?");
        assert_eq!(info.epoch, view.epoch, "epoch of client {client}");
        assert_eq!(cursor, view.cursor, "cursor of client {client}");
        assert_eq!(info.pending_proposals, view.waiting.len());
        let early = self.devices[client].client.early_messages(&id).unwrap();
        let mut early: Vec<_> = early.into_iter().map(|early| early.bytes).collect();
        let mut held: Vec<_> = view.early.iter().map(|early| &early.sent.bytes).collect();
        early.sort();
        held.sort();
        assert!(early.iter().eq(held), "early messages of client {client}");
        assert_eq!(info.settings, view.settings, "settings of client {client}");
        if !view.active {
            return;
        }
        assert_eq!(info.has_pending_commit, pending);
        assert_eq!(info.own_leaf_index, view.own_leaf);
        let context = &self.groups[group].epochs[info.epoch as usize].context;
        assert_eq!(info.extensions, self.extensions(context), "extensions");
        let shown = info
            .members
            .iter()
            .map(|member| (member.leaf_index, self.who(member)))
            .collect();
        let exported = self.devices[client]
            .client
            .export_secret(&id, "walk", &[], 16)
            .unwrap();
        let tree = self.devices[client]
            .client
            .export_ratchet_tree(&id)
            .unwrap();
        let said = EpochSaid {
            authenticator: info.epoch_authenticator,
            members: info.members,
            exported,
        };
        let epoch = &mut self.groups[group].epochs[info.epoch as usize];
        assert_eq!(epoch.members, shown, "members");
        let known = epoch.tree.get_or_insert_with(|| tree.clone());
        assert_eq!(*known, tree, "the ratchet tree");
        let known = epoch.said.get_or_insert_with(|| said.clone());
        assert_eq!(*known, said, "the group has forked");
        self.check_proposals(client, group);
    }

    /// What waits for a commit, by whom and of what kind.
    fn check_proposals(&mut self, client: ClientIndex, group: GroupIndex) {
        let id = &self.groups[group].id;
        let shown = self.devices[client].client.pending_proposals(id).unwrap();
        let waiting = &self.view(client, group).waiting;
        assert_eq!(shown.len(), waiting.len());
        let mut waiting = waiting.clone();
        for shown in &shown {
            let same = |waiting: &Waiting| self.is_of(shown, waiting);
            let found = waiting.iter().position(same);
            waiting.remove(found.unwrap_or_else(|| panic!("{shown:?} is none of {waiting:?}")));
        }
    }

    /// Every few dozen steps: all clients, all groups, all records, all histories.
    pub fn check_everything(&mut self) {
        for client in 0..self.devices.len() {
            self.devices[client].load_all();
            self.check_groups(client);
            records::check(self, client);
            self.check_history(client);
        }
        for group in &self.groups {
            let mut seen = BTreeSet::new();
            let said = group.epochs.iter().filter_map(|epoch| epoch.said.as_ref());
            let mut known = said.map(|said| (&said.authenticator, &said.exported));
            assert!(
                known.all(|(authenticator, secret)| {
                    seen.insert(authenticator) && seen.insert(secret)
                }),
                "no two epochs have the same authenticator"
            );
        }
    }

    /// Every message that the service ordered and that is for this client was read once, in order.
    ///
    /// It follows from the log, and from when the client came and went; nothing of the model's
    /// ratchets is in it. Where messages also travel outside the log, they may be read before.
    fn check_history(&self, client: ClientIndex) {
        let device = &self.devices[client];
        let mut ids = BTreeSet::new();
        for entries in device.history.values() {
            let unique = entries.iter().all(|read| ids.insert(&read.id));
            assert!(unique, "client {client} saved an id twice");
        }
        for session in &device.view.sessions {
            let group = &self.groups[session.group];
            if !group.strict {
                continue;
            }
            let log = (1..).zip(&group.log);
            let for_client = log.filter(|(position, sent)| {
                *position > session.from
                    && *position <= session.to
                    && sent.sender != client
                    && sent.epoch >= session.joined
                    && !session.refused.contains(position)
                    && matches!(sent.what, What::Message { .. })
            });
            let expected: Vec<_> = for_client.map(|(position, _)| position).collect();
            let within = |position: &u64| *position > session.from && *position <= session.to;
            let mut read: Vec<u64> = vec![];
            let history = device.history.get(&session.group).into_iter().flatten();
            for saved in history {
                if let Some(position) = saved.position.filter(within) {
                    let sent = &group.log[position as usize - 1];
                    let What::Message { plaintext, .. } = &sent.what else {
                        panic!("{} is no message", saved.id);
                    };
                    assert_eq!(*plaintext, saved.text);
                    read.push(position);
                }
            }
            let inbox = device.view.inbox.iter().filter(|item| {
                item.group == Some(session.group) && matches!(item.said, Said::Message { .. })
            });
            let unsaved = inbox.filter_map(|item| item.position.filter(within));
            for position in unsaved {
                // Handed over and not acknowledged: it may be saved already.
                if !read.contains(&position) {
                    read.push(position);
                }
            }
            assert_eq!(
                read, expected,
                "what client {client} read in group {}: {session:?}",
                session.group
            );
        }
    }
}
