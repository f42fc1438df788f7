//! A client with its database, and the ways in which its batches do or do not get there.

use std::collections::{BTreeMap, BTreeSet};

use openmls_wasm::{
    client::{AppCapabilities, Credential, EarlyMessageSettings, Member, Party},
    storage::{Batch, Scope},
    ClientError, MlsClient, StorageError,
};

use super::{
    effect::Psk,
    rng::Rng,
    service::{ClientIndex, GroupIndex, Sent},
    view::View,
};
use crate::common::{x509, Database};
use std::rc::Rc;

/// Pre-shared keys that everybody has.
pub const SHARED_PSKS: [u8; 2] = [100, 101];
/// AppEphemeral (MLS extensions draft).
const APP_EPHEMERAL: u16 = 9;
/// A type of proposals that the app has made up.
pub const APP_PROPOSAL: u16 = 0xf042;

fn new_client(holds_handshakes: bool) -> MlsClient {
    let mut client = MlsClient::new();
    client.set_early_message_settings(EarlyMessageSettings {
        hold_handshakes: holds_handshakes,
        ..EarlyMessageSettings::default()
    });
    client.set_app_capabilities(AppCapabilities {
        proposals: vec![APP_PROPOSAL, APP_EPHEMERAL],
        ..AppCapabilities::default()
    });
    client
}

/// What a credential says: an identity, or a chain of certificates.
#[derive(Clone, Debug, PartialEq)]
pub struct Owner(Vec<u8>, Vec<Vec<u8>>);

impl Owner {
    pub fn of(identity: &[u8], certificates: &[Vec<u8>]) -> Self {
        Self(identity.to_vec(), certificates.to_vec())
    }
}

/// Whatever has a credential.
pub trait Named {
    fn owner(&self) -> Owner;
}

impl Named for Member {
    fn owner(&self) -> Owner {
        Owner::of(&self.identity, &self.certificates)
    }
}

impl Named for Party {
    fn owner(&self) -> Owner {
        Owner::of(&self.identity, &self.certificates)
    }
}

/// Something an operation returned that may only leave the device when it is stored (G1).
#[derive(Clone)]
pub enum Release {
    /// A key package to be published.
    KeyPackage(Published),
    /// A message that goes from client to client, without a place in the log.
    Aside(Rc<Sent>),
}

#[derive(Clone)]
pub struct Published {
    pub reference: Vec<u8>,
    pub bytes: Vec<u8>,
    pub last_resort: bool,
}

/// A batch on its way, what the client looked like when it was drained, and how much of what waits
/// for release it covers.
struct InFlight {
    batch: Batch,
    view: View,
    covered: usize,
}

/// A message in the app's own history.
pub struct Read {
    pub id: String,
    pub position: Option<u64>,
    pub text: Vec<u8>,
}

pub struct Device {
    pub client: MlsClient,
    /// By what its leaves have named it.
    pub names: Vec<Owner>,
    /// What a leaf or a list of senders says of it.
    pub party: Party,
    pub database: Database,
    /// Whether it has in memory only what it uses.
    pub is_paged: bool,
    /// What it must look like now, and what its database must lead to.
    pub view: View,
    pub saved: View,
    pub unreleased: Vec<Release>,
    in_flight: Option<InFlight>,
    /// A batch may or may not have been stored: rolling back is not allowed.
    uncertain: bool,
    /// What the delivery service refused. The app forgets it when the process dies.
    pub refused: BTreeSet<String>,
    /// What the app saved for good, in that order.
    pub history: BTreeMap<GroupIndex, Vec<Read>>,
}

/// What an operation must come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Expected {
    Ok,
    Code(&'static str),
}

impl From<Result<(), &'static str>> for Expected {
    fn from(result: Result<(), &'static str>) -> Self {
        result.map_or_else(Self::Code, |()| Self::Ok)
    }
}

impl Device {
    pub fn new(
        client: ClientIndex,
        suite: u16,
        is_certified: bool,
        holds_handshakes: bool,
    ) -> Self {
        let mut mls = new_client(holds_handshakes);
        let name = format!("client {client}");
        let identity = if is_certified {
            let key = mls.generate_signature_key(suite).unwrap();
            let certificates = vec![x509::certificate(&name, &key)];
            mls.create_identity_with(&Credential::X509 { certificates }, suite)
        } else {
            mls.create_identity(name.as_bytes(), suite)
        };
        let identity = identity.unwrap();
        let party = Party {
            identity: identity.identity,
            certificates: identity.certificates,
            signature_key: identity.signature_public_key,
        };
        for psk in SHARED_PSKS {
            mls.store_external_psk(&[psk], &[psk; 32]).unwrap();
        }
        let mut device = Self {
            client: mls,
            names: vec![party.owner()],
            party,
            database: Database::default(),
            is_paged: client.is_multiple_of(2),
            view: View {
                is_certified,
                holds_handshakes,
                psks: SHARED_PSKS.map(|psk| Psk::External(vec![psk])).into(),
                ..View::default()
            },
            saved: View::default(),
            unreleased: vec![],
            in_flight: None,
            uncertain: false,
            refused: BTreeSet::new(),
            history: BTreeMap::new(),
        };
        device.save();
        device.die(true);
        device
    }

