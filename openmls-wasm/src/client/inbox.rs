//! The inbox: what was handed over to the app and not acknowledged yet (G10).
//!
//! An item is written in the batch that uses up the keys it came from. The app saves it in its own
//! way and then acknowledges it; until then it is handed over again after every start, in order,
//! under the same id. Saving an item twice must therefore be harmless: use its id as the key.

use openmls_traits::OpenMlsProvider;
use serde::{Deserialize, Serialize};

use super::{
    outbox, CommittedProposal, Member, MlsClient, Party, ProposalInfo, ProposalSender, Result,
    UpdatedMember,
};
use crate::{
    sorted::sorted_by_key,
    storage::{Category, GranularStorage},
};

/// Something for the app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxItem {
    /// The id: that of the delivery service, or of the own message.
    pub id: String,
    /// Items are handed over in this order.
    pub sequence: u64,
    /// The group.
    pub group_id: Vec<u8>,
    /// The position in the group's log, if the item came from one.
    pub position: Option<u64>,
    /// What it is.
    pub content: InboxContent,
}

/// What an item is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InboxContent {
    /// An application message was received.
    Message {
        /// Who sent it.
        sender: Member,
        /// The epoch it was sent in.
        epoch: u64,
        /// The decrypted content.
        plaintext: Vec<u8>,
        /// The authenticated data that travelled in the clear.
        authenticated_data: Vec<u8>,
    },
    /// An own message was encrypted: it cannot be decrypted, so its plaintext is kept here.
    Sent {
        /// The epoch it was first encrypted for.
        epoch: u64,
        /// The content.
        plaintext: Vec<u8>,
    },
    /// A proposal was received and waits for a commit.
    Proposal {
        /// Who proposed.
        sender: ProposalSender,
        /// The epoch.
        epoch: u64,
        /// The proposal reference (RFC 9420 §5.2), by which a commit names it.
        reference: Vec<u8>,
        /// What it says.
        proposal: ProposalInfo,
    },
    /// A commit was merged.
    Commit {
        /// Whether it was this client's own.
        own: bool,
        /// Whether its sender joined by it (RFC 9420 §12.4.3.2).
        external: bool,
        /// Who committed: as it was before the commit or, if it joined by it, as it is now.
        sender: Option<Member>,
        /// The epoch it leads to.
        epoch: u64,
        /// Whom it added, a client that joined by it included.
        added: Vec<Party>,
        /// Whom it removed.
        removed: Vec<Member>,
        /// Whose credential or signature key it replaced.
        updated: Vec<UpdatedMember>,
        /// Whether it removed this client.
        self_removed: bool,
        /// The own commit that lost against it, if there was one.
        superseded: Option<String>,
        /// The proposals that it carried out, in order.
        proposals: Vec<CommittedProposal>,
    },
    /// A group was joined.
    Joined {
        /// The epoch.
        epoch: u64,
    },
    /// A message could not be processed, now or ever, or the app refused it.
    Failed {
        /// The code of the error; `credential-rejected` if the app refused it.
        code: String,
    },
    /// An own message or proposal came back. Only what `process_message` returns: there is nothing
    /// in it for the app, so it is not put into the inbox.
    OwnMessage,
}

pub(super) fn put(storage: &GranularStorage, item: &InboxItem) -> Result<()> {
    outbox::note_sequence(storage, item.sequence)?;
    let key = outbox::record_key(&item.id);
    Ok(storage.put(Category::Inbox, &key, item)?)
}

impl MlsClient {
    /// What the app has not acknowledged yet, in order.
    pub fn inbox(&self) -> Result<Vec<InboxItem>> {
        let items: Vec<InboxItem> = self.storage().get_all(Category::Inbox)?;
        Ok(sorted_by_key(items, |item| [item.sequence, 0, 0]))
    }

    /// The app has saved these items: they are deleted. An unknown id is no error, because an
    /// acknowledgement may be repeated after a crash.
    pub fn acknowledge_inbox(&mut self, ids: &[String]) -> Result<()> {
        self.atomically(|provider| {
            for id in ids {
                provider
                    .storage()
                    .delete(Category::Inbox, &outbox::record_key(id))?;
            }
            Ok(())
        })
    }
}
