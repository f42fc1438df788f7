//! Pages: which records are in memory, where not all of them are.
//!
//! A client with ten thousand groups opens as one with one group does, and takes no more memory (G9):
//! only its own records are loaded then. The records of a group are loaded when it is first used, and
//! leave memory when they have not been used for long and others need the room. The store cannot load
//! them itself, for it cannot wait. It answers with [`NotLoaded`](StorageError::NotLoaded): the
//! operation is undone, as any other that fails, the caller loads that page and does the operation
//! again. What a page holds nothing of, there is nothing of; so a group that is stored cannot be taken
//! for one that does not exist.
//!
//! What is not stored yet never leaves memory: a group with unconfirmed changes stays.
//!
//! Whether a group is as this client left it the [root](super::root) says. A node of it that is not in
//! memory is loaded like any other page, when a group is checked or when it changes; it stays then, for
//! all of them are smaller than one large group.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    category::{Category, Scope},
    digest, key,
    state::{Record, RecordId, State},
    StorageError,
};
use crate::sorted::sorted_by_key;

/// Records that are loaded together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// All records of a group (its id in hex, as in their keys).
    Group(String),
    /// All records of a category.
    Category(Category),
    /// The record of a category under that key.
    Record(Category, String),
}

/// The pages in memory.
#[derive(Default)]
pub(super) struct Pages {
    /// The groups, each with the time it was last used at.
    groups: BTreeMap<Box<str>, u64>,
    categories: Vec<Category>,
    /// The records of which the database has none.
    absent: BTreeSet<RecordId>,
    /// Counts the uses.
    time: u64,
}

/// What a group takes that has no records.
const EMPTY_GROUP: usize = 128;

impl State {
    /// Whether the record that `key` names is in memory if there is one.
    ///
    /// # Errors
    /// [`NotLoaded`](StorageError::NotLoaded) if nobody knows.
    pub(super) fn require(&self, category: Category, key: &str) -> Result<(), StorageError> {
        let Some(pages) = &self.pages else {
            return Ok(());
        };
        let page = match category.scope() {
            Scope::Client => return Ok(()),
            Scope::OnDemand if pages.categories.contains(&category) => return Ok(()),
            Scope::OnDemand => Page::Category(category),
            Scope::Single if self.get(category, key).is_some() => return Ok(()),
            Scope::Single if pages.absent.contains(&(category, key.into())) => return Ok(()),
            Scope::Single => Page::Record(category, key.into()),
            Scope::Group if pages.groups.contains_key(key::group_part(key)) => return Ok(()),
            Scope::Group => Page::Group(key::group_part(key).into()),
        };
        Err(StorageError::NotLoaded(page))
    }

    /// Whether all records of a category are in memory.
    pub(super) fn require_all(&self, category: Category) -> Result<(), StorageError> {
        match category.scope() {
            Scope::Group if self.pages.is_some() => Err(StorageError::GroupsNotLoaded),
            _ => self.require(category, ""),
        }
    }

    /// Takes in the records of the client scope; everything else is loaded when it is asked for.
    pub(super) fn hydrate_client(&mut self, records: Vec<Record>) -> Result<(), StorageError> {
        let of_another = records
            .iter()
            .find(|record| record.category.scope() != Scope::Client);
        if let Some(record) = of_another {
            return Err(misplaced(record));
        }
        self.take_in(records, |_| Ok(()))?;
        self.pages = Some(Pages::default());
        Ok(())
    }

    /// Takes in all records that there are of a page.
    pub(super) fn hydrate_page(
        &mut self,
        page: Page,
        records: Vec<Record>,
    ) -> Result<(), StorageError> {
        let belongs = |record: &Record| match &page {
            Page::Group(group) => {
                record.category.scope() == Scope::Group && key::group_part(&record.key) == group
            }
            Page::Category(category) => record.category == *category,
            Page::Record(category, key) => record.category == *category && record.key == *key,
        };
        if let Some(record) = records.iter().find(|record| !belongs(record)) {
            return Err(misplaced(record));
        }
        let is_empty = records.is_empty();
        self.take_in(records, |state| match &page {
            // Of a group that has records it is checked anyway.
            Page::Group(group) if is_empty => state.check_digest(group),
            _ => Ok(()),
        })?;
        match page {
            Page::Group(group) => self.add_group(&group),
            Page::Category(category) => {
                if let Some(pages) = &mut self.pages {
                    pages.categories.push(category);
                }
            }
            Page::Record(category, key) if is_empty => {
                if let Some(pages) = &mut self.pages {
                    pages.absent.insert((category, key.into()));
                }
            }
            Page::Record(..) => {}
        }
        Ok(())
    }

    /// Notes that all there is of a group is in memory.
    pub(super) fn add_group(&mut self, group: &str) {
        if let Some(pages) = &mut self.pages {
            pages.groups.entry(group.into()).or_default();
        }
        self.note_use(group);
    }

    /// Notes that a group is used, if it is in memory.
    pub(super) fn note_use(&mut self, group: &str) {
        if let Some(pages) = &mut self.pages {
            pages.time += 1;
            if let Some(last) = pages.groups.get_mut(group) {
                *last = pages.time;
            }
        }
    }

    /// Lets go of the groups that were not used for longest, until the others take no more than
    /// `limit` bytes. Returns which.
    pub(super) fn release_groups(&mut self, limit: usize) -> Vec<Box<str>> {
        let (None, Some(pages)) = (&self.savepoint, &self.pages) else {
            return vec![];
        };
        let size = |group: &str| self.digests.bytes_of(group) + EMPTY_GROUP;
        let mut total = self.digests.bytes() + EMPTY_GROUP * pages.groups.len();
        if total <= limit {
            return vec![];
        }
        // A little more, so that not every operation from now on has to look for another.
        let limit = limit / 8 * 7;
        let unconfirmed = digest::groups_of(self.unconfirmed());
        let idle: Vec<(u64, Box<str>)> = pages
            .groups
            .iter()
            .filter(|(group, _)| !unconfirmed.contains(*group))
            .map(|(group, last)| (*last, group.clone()))
            .collect();
        let mut idle = sorted_by_key(idle, |(last, _)| [*last, 0, 0]);
        // The one that was used last is about to be used again.
        idle.pop();
        let mut released = vec![];
        for (_, group) in idle {
            if total <= limit {
                break;
            }
            total -= size(&group);
            released.push(group);
        }
        for group in &released {
            self.forget_group(group);
        }
        released
    }

    fn forget_group(&mut self, group: &str) {
        for category in Category::ALL {
            if category.scope() == Scope::Group {
                let keys = self.range(*category, group);
                let keys: Vec<Box<str>> = keys.map(|(key, _)| key.into()).collect();
                for key in keys {
                    self.put(*category, &key, None);
                }
            }
        }
        self.separate.remove(group);
        if let Some(pages) = &mut self.pages {
            pages.groups.remove(group);
        }
    }

    /// For a scratch copy of `live`: what is not in memory there is not known here either.
    pub(super) fn page_like(&mut self, live: &State) {
        self.pages = live.pages.as_ref().map(|pages| Pages {
            categories: pages.categories.clone(),
            absent: pages.absent.clone(),
            ..Pages::default()
        });
    }
}

fn misplaced(record: &Record) -> StorageError {
    StorageError::MalformedKey {
        category: record.category,
        key: record.key.clone(),
    }
}
