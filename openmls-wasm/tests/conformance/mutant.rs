//! [`Mutant`]: a provider with one bug switched on.
//!
//! All 56 methods of the trait (in `mutant_methods`) come down to a handful of functions on ids,
//! families and JSON values here, so that each bug stands in one place. Without a bug, a mutant
//! passes the suite exactly as the provider inside does.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{Mutex, MutexGuard},
};

use openmls_traits::storage::{traits, Entity, Key};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    mutations::{records, Bug, Family, RECORDS},
    types::every_entity,
    Subject,
};

/// Any id, as bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Id {
    pub bytes: Vec<u8>,
}

impl Key<1> for Id {}
impl Entity<1> for Id {}
macro_rules! every_key {
    ($($role:ident),*) => { $(impl traits::$role<1> for Id {})* };
}
every_key!(
    GroupId,
    SignaturePublicKey,
    HashReference,
    PskId,
    EncryptionKey,
    EpochKey,
    ProposalRef
);

/// Any value, as JSON; stored as its text, so that no codec has to know JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Any(pub Value);
every_entity!(Any);

impl From<Any> for String {
    fn from(any: Any) -> Self {
        any.0.to_string()
    }
}

impl TryFrom<String> for Any {
    type Error = serde_json::Error;

    fn try_from(text: String) -> serde_json::Result<Self> {
        serde_json::from_str(&text).map(Any)
    }
}

/// What a mutant's methods fail with.
#[derive(Debug)]
pub enum Fault<E> {
    Inner(E),
    Json,
    Injected,
}

impl<E> fmt::Display for Fault<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a mutant's error")
    }
}

impl<E: fmt::Debug> std::error::Error for Fault<E> {}

impl<E> From<serde_json::Error> for Fault<E> {
    fn from(_: serde_json::Error) -> Self {
        Fault::Json
    }
}

pub type Done<T, S> = Result<T, Fault<<S as openmls_traits::storage::StorageProvider<1>>::Error>>;

/// What some bugs have to remember.
#[derive(Default)]
pub struct Memory {
    pub first: HashMap<(Family, Vec<u8>), Value>,
    pub ids: BTreeSet<(Family, Id)>,
    pub epochs: BTreeSet<(Id, u64, u32)>,
    pub left_refs: HashMap<Id, Vec<Id>>,
    pub left_proposals: HashMap<Id, Vec<(Id, Any)>>,
    pub positions: HashMap<Id, Vec<(usize, Id)>>,
    pub newest: HashMap<Id, Any>,
    pub hidden: usize,
}

pub struct Mutant<S> {
    pub inner: S,
    pub bug: Bug,
    memory: Mutex<Memory>,
}

impl<S: Subject> Subject for Mutant<S> {
    fn records_left(&self) -> usize {
        self.inner.records_left() + self.memory().hidden
    }

    fn reopened(self) -> Self {
        Self {
            inner: self.inner.reopened(),
            ..self
        }
    }
}

macro_rules! define_dispatch {
    ($($family:ident, $key:ident => $value:ident: $write:ident<$($wg:ident),*>, $read:ident<$($rg:ident),*>, $delete:ident<$($dg:ident),*>;)*) => {
        impl<S: Subject> Mutant<S> {
            fn put(&self, family: Family, id: &Id, value: &Any) -> Done<(), S> {
                match family {
                    $(Family::$family => self.inner.$write(id, value),)*
                    _ => return Err(Fault::Injected),
                }
                .map_err(Fault::Inner)
            }

            fn get(&self, family: Family, id: &Id) -> Done<Option<Any>, S> {
                match family {
                    $(Family::$family => self.inner.$read(id),)*
                    _ => return Err(Fault::Injected),
                }
                .map_err(Fault::Inner)
            }

            fn remove(&self, family: Family, id: &Id) -> Done<(), S> {
                match family {
                    Family::LeafNodes => self.inner.delete_own_leaf_nodes(id),
                    Family::Proposals => self.inner.clear_proposal_queue::<_, Id>(id),
                    $(Family::$family => define_dispatch!(@delete self, $delete, id, $($dg),*),)*
                    _ => return Err(Fault::Injected),
                }
                .map_err(Fault::Inner)
            }
        }
    };
    (@delete $self:ident, $delete:ident, $id:ident, $one:ident) => { $self.inner.$delete($id) };
    // The export tree's deleter: its second parameter is in no argument.
    (@delete $self:ident, $delete:ident, $id:ident, $one:ident, $two:ident) => {
        $self.inner.$delete::<_, Any>($id)
    };
}
records!(define_dispatch);

impl<S: Subject> Mutant<S> {
    pub fn new(inner: S, bug: Bug) -> Self {
        let memory = Mutex::default();
        Self { inner, bug, memory }
    }

    pub fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The id under which the inner provider gets a key.
    pub fn id(&self, family: Family, key: &impl Serialize) -> Done<Id, S> {
        let key = serde_json::to_value(key)?;
        let flat = || {
            let mut bytes = vec![];
            numbers(&key, &mut bytes);
            bytes
        };
        // These compare ids byte by byte. Of PSKs, only external ones are mere bytes.
        let by_bytes = match self.bug {
            Bug::DeletesByPrefix(f) | Bug::ReadsByPrefix(f) => f == family,
            Bug::SharesCategory(f) => f == family || f.next() == family,
            _ => false,
        } && (family != Family::Psks || key.get("External").is_some());
        let bytes = match self.bug {
            Bug::IdIgnored(f) if f == family => vec![],
            Bug::IdTruncated(f) if f == family => flat().into_iter().take(4).collect(),
            Bug::PskKindIgnored if family == Family::Psks => flat(),
            _ if by_bytes => flat(),
            _ => serde_json::to_vec(&key)?,
        };
        let id = Id { bytes };
        self.memory().ids.insert((family, id.clone()));
        Ok(id)
    }

