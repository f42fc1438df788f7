//! Which elements of a long list are one part.
//!
//! A list of leaves is cut into neighbours. The inner nodes of a tree are another matter: what changes in
//! them is a path from a leaf to the root, and in the array of a tree (RFC 9420 Appendix C) the nodes of
//! a path lie ever farther from each other, the one above twice as far as the one below. So a part has the
//! nodes of a few levels that have one root, and a path of ten nodes is in three parts and not in eight:
//!
//! ```text
//! position    0 1 2 3 4 5 6 7 8 9 …       two levels to a part: 0 1 2 | 4 5 6 | 8 9 10 | 12 13 14
//! level       0 1 0 2 0 1 0 3 0 1                               and, of the next band, 3 7 11
//! ```
//!
//! The levels that are together are a band, counted from the leaves: then what a part has stays in it when
//! the tree grows, which it does to the right and upward.

use super::Malformed;

/// How many elements of a list are one part; a list of no more stays where it is. Eight ratchets are
/// about as much as what is written beside them with every message; fewer would be more records to
/// read when a group is loaded, at a fixed price each. Tests have parts in the smallest groups.
pub(super) const PER_PART: usize = if cfg!(feature = "test-hooks") { 2 } else { 8 };

/// How many levels of a tree are one part: 15 nodes. With three levels a path through a thousand members
/// is in four parts, and a record more costs more than what there is less to write.
const LEVELS: u8 = if cfg!(feature = "test-hooks") { 2 } else { 4 };

/// Where a band's number stands in the index of a part; below it, the part's in that band.
const BAND: u32 = 24;

/// What OpenMLS calls the inner nodes of a tree, in the ratchet tree and in the secret tree.
pub(super) const INNER_NODES: &str = "parent_nodes";

/// Whether a part with that id is far enough from the leaves that there are few of them however many leaves
/// there are: one for each four thousand.
pub(crate) fn is_near_root(id: u64) -> bool {
    id as u32 >> BAND >= 2
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// That many elements, one beside the other.
    Neighbours(usize),
    /// The nodes of that many levels that have one root.
    Levels(u8),
}

/// Which part an element is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) band: usize,
    /// The number of the part in its band.
    pub(super) part: usize,
}

impl Place {
    /// The number of the part in its list.
    pub(super) fn index(self) -> usize {
        self.band << BAND | self.part
    }
}

impl Default for Layout {
    fn default() -> Self {
        Layout::Neighbours(PER_PART)
    }
}

impl Layout {
    /// How the list in a field of that name is put into parts.
    pub(super) fn of_field(name: &str) -> Self {
        match name == INNER_NODES {
            true => Layout::Levels(LEVELS),
            false => Layout::default(),
        }
    }

    /// The one that a head says, with zero levels where the elements are neighbours.
    pub(super) fn read(levels: u8, per_part: usize) -> Result<Self, Malformed> {
        match levels {
            0 => Ok(Layout::Neighbours(per_part)),
            1..=8 => Ok(Layout::Levels(levels)),
            _ => Err(Malformed),
        }
    }

    pub(super) fn levels(self) -> u8 {
        match self {
            Layout::Neighbours(_) => 0,
            Layout::Levels(levels) => levels,
        }
    }

    pub(super) fn place_of(self, position: usize) -> Place {
        let levels = match self {
            Layout::Neighbours(elements) => {
                let part = position.checked_div(elements).unwrap_or_default();
                return Place { band: 0, part };
            }
            Layout::Levels(levels) => u32::from(levels),
        };
        // The level of a node is the number of ones at the end of its position.
        let band = position.trailing_ones() / levels;
        Place {
            band: band as usize,
            part: position >> (levels * (band + 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn path(leaf: usize, levels: u32) -> Vec<usize> {
        let node = |level: u32| (leaf >> (level + 1)) << (level + 1) | ((1 << level) - 1);
        (0..levels).map(node).collect()
    }

    #[test]
    fn a_path_is_in_few_parts() {
        let layout = Layout::Levels(4);
        let mut sizes = BTreeMap::<usize, usize>::new();
        for position in 0..1023 {
            *sizes.entry(layout.place_of(position).index()).or_default() += 1;
        }
        assert_eq!(sizes.values().filter(|size| **size == 15).count(), 64 + 4);
        assert_eq!(sizes.len(), 64 + 4 + 1);
        for leaf in 0..1024 {
            let path = path(leaf, 10);
            assert_eq!(path.last(), Some(&511));
            let parts = path.iter().map(|node| layout.place_of(*node).index());
            assert_eq!(parts.collect::<BTreeSet<_>>().len(), 3, "{leaf}");
        }
    }

    #[test]
    fn the_parts_of_a_band_come_one_after_the_other() {
        for layout in [Layout::Levels(1), Layout::Levels(3), Layout::Neighbours(8)] {
            let mut last = BTreeMap::<usize, usize>::new();
            for position in 0..4095 {
                let place = layout.place_of(position);
                let before = last.insert(place.band, place.part).unwrap_or_default();
                assert!(place.part == before || place.part == before + 1);
            }
        }
    }
}
