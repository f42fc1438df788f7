//! The model of one group as one client sees it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use openmls_wasm::client::{GroupSettings, WireFormatPolicy};

use super::{
    effect::{Effect, Proposed, Psk, Sender},
    items::{Early, Waiting},
    service::GroupIndex,
};

/// The window of generations of one sender that can still be opened (RFC 9420 §9.1 and OpenMLS's
/// `SenderRatchetConfiguration`).
#[derive(Clone, Debug, Default)]
pub struct Ratchet {
    head: u32,
    /// Newest first: whether the generation before the head is still unused.
    unused: VecDeque<bool>,
}

impl Ratchet {
    pub fn open(&mut self, generation: u32, settings: &GroupSettings) -> Result<(), &'static str> {
        let tolerance = settings.out_of_order_tolerance;
        if generation < self.head {
            let back = self.head - generation;
            if back > tolerance {
                return Err("too-far-out-of-order");
            }
            // It was deleted when the tolerance was smaller.
            let Some(unused) = self.unused.get_mut(back as usize - 1) else {
                return Err("undecryptable");
            };
            if !*unused {
                return Err("duplicate-message");
            }
            *unused = false;
            return Ok(());
        }
        if generation - self.head > settings.maximum_forward_distance {
            return Err("too-far-out-of-order");
        }
        for skipped in self.head..=generation {
            self.unused.push_front(skipped < generation);
        }
        self.unused.truncate(tolerance as usize);
        self.head = generation + 1;
        Ok(())
    }
}

/// The epochs of which a client keeps the resumption PSK, so many at most.
#[derive(Clone, Debug)]
pub struct Resumption {
    most: usize,
    kept: Vec<u64>,
    cursor: usize,
}

impl Resumption {
    pub fn of(most: usize) -> Self {
        Self {
            most,
            kept: vec![],
            cursor: 0,
        }
    }

    /// The newest takes the place of the oldest. But when OpenMLS 0.9.2 has so many for the first
    /// time, it begins at the second place (`psk.rs`, `ResumptionPskStore::add`).
    pub fn keep(&mut self, epoch: u64) {
        self.cursor += 1;
        if self.kept.len() < self.most {
            self.kept.push(epoch);
        } else if self.most > 0 {
            self.cursor %= self.most;
            self.kept[self.cursor] = epoch;
        }
    }

    pub fn has(&self, psk: &Psk) -> bool {
        matches!(psk, Psk::Resumption(epoch) if self.kept.contains(epoch))
    }
}

/// The time that a client was a member, as it knows it: from a Welcome to a removal or deletion.
#[derive(Clone, Debug)]
pub struct Session {
    pub group: GroupIndex,
    /// The epoch it joined in and the position in the log from which on messages are for it.
    pub joined: u64,
    pub from: u64,
    /// The last position it processed; what lies beyond is not for it if the session is over.
    pub to: u64,
    /// Of what it processed, what the app refused.
    pub refused: BTreeSet<u64>,
}

impl Session {
    /// Of whoever created the group.
    pub fn from_the_start(group: GroupIndex) -> Self {
        Self {
            group,
            joined: 0,
            from: 0,
            to: 0,
            refused: BTreeSet::new(),
        }
    }
}

#[derive(Clone)]
pub struct GroupView {
    pub active: bool,
    pub epoch: u64,
    pub joined: u64,
    pub own_leaf: u32,
    pub settings: GroupSettings,
    /// The oldest epoch of which messages can still be read.
    pub oldest: u64,
    /// The stored cursor, and the next position as the app knows it.
    pub cursor: Option<u64>,
    pub next: u64,
    /// The first entry of the log that this client passed over while it was about to join anew.
    pub passed_over: Option<u64>,
    /// What comes next in the log is of an epoch that this client did not follow the others to.
    pub lost: bool,
    pub waiting: Vec<Waiting>,
    /// What came before its epoch.
    pub early: Vec<Early>,
    /// The signature key of the own leaf, if it has one of its own: the epoch that it came with.
    pub key: Option<u64>,
    /// The epochs of which the resumption PSK is kept.
    pub resumption: Resumption,
    /// Of which components the secret of this epoch is used up, and that of the epoch which the own
    /// commit leads to.
    pub exported: BTreeSet<u16>,
    pub exported_pending: BTreeSet<u16>,
    pub ratchets: BTreeMap<(u64, u32, bool), Ratchet>,
    /// The next own generation of this epoch, for messages and for handshakes.
    pub generation: u32,
    pub handshake_generation: u32,
}

