//! What proposals ask for, and what a commit of some of them does (RFC 9420 §12).

use std::collections::{BTreeMap, BTreeSet};

use super::service::{ClientIndex, Members};

/// Who sends a handshake message, and as what (RFC 9420 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The member at this leaf.
    Member(u32),
    /// From outside, at this place in the group's list of external senders.
    External(u32),
    /// A client that asks to be added, or that adds itself.
    NewMember,
}

impl Sender {
    pub fn leaf(self) -> Option<u32> {
        match self {
            Self::Member(leaf) => Some(leaf),
            _ => None,
        }
    }
}

/// The extensions of a group context, as far as the walk goes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    /// Whether members must know the app's type of proposals.
    pub requires_app_proposal: bool,
    /// Who may propose from outside.
    pub senders: Vec<ClientIndex>,
}

impl Context {
    /// Whether a proposal of `client` is heard that it sends as `by` (RFC 9420 §12.1.8).
    pub fn admits(&self, by: Sender, client: ClientIndex) -> bool {
        match by {
            Sender::External(index) => self.senders.get(index as usize) == Some(&client),
            _ => true,
        }
    }
}

/// A pre-shared key (RFC 9420 §8.4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Psk {
    External(Vec<u8>),
    /// Of this epoch of the same group.
    Resumption(u64),
}

/// What a proposal asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Proposed {
    /// Whom, and with which key package (its reference).
    Add(ClientIndex, Vec<u8>),
    Remove(u32),
    /// The sender's own removal, by a Remove or a SelfRemove proposal.
    Leave {
        by_self_remove: bool,
    },
    /// The sender's leaf; with a new signature key or not.
    Update {
        new_key: bool,
    },
    Psk(Psk),
    Extensions(Context),
    AppDefined(Vec<u8>),
    /// Of a component of the app, and gone with the epoch.
    AppEphemeral(Vec<u8>),
}

/// What a commit does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effect {
    /// Who, and with which key package (its reference).
    pub added: Vec<(ClientIndex, Vec<u8>)>,
    /// The leaves that become blank.
    pub removed: BTreeSet<u32>,
    /// The leaves that are replaced by a proposal of their owners; with a new signature key or not.
    pub updated: BTreeMap<u32, bool>,
    /// Whether the committer's leaf gets a new signature key.
    pub new_key: bool,
    /// The pre-shared keys that every member needs.
    pub psks: BTreeSet<Psk>,
    /// Which of the proposals that were sent before it refers to: who has not all of them cannot
    /// follow.
    pub references: Vec<(Sender, Proposed)>,
    /// What it says that it consists of.
    pub listed: Option<Vec<String>>,
    /// Its Welcome carries no ratchet tree.
    pub has_bare_welcome: bool,
    /// What it tells the app.
    pub payloads: BTreeSet<Vec<u8>>,
    /// The new extensions of the group context.
    pub context: Option<Context>,
}

impl Effect {
    /// What a commit of the member at `own` does that asks for `asked` and may contain what
    /// `waiting` members have proposed: all of it if that is valid, or else (RFC 9420 §12.4 leaves
    /// the choice) one after the other. An error if it cannot do what is asked for.
    pub fn of(
        members: &Members,
        own: u32,
        asked: &[Proposed],
        waiting: &[(Sender, Proposed)],
        new_key: bool,
        has: impl Fn(&Psk) -> bool,
    ) -> Result<Self, &'static str> {
        let is_known = |(_, one): &(Sender, Proposed)| match one {
            Proposed::Psk(psk) => has(psk),
            _ => true,
        };
        let is_valid =
            |all: &[(Sender, Proposed)]| all.iter().all(is_known) && is_valid(members, own, all);
        // What is asked for twice is the same proposal, but for pre-shared keys: each has its nonce.
        let mut once: Vec<(Sender, Proposed)> = vec![];
        for one in asked.iter().map(|one| (Sender::Member(own), one.clone())) {
            if !once.contains(&one) {
                once.push(one);
            }
        }
        let asked = once;
        let mut all = [waiting, &asked].concat();
        if !is_valid(&all) {
            all = asked;
            if !is_valid(&all) {
                let known = all.iter().all(is_known);
                return Err(if known {
                    "commit-rejected"
                } else {
                    "unknown-psk"
                });
            }
            for one in waiting {
                all.push(one.clone());
                if !is_valid(&all) {
                    all.pop();
                }
            }
        }
        let mut effect = Self {
            new_key,
            ..Self::default()
        };
        for (sender, proposed) in all {
            match proposed {
                Proposed::Add(client, reference) => effect.added.push((client, reference)),
                Proposed::Remove(leaf) => drop(effect.removed.insert(leaf)),
                Proposed::Leave { .. } => effect.removed.extend(sender.leaf()),
                // A committer's own update gives way to the path of its commit.
                Proposed::Update { new_key } if sender != Sender::Member(own) => {
                    effect
                        .updated
                        .extend(sender.leaf().map(|leaf| (leaf, new_key)));
                }
                Proposed::Extensions(context) => effect.context = Some(context),
                Proposed::Psk(psk) => drop(effect.psks.insert(psk)),
                Proposed::AppDefined(payload) | Proposed::AppEphemeral(payload) => {
                    effect.payloads.insert(payload);
                }
                _ => {}
            }
        }
        let Self {
            updated, removed, ..
        } = &mut effect;
        updated.retain(|leaf, _| !removed.contains(leaf));
        Ok(effect)
    }
}

/// RFC 9420 §12.2, as far as the walk goes.
fn is_valid(members: &Members, own: u32, proposals: &[(Sender, Proposed)]) -> bool {
    let mut added = BTreeSet::new();
    let mut extensions = 0;
    // Whoever is removed can be added by the same commit; not who leaves by a SelfRemove proposal, whose
    // keys OpenMLS takes for present.
    let stays = |leaf: &u32| {
        let mut all = proposals.iter();
        all.all(|(sender, one)| match one {
            Proposed::Remove(removed) => removed != leaf,
            Proposed::Leave { by_self_remove } => *by_self_remove || sender.leaf() != Some(*leaf),
            _ => true,
        })
    };
    proposals.iter().all(|(sender, proposed)| match proposed {
        Proposed::Add(client, _) => {
            let mut present = members.iter().filter(|(leaf, _)| stays(leaf));
            added.insert(*client) && present.all(|(_, member)| member != client)
        }
        Proposed::Remove(leaf) => *leaf != own,
        Proposed::Leave { .. } => *sender != Sender::Member(own),
        Proposed::Extensions(_) => {
            extensions += 1;
            extensions == 1
        }
        _ => true,
    })
}
