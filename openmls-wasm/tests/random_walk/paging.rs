//! What a client has in memory, and what only its database has.

use openmls_wasm::{
    storage::{Category, Page, Scope},
    ClientError, StorageError,
};

use super::{device::Device, rng::Rng};
use crate::common::Database;

fn is_of(category: Category, key: &str, page: &Page) -> bool {
    match page {
        Page::Group(group) => {
            category.scope() == Scope::Group && key.split('/').next() == Some(group.as_str())
        }
        Page::Category(of) => category == *of,
        Page::Record(of, of_key) => category == *of && key == of_key,
    }
}

impl Device {
    /// What the write-behind loop does when an operation lacks a page.
    pub fn load(&mut self, page: Page) {
        let of_page = |category, key: &str| is_of(category, key, &page);
        let records = self.database.records_where(of_page);
        while let Err(error) = self.client.hydrate_page(page.clone(), records.clone()) {
            match error {
                ClientError::Storage(StorageError::NotLoaded(missing)) => self.load(missing),
                other => panic!("{other}"),
            }
        }
    }

    /// Loads what there is, for a look at everything.
    pub fn load_all(&mut self) {
        if !self.is_paged {
            return;
        }
        while let Some(page) = self.missing().pop() {
            self.load(page);
        }
    }

    /// Lets go of all that may leave memory, mostly.
    pub fn evict(&mut self, rng: &mut Rng) {
        if rng.chance(70) {
            self.client.release_groups(0).unwrap();
        }
    }

    /// All records there are: of what is in memory those there, of the rest those of the database.
    pub fn everything(&self) -> Database {
        let missing = match self.is_paged {
            true => self.missing(),
            false => vec![],
        };
        let is_missing =
            |category, key: &str| missing.iter().any(|page| is_of(category, key, page));
        let in_memory = self.client.storage().records().unwrap();
        let mut half = in_memory.iter();
        assert!(
            half.all(|it| !is_missing(it.category, &it.key)),
            "half a page"
        );
        let stored = self.database.records_where(is_missing);
        in_memory.into_iter().chain(stored).collect()
    }

    /// The pages that are not in memory.
    fn missing(&self) -> Vec<Page> {
        let groups = self.database.groups().into_iter();
        let categories = [Category::KeyPackage, Category::KeyPackageState];
        let is_node = |category, _: &str| category == Category::DigestNode;
        let nodes = self.database.records_where(is_node);
        groups
            .map(|group| Page::Group(group.into()))
            .chain(categories.map(Page::Category))
            .chain(
                nodes
                    .into_iter()
                    .map(|node| Page::Record(node.category, node.key)),
            )
            .filter(|page| !self.client.storage().is_in_memory(page).unwrap())
            .collect()
    }
}