impl GroupView {
    /// A group that this client has just come into, by what lies before `next` in the log.
    pub fn new(epoch: u64, own_leaf: u32, settings: GroupSettings, next: u64) -> Self {
        let mut resumption = Resumption::of(settings.number_of_resumption_psks);
        resumption.keep(epoch);
        Self {
            active: true,
            epoch,
            joined: epoch,
            own_leaf,
            settings,
            oldest: epoch,
            cursor: Some(next - 1),
            next,
            passed_over: None,
            lost: false,
            waiting: vec![],
            early: vec![],
            key: None,
            resumption,
            exported: BTreeSet::new(),
            exported_pending: BTreeSet::new(),
            ratchets: BTreeMap::new(),
            generation: 0,
            handshake_generation: 0,
        }
    }

    pub fn sends_private(&self) -> bool {
        use WireFormatPolicy::{MixedCiphertext, PureCiphertext};
        matches!(
            self.settings.wire_format_policy,
            PureCiphertext | MixedCiphertext
        )
    }

    pub fn is_leaving(&self) -> bool {
        let is_leave = |what: &Proposed| matches!(what, Proposed::Leave { .. });
        self.own_waiting().any(is_leave)
    }

    /// What this client has proposed itself.
    pub fn own_waiting(&self) -> impl Iterator<Item = &Proposed> {
        let own = self.waiting.iter();
        let own = own.filter(|waiting| waiting.by == Sender::Member(self.own_leaf));
        own.map(|waiting| &waiting.what)
    }

    /// What of that has its keys.
    pub fn own_keyed(&self) -> impl Iterator<Item = &Proposed> {
        let own = self.waiting.iter();
        let own = own.filter(|waiting| waiting.by == Sender::Member(self.own_leaf));
        own.filter(|waiting| waiting.has_keys)
            .map(|waiting| &waiting.what)
    }

    /// How many new signature keys wait with own proposals.
    pub fn proposed_keys(&self) -> usize {
        let is_new = |what: &&Proposed| matches!(what, Proposed::Update { new_key: true });
        self.own_keyed().filter(is_new).count()
    }

    /// Returns how many new signature keys came to nothing.
    pub fn advance(&mut self, effect: &Effect, own: bool) -> usize {
        let proposed = self.proposed_keys() + usize::from(own && effect.new_key);
        let removed = effect.removed.contains(&self.own_leaf);
        let has_new_key = match own {
            true => effect.new_key,
            false => effect.updated.get(&self.own_leaf) == Some(&true),
        };
        let has_new_key = has_new_key && !removed;
        self.epoch += 1;
        let pending = std::mem::take(&mut self.exported_pending);
        self.exported = if own { pending } else { BTreeSet::new() };
        if has_new_key {
            self.key = Some(self.epoch);
        }
        self.generation = 0;
        self.handshake_generation = 0;
        self.active = !removed;
        if !removed {
            self.resumption.keep(self.epoch);
        }
        if removed {
            self.early.clear();
        }
        self.waiting.clear();
        self.forget_past(self.settings.max_past_epochs as u64);
        proposed - usize::from(has_new_key)
    }

    /// Keeps no more than so many past epochs.
    pub fn forget_past(&mut self, epochs: u64) {
        self.oldest = self.oldest.max(self.epoch.saturating_sub(epochs));
        let oldest = self.oldest;
        self.ratchets.retain(|(epoch, ..), _| *epoch >= oldest);
    }
}