    /// Other ids of the family that begin with `id`.
    pub fn longer(&self, family: Family, id: &Id) -> Vec<Id> {
        let memory = self.memory();
        let ids = memory.ids.iter().filter(|(f, _)| *f == family);
        ids.map(|(_, other)| other)
            .filter(|other| *other != id && other.bytes.starts_with(&id.bytes))
            .cloned()
            .collect()
    }

    fn category(&self, family: Family) -> Family {
        if self.bug == Bug::SharesCategory(family) {
            family.next()
        } else {
            family
        }
    }

    pub fn write(
        &self,
        family: Family,
        key: &impl Serialize,
        value: &impl Serialize,
    ) -> Done<(), S> {
        let id = self.id(family, key)?;
        let value = self.value(family, value)?;
        if self.bug == Bug::WriteIgnored(family) {
            return Ok(());
        }
        if self.bug == Bug::KeepsFirst(family) && self.get(family, &id)?.is_some() {
            return Ok(());
        }
        self.remember_first(family, &id, &value.0);
        self.put(self.category(family), &id, &value)
    }

    pub fn read<T: Entity<1>>(&self, family: Family, key: &impl Serialize) -> Done<Option<T>, S> {
        let id = self.id(family, key)?;
        let Some(mut value) = self.get(self.category(family), &id)? else {
            return match self.bug {
                Bug::MissingIsError(f) if f == family => Err(Fault::Injected),
                _ => Ok(None),
            };
        };
        if let Some(first) = self.first(family, &id) {
            value = Any(first);
        }
        Ok(Some(serde_json::from_value(value.0)?))
    }

    pub fn delete(&self, family: Family, key: &impl Serialize) -> Done<(), S> {
        let id = self.id(family, key)?;
        if self.bug == Bug::DeleteIgnored(family) {
            return Ok(());
        }
        if self.bug == Bug::DeleteMissingIsError(family) && self.is_missing(family, &id)? {
            return Err(Fault::Injected);
        }
        if self.bug == Bug::DeletesByPrefix(family) {
            for longer in self.longer(family, &id) {
                self.remove(family, &longer)?;
            }
        }
        self.remove(self.category(family), &id)
    }

    fn is_missing(&self, family: Family, id: &Id) -> Done<bool, S> {
        if RECORDS.contains(&family) {
            return Ok(self.get(family, id)?.is_none());
        }
        let nodes: Vec<Any> = self.inner.own_leaf_nodes(id).map_err(Fault::Inner)?;
        let refs: Vec<Id> = self.inner.queued_proposal_refs(id).map_err(Fault::Inner)?;
        Ok(nodes.is_empty() && refs.is_empty())
    }

    /// The value as it is stored: cut, if that is the bug.
    pub fn value(&self, family: Family, value: &impl Serialize) -> Done<Any, S> {
        let mut value = serde_json::to_value(value)?;
        match self.bug {
            Bug::CutAt255(f) if f == family => cut(&mut value, 255),
            Bug::CutAt64k(f) if f == family => cut(&mut value, 65_535),
            _ => {}
        }
        Ok(Any(value))
    }

    pub fn remember_first(&self, family: Family, id: &Id, value: &Value) {
        let mut memory = self.memory();
        let first = memory.first.entry((family, id.bytes.clone()));
        first.or_insert_with(|| value.clone());
    }

    /// What to serve instead of the value, if stale values are the bug.
    pub fn first(&self, family: Family, id: &Id) -> Option<Value> {
        (self.bug == Bug::ServesFirst(family))
            .then(|| {
                self.memory()
                    .first
                    .get(&(family, id.bytes.clone()))
                    .cloned()
            })
            .flatten()
    }

    /// A list after the bugs that concern reading lists of any kind.
    pub fn list(&self, family: Family, id: &Id, mut list: Vec<Value>) -> Done<Vec<Value>, S> {
        if list.is_empty() && self.bug == Bug::MissingIsError(family) {
            return Err(Fault::Injected);
        }
        if self.bug == Bug::CutAt255(family) {
            list.truncate(255);
        }
        if !list.is_empty() {
            self.remember_first(family, id, &Value::Array(list.clone()));
        }
        match self.first(family, id) {
            Some(Value::Array(first)) if !list.is_empty() => Ok(first),
            _ => Ok(list),
        }
    }
}

/// The order that positions have when they are written as text.
pub fn in_text_order<T>(list: Vec<T>) -> Vec<T> {
    let mut numbered: Vec<(String, T)> = list
        .into_iter()
        .enumerate()
        .map(|(position, item)| (position.to_string(), item))
        .collect();
    numbered.sort_by(|one, other| one.0.cmp(&other.0));
    numbered.into_iter().map(|(_, item)| item).collect()
}

/// All numbers in `value` as bytes: what is left of an id when its structure is forgotten.
fn numbers(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::Number(number) => bytes.extend(number.as_u64().map(|number| number as u8)),
        Value::Array(values) => values.iter().for_each(|value| numbers(value, bytes)),
        Value::Object(fields) => fields.values().for_each(|value| numbers(value, bytes)),
        _ => {}
    }
}

fn cut(value: &mut Value, length: usize) {
    match value {
        Value::Array(values) => {
            values.truncate(length);
            values.iter_mut().for_each(|value| cut(value, length));
        }
        Value::Object(fields) => fields.values_mut().for_each(|value| cut(value, length)),
        _ => {}
    }
}
