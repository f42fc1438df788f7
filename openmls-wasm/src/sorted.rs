//! Sorting, once for all kinds of records: the wasm would hold the algorithm for each of them.

use std::collections::BTreeSet;

/// The items, each once. They are put in one by one; `collect` would sort them first, with an algorithm of its own
/// for each type.
pub(crate) fn set_of<T: Ord>(items: impl Iterator<Item = T>) -> BTreeSet<T> {
    let mut set = BTreeSet::new();
    for item in items {
        set.insert(item);
    }
    set
}

/// The items in the order of their keys; of equal keys, in the order they had.
pub(crate) fn sorted_by_key<T>(items: Vec<T>, key: impl Fn(&T) -> [u64; 3]) -> Vec<T> {
    let mut order: Vec<([u64; 3], usize)> = items.iter().map(key).zip(0..).collect();
    order.sort_unstable();
    let mut items: Vec<Option<T>> = items.into_iter().map(Some).collect();
    order
        .into_iter()
        .filter_map(|(_, index)| items.get_mut(index).and_then(Option::take))
        .collect()
}
