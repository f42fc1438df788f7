//! What clients tell, in the terms of the model.

use openmls_wasm::client::{
    Extension, InboxContent, InboxItem, Party, PendingProposal, ProposalInfo, ProposalSender,
    PskUsage,
};

use super::{
    committed,
    device::APP_PROPOSAL,
    effect::{Context, Proposed, Psk, Sender},
    service::ClientIndex,
    view::{Item, Said, Waiting},
    world::World,
};

impl World {
    /// Whether a proposal that the client shows is this one.
    pub fn is_of(&self, shown: &PendingProposal, waiting: &Waiting) -> bool {
        let (by, _) = self.proposer(&shown.sender);
        by == waiting.by
            && match (&shown.proposal, &waiting.what) {
                (ProposalInfo::Add { added }, Proposed::Add(client, _)) => {
                    self.who(added) == *client
                }
                (ProposalInfo::Remove { leaf_index, .. }, Proposed::Remove(leaf)) => {
                    leaf_index == leaf
                }
                (ProposalInfo::Remove { leaf_index, .. }, Proposed::Leave { .. }) => {
                    Some(*leaf_index) == waiting.by.leaf()
                }
                (ProposalInfo::SelfRemove, Proposed::Leave { by_self_remove }) => *by_self_remove,
                (ProposalInfo::Update { updated }, Proposed::Update { .. }) => {
                    matches!(&shown.sender, ProposalSender::Member(sender)
                        if self.who(sender) == self.who(updated))
                }
                (ProposalInfo::ExternalPsk { psk_id }, Proposed::Psk(Psk::External(id))) => {
                    psk_id == id
                }
                (
                    ProposalInfo::ResumptionPsk { epoch, usage, .. },
                    Proposed::Psk(Psk::Resumption(of)),
                ) => (epoch, *usage) == (of, PskUsage::Application),
                (
                    ProposalInfo::GroupContextExtensions { extensions },
                    Proposed::Extensions(context),
                ) => *extensions == self.extensions(context),
                (ProposalInfo::AppDefined { payload, .. }, Proposed::AppDefined(sent)) => {
                    payload == sent
                }
                _ => false,
            }
    }

    /// Who proposed, and as what. Of a listed sender only its place is told.
    pub fn proposer(&self, sender: &ProposalSender) -> (Sender, Option<ClientIndex>) {
        match sender {
            ProposalSender::Member(member) => {
                let from = self.who(member);
                (Sender::Member(member.leaf_index), Some(from))
            }
            ProposalSender::External { index } => (Sender::External(*index), None),
            ProposalSender::NewMemberProposal => (Sender::NewMember, None),
            other => panic!("{other:?} proposed"),
        }
    }

    /// The extensions of a group context.
    pub fn extensions(&self, context: &Context) -> Vec<Extension> {
        let mut extensions = vec![];
        if context.requires_app_proposal {
            extensions.push(Extension::RequiredCapabilities {
                extension_types: vec![],
                proposal_types: vec![APP_PROPOSAL],
                credential_types: vec![1],
            });
        }
        let party = |client: &ClientIndex| self.devices[*client].party.clone();
        let senders: Vec<Party> = context.senders.iter().map(party).collect();
        if !senders.is_empty() {
            extensions.push(Extension::ExternalSenders { senders });
        }
        extensions
    }

    /// An item, told without types of the client.
    pub fn item(&self, item: &InboxItem) -> Item {
        Item {
            id: item.id.clone(),
            group: (!item.group_id.is_empty()).then(|| self.index_of(&item.group_id)),
            position: item.position,
            said: self.said(&item.content),
        }
    }

    pub fn said(&self, content: &InboxContent) -> Said {
        match content {
            InboxContent::Message {
                sender,
                epoch,
                plaintext,
                authenticated_data,
            } => Said::Message {
                from: self.who(sender),
                leaf: sender.leaf_index,
                epoch: *epoch,
                plaintext: plaintext.clone(),
                data: authenticated_data.clone(),
            },
            InboxContent::Sent {
                epoch, plaintext, ..
            } => Said::Sent {
                epoch: *epoch,
                plaintext: plaintext.clone(),
            },
            InboxContent::Proposal {
                sender,
                epoch,
                proposal,
                ..
            } => {
                let (by, from) = self.proposer(sender);
                let newcomer = match (by, proposal) {
                    (Sender::NewMember, ProposalInfo::Add { added }) => Some(self.who(added)),
                    _ => None,
                };
                Said::Proposal {
                    by,
                    from: from.or(newcomer),
                    epoch: *epoch,
                }
            }
            InboxContent::Commit {
                own,
                sender,
                epoch,
                added,
                removed,
                self_removed,
                superseded,
                external,
                proposals,
                ..
            } => Said::Commit {
                own: *own,
                from: self.who(sender.as_ref().expect("a member committed")),
                epoch: *epoch,
                added: added.iter().map(|p| self.who(p)).collect(),
                removed: removed.iter().map(|m| self.who(m)).collect(),
                self_removed: *self_removed,
                superseded: superseded.clone(),
                listed: (!external).then(|| committed::listed(proposals)),
            },
            InboxContent::Joined { epoch, .. } => Said::Joined { epoch: *epoch },
            InboxContent::Failed { code, .. } => Said::Failed { code: code.clone() },
            InboxContent::OwnMessage => Said::OwnMessage,
        }
    }
}
