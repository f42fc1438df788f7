//! A conformance suite for OpenMLS's `StorageProvider<1>`, for any implementation of it.
//!
//! | file | what it holds |
//! |---|---|
//! | `types` | keys and values shaped as OpenMLS's own, and one that is meant to upset a codec |
//! | `slots` | a table of all records of the kind "one value per key": write, read, delete |
//! | `records`, `lists`, `proposals` | what the trait promises, method by method |
//! | `party`, `flows`, `proposal_flows` | OpenMLS itself on top, reopened after every step |
//! | `mutant`…, `mutations` | the same provider with one bug switched on: the suite's own test |
//!
//! A check is a function that panics when the provider under test breaks the promise that the
//! check is named after. [`checks`] lists them all.

pub mod flows;
pub mod lists;
pub mod mutant;
pub mod mutant_methods;
pub mod mutant_queue;
pub mod mutations;
pub mod party;
pub mod proposal_flows;
pub mod proposals;
pub mod records;
pub mod slots;
pub mod types;

use std::panic::{catch_unwind, AssertUnwindSafe};

use openmls_traits::storage::StorageProvider;

/// A provider under test, with the two things that the trait has no method for.
pub trait Subject: StorageProvider<1> {
    /// The number of records that are still kept.
    fn records_left(&self) -> usize;

    /// The same store after it was closed and opened again.
    fn reopened(self) -> Self;
}

/// Makes an empty store.
pub type New<'a, S> = &'a dyn Fn() -> S;

/// One promise: its name, and the function that panics if it is broken.
pub struct Check<S> {
    pub name: &'static str,
    pub run: fn(New<S>),
}

/// Lists functions as [`Check`]s, and makes a `#[test]` of each for a given store.
macro_rules! checks {
    ($($module:ident: $($name:ident),* $(,)?;)*) => {
        /// Every check there is.
        pub fn checks<S: Subject>() -> Vec<Check<S>> {
            vec![$($(Check {
                name: concat!(stringify!($module), "::", stringify!($name)),
                run: $module::$name::<S>,
            }),*),*]
        }

        /// The suite as tests, one by one, over the store `$store`.
        #[macro_export]
        macro_rules! conformance_tests {
            ($store:ty) => {
                $($(
                    #[test]
                    fn $name() {
                        $crate::suite::$module::$name::<$store>(&<$store>::default);
                    }
                )*)*
            };
        }
    };
}

checks! {
    records:
        missing_record_is_none,
        record_is_read_back,
        record_is_replaced,
        deleted_record_is_gone,
        deleting_what_is_missing_is_no_error,
        record_written_anew_after_a_delete_is_the_new_one,
        records_of_other_keys_stay,
        keys_that_begin_alike_are_told_apart,
        kinds_of_records_are_told_apart,
        large_record_is_read_back_whole,
        psk_kinds_are_told_apart,
        nothing_is_left_after_all_deletes;
    lists:
        missing_lists_are_empty,
        own_leaf_nodes_are_appended_in_order,
        own_leaf_nodes_are_deleted,
        own_leaf_nodes_are_separated_by_group,
        epoch_key_pairs_are_replaced_as_a_whole,
        epoch_key_pairs_may_be_empty,
        epoch_key_pairs_are_separated_by_epoch,
        epoch_key_pairs_are_separated_by_leaf,
        epoch_key_pairs_are_separated_by_epoch_and_leaf_together,
        epoch_key_pairs_are_separated_by_group,
        epoch_key_pairs_of_one_epoch_are_deleted,
        long_lists_are_read_back_whole;
    proposals:
        queue_keeps_refs_and_proposals_in_order,
        long_queue_keeps_its_order,
        removing_takes_ref_and_proposal_of_that_one_only,
        removed_proposal_leaves_room_for_new_ones,
        removing_what_is_not_queued_changes_nothing,
        queueing_again_replaces_the_proposal,
        removing_after_queueing_again_leaves_nothing,
        clearing_takes_all_of_the_queue,
        cleared_queue_can_be_filled_again,
        queues_are_separated_by_group,
        queues_of_groups_that_begin_alike_are_told_apart,
        group_and_ref_do_not_run_together;
    flows:
        created_group_is_loaded,
        joining_consumes_the_key_package,
        last_resort_key_package_stays,
        messages_survive_reopening,
        self_update_keeps_only_the_new_epoch_keys,
        pending_commit_survives_reopening,
        pending_commit_can_be_cleared,
        removed_member_stays_out,
        groups_do_not_mix,
        deleted_group_leaves_nothing,
        signature_keys_are_stored_and_deleted,
        external_psk_is_used,
        exported_secret_is_given_out_once,
        configuration_is_replaced;
    proposal_flows:
        proposals_keep_their_order,
        removed_proposal_is_not_committed,
        committing_empties_the_queue,
        cleared_proposals_stay_cleared,
        update_proposal_is_committed_by_another,
        several_own_updates_keep_every_leaf;
}

/// Runs every check and returns those that failed, with what they said.
pub fn failures<S: Subject>(new: New<S>) -> Vec<(&'static str, String)> {
    checks::<S>()
        .iter()
        .filter_map(|check| {
            let outcome = catch_unwind(AssertUnwindSafe(|| (check.run)(new)));
            outcome.err().map(|panic| (check.name, message_of(&*panic)))
        })
        .collect()
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("panicked")
        .lines()
        .next()
        .unwrap_or("")
        .into()
}