    /// Does an operation and compares what it comes to. A failure must have changed nothing; so must one
    /// that lacks a page, which is done again with it.
    pub fn attempt<T: std::fmt::Debug>(
        &mut self,
        expected: Expected,
        mut operation: impl FnMut(&mut MlsClient) -> Result<T, ClientError>,
    ) -> Option<T> {
        let before = self.everything();
        loop {
            match (operation(&mut self.client), expected) {
                (Err(ClientError::Storage(StorageError::NotLoaded(page))), _) => {
                    assert!(self.everything() == before, "not done, and not nothing");
                    self.load(page);
                }
                (Ok(value), Expected::Ok) => return Some(value),
                (Err(error), Expected::Code(code)) if error.code() == code => {
                    assert!(self.everything() == before, "{code} changed records");
                    return None;
                }
                (result, expected) => panic!("expected {expected:?}, got {result:?}"),
            }
        }
    }

    /// Lets the process and its disk go on in one of the ways they can. Returns what may be
    /// released, and a word for what happened.
    pub fn settle(&mut self, rng: &mut Rng) -> (Vec<Release>, &'static str) {
        match rng.below(100) {
            0..=61 => (self.save(), "saved"),
            62..=79 => (vec![], "held back"),
            80..=85 => (vec![], self.begin_write()),
            86..=88 => (vec![], self.fail_write(false)),
            89..=90 => (vec![], self.fail_write(true)),
            91..=93 => (vec![], self.roll_back()),
            94..=96 => (vec![], self.die(false)),
            _ => (vec![], self.die(true)),
        }
    }

    /// Stores everything there is.
    pub fn save(&mut self) -> Vec<Release> {
        let mut released = self.finish_write();
        self.begin_write();
        released.extend(self.finish_write());
        assert!(!self.client.storage().has_unconfirmed().unwrap());
        released
    }

    pub fn is_saved(&self) -> bool {
        !self.client.storage().has_unconfirmed().unwrap()
    }

    fn begin_write(&mut self) -> &'static str {
        if self.in_flight.is_some() {
            let refused = self.client.drain_storage_events().unwrap_err();
            assert_eq!(refused.code(), "batch-unconfirmed");
            return "drained twice";
        }
        if let Some(batch) = self.client.drain_storage_events().unwrap() {
            self.in_flight = Some(InFlight {
                batch,
                view: self.view.clone(),
                covered: self.unreleased.len(),
            });
        }
        "began to write"
    }

    fn finish_write(&mut self) -> Vec<Release> {
        let covered = match self.in_flight.take() {
            Some(InFlight {
                batch,
                view,
                covered,
            }) => {
                self.database.write(&batch);
                self.client.confirm_batch(batch.sequence).unwrap();
                self.saved = view;
                covered
            }
            // Nothing was dirty.
            None => self.unreleased.len(),
        };
        if self.is_saved() {
            self.uncertain = false;
        }
        self.unreleased.drain(..covered).collect()
    }

    /// The write failed. `stored`: it was stored all the same, and nobody knows.
    fn fail_write(&mut self, stored: bool) -> &'static str {
        self.begin_write();
        let Some(InFlight { batch, view, .. }) = self.in_flight.take() else {
            return "nothing to write";
        };
        if stored {
            self.database.write(&batch);
            self.saved = view;
            self.uncertain = true;
        }
        self.client.put_back_batch(batch.sequence).unwrap();
        if stored {
            "failed to write, as it seemed"
        } else {
            "failed to write"
        }
    }

    fn roll_back(&mut self) -> &'static str {
        if self.uncertain {
            return "could not roll back";
        }
        self.client.roll_back_unconfirmed().unwrap();
        self.in_flight = None;
        self.view = self.saved.clone();
        self.unreleased.clear();
        "rolled back"
    }

    /// The process dies, before or after its last batch was stored; a new one rehydrates.
    pub fn die(&mut self, stored: bool) -> &'static str {
        if stored {
            // The batch on its way is stored; what comes after it was never drained.
            self.begin_write();
        }
        if let (true, Some(InFlight { batch, view, .. })) = (stored, self.in_flight.take()) {
            self.database.write(&batch);
            self.saved = view;
        }
        self.in_flight = None;
        self.uncertain = false;
        self.unreleased.clear();
        self.refused.clear();
        self.view = self.saved.clone();
        let mut client = new_client(self.view.holds_handshakes);
        let mut records = self.database.records();
        if self.is_paged {
            records.retain(|record| record.category.scope() == Scope::Client);
            client.hydrate_client(records).unwrap();
        } else {
            client.hydrate(records).unwrap();
        }
        assert!(!client.storage().has_unconfirmed().unwrap());
        self.client = client;
        if stored {
            "died after writing"
        } else {
            "died"
        }
    }
}
