//! The invariants.

use std::collections::BTreeSet;

use openmls_wasm::client::{
    Extension, InboxContent, InboxItem, Party, PendingProposal, ProposalInfo, ProposalSender,
    PskUsage,
};

use super::{
    commits,
    device::APP_PROPOSAL,
    effect::{Context, Proposed, Psk, Sender},
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
            let ids = self.devices[client].client.list_groups().unwrap();
            ids.iter().map(|id| self.index_of(id)).collect()
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

    /// Whether a proposal that the client shows is this one.
    pub fn is_of(&self, shown: &PendingProposal, waiting: &Waiting) -> bool {
        let (by, _) = self.proposer(&shown.sender);
        by == waiting.by
            && match (&shown.proposal, &waiting.what) {
                (ProposalInfo::Add { added }, Proposed::Add(client, _)) => {
                    self.who(added) == *client
                }
                (ProposalInfo::Remove { leaf_index, .. }, Proposed::Remove(leaf)) => {
                    leaf_index == leaf
                }
                (ProposalInfo::Remove { leaf_index, .. }, Proposed::Leave { .. }) => {
                    Some(*leaf_index) == waiting.by.leaf()
                }
                (ProposalInfo::SelfRemove, Proposed::Leave { by_self_remove }) => *by_self_remove,
                (ProposalInfo::Update { updated }, Proposed::Update { .. }) => {
                    matches!(&shown.sender, ProposalSender::Member(sender)
                        if self.who(sender) == self.who(updated))
                }
                (ProposalInfo::ExternalPsk { psk_id }, Proposed::Psk(Psk::External(id))) => {
                    psk_id == id
                }
                (
                    ProposalInfo::ResumptionPsk { epoch, usage, .. },
                    Proposed::Psk(Psk::Resumption(of)),
                ) => (epoch, *usage) == (of, PskUsage::Application),
                (
                    ProposalInfo::GroupContextExtensions { extensions },
                    Proposed::Extensions(context),
                ) => *extensions == self.extensions(context),
                (ProposalInfo::AppDefined { payload, .. }, Proposed::AppDefined(sent)) => {
                    payload == sent
                }
                _ => false,
            }
    }

    /// Who proposed, and as what. Of a listed sender only its place is told.
    fn proposer(&self, sender: &ProposalSender) -> (Sender, Option<ClientIndex>) {
        match sender {
            ProposalSender::Member(member) => {
                let from = self.who(member);
                (Sender::Member(member.leaf_index), Some(from))
            }
            ProposalSender::External { index } => (Sender::External(*index), None),
            ProposalSender::NewMemberProposal => (Sender::NewMember, None),
            other => panic!("{other:?} proposed"),
        }
    }

    /// The extensions of a group context.
    pub fn extensions(&self, context: &Context) -> Vec<Extension> {
        let mut extensions = vec![];
        if context.requires_app_proposal {
            extensions.push(Extension::RequiredCapabilities {
                extension_types: vec![],
                proposal_types: vec![APP_PROPOSAL],
                credential_types: vec![1],
            });
        }
        let party = |client: &ClientIndex| self.devices[*client].party.clone();
        let senders: Vec<Party> = context.senders.iter().map(party).collect();
        if !senders.is_empty() {
            extensions.push(Extension::ExternalSenders { senders });
        }
        extensions
    }

    /// Every few dozen steps: all clients, all groups, all records, all histories.
    pub fn check_everything(&mut self) {
        for client in 0..self.devices.len() {
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

    /// An item, told without types of the client.
    pub fn item(&self, item: &InboxItem) -> Item {
        Item {
            id: item.id.clone(),
            group: (!item.group_id.is_empty()).then(|| self.index_of(&item.group_id)),
            position: item.position,
            said: self.said(&item.content),
        }
    }

    pub fn said(&self, content: &InboxContent) -> Said {
        match content {
            InboxContent::Message {
                sender,
                epoch,
                plaintext,
                authenticated_data,
            } => Said::Message {
                from: self.who(sender),
                leaf: sender.leaf_index,
                epoch: *epoch,
                plaintext: plaintext.clone(),
                data: authenticated_data.clone(),
            },
            InboxContent::Sent {
                epoch, plaintext, ..
            } => Said::Sent {
                epoch: *epoch,
                plaintext: plaintext.clone(),
            },
            InboxContent::Proposal {
                sender,
                epoch,
                proposal,
                ..
            } => {
                let (by, from) = self.proposer(sender);
                let newcomer = match (by, proposal) {
                    (Sender::NewMember, ProposalInfo::Add { added }) => Some(self.who(added)),
                    _ => None,
                };
                Said::Proposal {
                    by,
                    from: from.or(newcomer),
                    epoch: *epoch,
                }
            }
            InboxContent::Commit {
                own,
                sender,
                epoch,
                added,
                removed,
                self_removed,
                superseded,
                external,
                proposals,
                ..
            } => Said::Commit {
                own: *own,
                from: self.who(sender.as_ref().expect("a member committed")),
                epoch: *epoch,
                added: added.iter().map(|p| self.who(p)).collect(),
                removed: removed.iter().map(|m| self.who(m)).collect(),
                self_removed: *self_removed,
                superseded: superseded.clone(),
                listed: (!external).then(|| commits::listed(proposals)),
            },
            InboxContent::Joined { epoch, .. } => Said::Joined { epoch: *epoch },
            InboxContent::Failed { code, .. } => Said::Failed { code: code.clone() },
            InboxContent::OwnMessage => Said::OwnMessage,
        }
    }
}
