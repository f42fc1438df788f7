//! What one client must look like: the model that its observable state is compared with.
//!
//! It is a value: what a crash undoes in the client is undone here by going back to a copy.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use openmls_wasm::client::{GroupSettings, OutboxKind};

use super::{
    effect::{Effect, Proposed, Psk, Sender},
    service::{Group, GroupIndex, Members, Sent, Welcome, What},
};
pub use super::{group_view::*, items::*};

/// All that one client knows.
#[derive(Clone, Default)]
pub struct View {
    pub groups: BTreeMap<GroupIndex, GroupView>,
    /// The last epoch of groups that were deleted or joined anew.
    pub former: BTreeMap<GroupIndex, u64>,
    pub packages: Vec<Package>,
    /// What is known of key packages, by reference, those of others too.
    pub notes: BTreeMap<Vec<u8>, Note>,
    /// The external ones.
    pub psks: BTreeSet<Psk>,
    /// Whether its credentials are certificates, and a signature key waits for one.
    pub is_certified: bool,
    /// Whether the app looks at early proposals and commits itself.
    pub holds_handshakes: bool,
    pub has_generated_key: bool,
    pub inbox: Vec<Item>,
    pub outbox: Vec<Held>,
    pub welcome_cursor: Option<u64>,
    pub has_sequence: bool,
    pub sessions: Vec<Session>,
    /// What the next group is joined with.
    pub next_settings: GroupSettings,
}

impl View {
    pub fn pending_commit(&self, group: GroupIndex) -> Option<&Held> {
        let commit = |held: &&Held| held.entry.kind == OutboxKind::Commit && held.group == group;
        self.outbox.iter().find(commit)
    }

    /// The external commit by which this client is about to join.
    pub fn joining_by_commit(&self, group: GroupIndex) -> Option<&Held> {
        let held = self.pending_commit(group);
        held.filter(|held| held.joins.is_some())
    }

    pub fn has_psk(&self, group: GroupIndex, psk: &Psk) -> bool {
        let view = self.groups.get(&group);
        self.psks.contains(psk) || view.is_some_and(|view| view.resumption.has(psk))
    }

