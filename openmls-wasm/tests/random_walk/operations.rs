//! What a client can do in one step: a name, how often, and the function that does it. The function
//! returns false if there was nothing of the kind to do.

use super::{
    commits, external, groups, inbound, messages, misuse, outside, packages, proposals, recovery,
    refusals, service::ClientIndex, welcomes, world::World,
};

pub type Operation = (&'static str, usize, fn(&mut World, ClientIndex) -> bool);

pub const OPERATIONS: &[Operation] = &[
    ("receive the log", 60, inbound::receive_log),
    ("receive a log entry twice", 2, inbound::receive_again),
    ("receive out of turn", 2, inbound::receive_with_gap),
    ("receive a message aside", 10, inbound::receive_aside),
    ("receive ahead of the log", 8, inbound::receive_ahead),
    (
        "process the next commit or proposal aside",
        2,
        inbound::process_next,
    ),
    ("receive a Welcome", 10, welcomes::receive_welcome),
    ("join by Welcome", 1, welcomes::join),
    ("take over and acknowledge", 12, messages::take_over),
    ("upload", 40, messages::upload),
    ("send a message", 20, messages::send),
    ("encrypt a message", 6, messages::encrypt),
    ("renew", 6, messages::renew),
    ("drop what cannot be sent", 2, messages::drop_entry),
    ("create a group", 2, groups::create),
    ("configure a group", 2, groups::configure),
    ("delete a group", 1, groups::delete),
    ("generate key packages", 3, packages::generate_key_packages),
    ("delete key packages", 1, packages::delete_key_packages),
    ("commit several things", 6, commits::commit_inline),
    ("propose", 6, proposals::propose),
    ("take a proposal back", 2, proposals::take_back),
    ("join by external commit", 5, external::join),
    ("take an external commit for accepted", 8, external::accept),
    ("ask to be added", 3, outside::ask_to_join),
    ("propose as a listed sender", 6, outside::propose_as_listed),
    ("refuse a message", 2, refusals::reject_message),
    ("drop all proposals", 2, refusals::clear_proposals),
    ("add members again", 1, recovery::readd),
    ("fork and give it up", 6, recovery::fork),
    ("go on in a new group", 1, recovery::reboot),
    ("replenish key packages", 2, packages::replenish),
    ("mark a key package given out", 2, packages::mark_given_out),
    (
        "note a key package of another client",
        1,
        packages::note_of_other,
    ),
    ("add members", 8, commits::add),
    ("remove members", 3, commits::remove),
    ("update the own leaf", 4, commits::self_update),
    ("leave", 2, proposals::leave),
    ("commit what is pending", 5, commits::commit_pending),
    ("reject a commit", 8, commits::reject),
    ("merge an accepted commit", 4, commits::merge),
    ("store or delete a PSK", 1, groups::psk),
    ("close and open", 1, groups::reopen),
    ("misuse", 3, misuse::misuse),
];