    /// Why a commit or a leave proposal is refused, if it is.
    pub fn refusal(&self, group: GroupIndex) -> Result<(), &'static str> {
        let view = self.groups.get(&group).ok_or("group-not-found")?;
        if !view.active {
            return Err("group-inactive");
        }
        if self.pending_commit(group).is_some() {
            return Err("pending-commit");
        }
        if view.is_leaving() {
            return Err("leave-pending");
        }
        Ok(())
    }

    /// What processing a message must give. On `Err` nothing has changed.
    pub fn process(&mut self, group: &Group, sent: &Sent) -> Result<Said, &'static str> {
        // An external commit may be for an epoch that is still to come.
        let superseded = self
            .pending_commit(sent.group)
            .filter(|held| held.entry.epoch <= sent.epoch)
            .map(|held| held.entry.id.clone());
        let view = self.groups.get_mut(&sent.group).ok_or("group-not-found")?;
        if !view.active {
            return Err("group-inactive");
        }
        if sent.epoch > view.epoch {
            return Err("future-epoch");
        }
        let behind = view.epoch - sent.epoch;
        let is_message = sent.kind() == OutboxKind::Message;
        let is_kept = sent.epoch >= view.oldest.max(view.joined);
        if behind > 0 && !(is_message && is_kept) {
            return Err("past-epoch");
        }
        if let (true, Sender::Member(leaf)) = (sent.private, sent.by) {
            if leaf == view.own_leaf {
                return Ok(Said::OwnMessage);
            }
            let ratchet = (sent.epoch, leaf, is_message);
            let ratchet = view.ratchets.entry(ratchet).or_default();
            let opened = ratchet.open(sent.generation, &view.settings);
            opened.map_err(|code| match code {
                "too-far-out-of-order" if behind > 0 => "past-epoch",
                code => code,
            })?;
        }
        let from = sent.sender;
        Ok(match &sent.what {
            What::Message { plaintext, data } => Said::Message {
                from,
                leaf: sent.by.leaf().unwrap(),
                epoch: sent.epoch,
                plaintext: plaintext.clone(),
                data: data.clone(),
            },
            What::Proposal(what) => {
                let waiting = Waiting {
                    id: sent.id.clone(),
                    by: sent.by,
                    what: what.clone(),
                    data: vec![],
                    has_keys: sent.by != Sender::Member(view.own_leaf),
                };
                // One that was dropped waits again when it comes back, if it can be read.
                let is_known = view.waiting.iter().any(|known| known.id == waiting.id);
                if is_known && !waiting.has_keys {
                    return Ok(Said::OwnMessage);
                }
                let context = &group.epochs[view.epoch as usize].context;
                if !context.admits(sent.by, sent.sender) {
                    return Err("invalid-message");
                }
                // From outside the same words are the same message: there is no nonce in it.
                let is_same = |known: &Waiting| {
                    let words = (known.by, &known.what) == (sent.by, what);
                    known.id == waiting.id || sent.by.leaf().is_none() && words
                };
                if view.waiting.iter().any(is_same) {
                    return Err("duplicate-message");
                }
                view.waiting.push(waiting);
                let is_named = !matches!(sent.by, Sender::External(_));
                Said::Proposal {
                    by: sent.by,
                    from: is_named.then_some(from),
                    epoch: sent.epoch,
                }
            }
            What::Commit(effect) => {
                let self_removed = effect.removed.contains(&view.own_leaf);
                let has = |one: &(Sender, Proposed)| {
                    let mut waiting = view.waiting.iter();
                    waiting.any(|waiting| (waiting.by, &waiting.what) == (one.0, &one.1))
                };
                let is_lost = |one: &(Sender, Proposed)| {
                    let mut waiting = view.waiting.iter();
                    waiting.any(|waiting| {
                        let is_same = (waiting.by, &waiting.what) == (one.0, &one.1);
                        let is_update = matches!(one.1, Proposed::Update { .. });
                        is_same && is_update && !waiting.has_keys
                    })
                };
                if !effect.references.iter().all(has) || effect.references.iter().any(is_lost) {
                    return Err("invalid-message");
                }
                // Whoever is removed needs no secret of the next epoch.
                let has = |psk: &Psk| view.resumption.has(psk) || self.psks.contains(psk);
                if !self_removed && !effect.psks.iter().all(has) {
                    return Err("unknown-psk");
                }
                let members = &group.epochs[view.epoch as usize].members;
                let lost = self.outbox.iter();
                let lost = lost.filter(|held| superseded.as_ref() == Some(&held.entry.id));
                let lost = lost.filter(|held| held.has_new_key()).count();
                self.outbox
                    .retain(|held| superseded.as_ref() != Some(&held.entry.id));
                let said = committed(false, sent, members, effect, self_removed, superseded);
                let lost = lost + view.advance(effect, false);
                self.lose(lost > 0);
                said
            }
        })
    }

    /// Keeps a message until its epoch is there, once.
    pub fn keep_early(&mut self, sent: &Rc<Sent>, id: Option<String>) {
        self.has_sequence = true;
        let early = &mut self.groups.get_mut(&sent.group).unwrap().early;
        if early.iter().all(|early| early.sent.bytes != sent.bytes) {
            let order = early.iter().map(|early| early.order + 1).max();
            early.push(Early {
                order: order.unwrap_or(0),
                id,
                sent: sent.clone(),
            });
        }
    }

    pub fn forget_early(&mut self, group: GroupIndex, sent: &Sent) {
        if let Some(view) = self.groups.get_mut(&group) {
            view.early.retain(|early| early.sent.bytes != sent.bytes);
        }
    }

    /// The next of those whose epoch is there: by epoch, commits last, in the order they came in.
    pub fn next_early(
        &self,
        group: GroupIndex,
        tried: &[u64],
        is_held: impl Fn(&Sent) -> bool,
    ) -> Option<Early> {
        let view = self.groups.get(&group)?;
        let due = view
            .early
            .iter()
            .filter(|early| early.sent.epoch <= view.epoch && !tried.contains(&early.order))
            .filter(|early| !is_held(&early.sent));
        let kind = |sent: &Sent| match sent.kind() {
            OutboxKind::Message => 0,
            OutboxKind::Proposal => 1,
            OutboxKind::Commit => 2,
        };
        due.min_by_key(|early| (early.sent.epoch, kind(&early.sent), early.order))
            .cloned()
    }

    /// What the echo of an own outbox entry must give.
    pub fn accept_own(&mut self, group: &Group, sent: &Sent) -> Option<Said> {
        self.outbox.retain(|held| held.entry.id != sent.id);
        let What::Commit(effect) = &sent.what else {
            return None;
        };
        let view = self.groups.get_mut(&sent.group).unwrap();
        let members = &group.epochs[view.epoch as usize].members;
        let said = committed(true, sent, members, effect, false, None);
        let lost = view.advance(effect, true);
        self.lose(lost > 0);
        Some(said)
    }

    /// A new signature key came to nothing: if there is a certificate for it, it waits again.
    pub fn lose(&mut self, has_lost: bool) {
        self.has_generated_key |= has_lost && self.is_certified;
    }

    /// The group is gone, or about to be joined anew: only the number of its epoch stays.
    pub fn forget(&mut self, group: GroupIndex) {
        let view = self.groups.remove(&group).unwrap();
        let committed = self.pending_commit(group).is_some_and(Held::has_new_key);
        self.lose(committed || view.proposed_keys() > 0);
        let former = self.former.entry(group).or_default();
        *former = view.epoch.max(*former);
    }

    /// The own key package that a Welcome is for, while its private keys are here.
    pub fn package_for(&self, welcome: &Welcome) -> Option<&Package> {
        let mut own = self.packages.iter();
        own.find(|package| welcome.references.contains(&package.reference))
    }

    /// What joining by a Welcome must give.
    pub fn joining(&self, welcome: &Welcome, has_tree: bool) -> Result<(), &'static str> {
        if self.package_for(welcome).is_none() {
            let notes = welcome.references.iter();
            return Err(match notes.filter_map(|one| self.notes.get(one)).max() {
                Some(Note::Used) => "key-package-used",
                Some(Note::Purged) => "key-package-expired",
                Some(Note::OfOtherClient) => "key-package-of-other-client",
                _ => "no-matching-key-package",
            });
        }
        // No key of an epoch before the own first one is here, and OpenMLS admits none.
        if welcome
            .psks
            .iter()
            .any(|psk| matches!(psk, Psk::Resumption(_)))
        {
            return Err("invalid-welcome");
        }
        if !welcome.psks.is_subset(&self.psks) {
            return Err("unknown-psk");
        }
        let stored = self.groups.get(&welcome.group);
        let known = stored.map(|view| view.epoch);
        if known.max(self.former.get(&welcome.group).copied()) >= Some(welcome.epoch) {
            return Err("stale-welcome");
        }
        if stored.is_some_and(|view| view.active) {
            return Err("group-exists");
        }
        if welcome.is_bare && !has_tree {
            return Err("ratchet-tree-missing");
        }
        Ok(())
    }

    /// Notes what the app did not want to read.
    pub fn note_refusal(&mut self, group: GroupIndex, position: u64) {
        let mut sessions = self.sessions.iter_mut().rev();
        if let Some(session) = sessions.find(|session| session.group == group) {
            session.refused.insert(position);
        }
    }

    /// Notes how far a client has read, for the check that it missed nothing.
    pub fn note_position(&mut self, group: GroupIndex, position: u64) {
        let session = self.sessions.iter_mut().rev();
        if let Some(session) = session.into_iter().find(|session| session.group == group) {
            session.to = position;
        }
    }
}

fn committed(
    own: bool,
    sent: &Sent,
    members: &Members,
    effect: &Effect,
    self_removed: bool,
    superseded: Option<String>,
) -> Said {
    let gone = |leaf: &u32| members.get(leaf).copied();
    Said::Commit {
        own,
        from: sent.sender,
        epoch: sent.epoch + 1,
        added: effect.added.iter().map(|(client, _)| *client).collect(),
        removed: effect.removed.iter().filter_map(gone).collect(),
        self_removed,
        superseded,
        listed: effect.listed.clone(),
    }
}
