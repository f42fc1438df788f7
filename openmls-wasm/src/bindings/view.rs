//! What results look like in JavaScript: plain objects, in the shapes that `ts/` declares.

use serde::{Serialize, Serializer};
use serde_bytes::Bytes;

use super::{proposal_view::ExtensionView, settings::SettingsView};
use crate::{
    client::{
        is_read_for_snapshots, GroupInfo, GroupSummary, Imported, Member, OutboxEntry, OutboxKind,
        Party, Role, UploadLink,
    },
    storage::{Batch, Category, Scope, Value},
};

/// A counter or position as a JavaScript number: it stays far below 2^53.
pub(super) fn number<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(*value as f64)
}

pub(super) fn optional_number<S: Serializer>(
    value: &Option<u64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => number(value, serializer),
        None => serializer.serialize_none(),
    }
}

fn null_or_bytes<S: Serializer>(value: &Option<&Bytes>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => value.serialize(serializer),
        None => serializer.serialize_unit(),
    }
}

#[derive(Serialize)]
pub(super) struct EventView<'a> {
    category: &'static str,
    key: &'a str,
    value: Option<&'a Bytes>,
}

#[derive(Serialize)]
pub(super) struct BatchView<'a> {
    #[serde(serialize_with = "number")]
    sequence: u64,
    events: Vec<EventView<'a>>,
    #[serde(rename = "deletedRanges")]
    deleted_ranges: &'a [(u32, u32)],
}

impl<'a> From<&'a Batch> for BatchView<'a> {
    fn from(batch: &'a Batch) -> Self {
        let event = |event: &'a crate::storage::StorageEvent| EventView {
            category: event.category.name(),
            key: &event.key,
            value: event.value.as_ref().map(value_bytes),
        };
        Self {
            sequence: batch.sequence,
            events: batch.events.iter().map(event).collect(),
            deleted_ranges: &batch.deleted_ranges,
        }
    }
}

fn value_bytes(value: &Value) -> &Bytes {
    Bytes::new(value)
}

#[derive(Serialize)]
pub(super) struct RecordView<'a> {
    category: &'static str,
    key: &'a str,
    value: &'a Bytes,
}

impl<'a> From<&'a crate::storage::Record> for RecordView<'a> {
    fn from(record: &'a crate::storage::Record) -> Self {
        Self {
            category: record.category.name(),
            key: &record.key,
            value: value_bytes(&record.value),
        }
    }
}

#[derive(Serialize)]
pub(super) struct UploadLinkView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<&'a Bytes>,
    link: &'a Bytes,
}

impl<'a> From<&'a UploadLink> for UploadLinkView<'a> {
    fn from(UploadLink { previous, link }: &'a UploadLink) -> Self {
        Self {
            previous: previous.as_deref().map(Bytes::new),
            link: Bytes::new(link),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CategoryView {
    name: &'static str,
    scope: &'static str,
    in_snapshots: bool,
}

impl From<Category> for CategoryView {
    fn from(category: Category) -> Self {
        Self {
            name: category.name(),
            scope: match category.scope() {
                Scope::Client => "client",
                Scope::OnDemand => "on-demand",
                Scope::Single => "single",
                Scope::Group => "group",
            },
            in_snapshots: is_read_for_snapshots(category),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MemberView<'a> {
    leaf_index: u32,
    identity: &'a Bytes,
    certificates: Vec<&'a Bytes>,
    signature_key: &'a Bytes,
}

impl<'a> From<&'a Member> for MemberView<'a> {
    fn from(member: &'a Member) -> Self {
        Self {
            leaf_index: member.leaf_index,
            identity: Bytes::new(&member.identity),
            certificates: list_of_bytes(&member.certificates),
            signature_key: Bytes::new(&member.signature_key),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PartyView<'a> {
    identity: &'a Bytes,
    certificates: Vec<&'a Bytes>,
    signature_key: &'a Bytes,
}

impl<'a> From<&'a Party> for PartyView<'a> {
    fn from(party: &'a Party) -> Self {
        Self {
            identity: Bytes::new(&party.identity),
            certificates: list_of_bytes(&party.certificates),
            signature_key: Bytes::new(&party.signature_key),
        }
    }
}

pub(super) fn list_of_bytes(list: &[Vec<u8>]) -> Vec<&Bytes> {
    list.iter().map(|bytes| Bytes::new(bytes)).collect()
}

pub(super) fn views<'a, T, V: From<&'a T>>(list: &'a [T]) -> Vec<V> {
    list.iter().map(V::from).collect()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupInfoView<'a> {
    group_id: &'a Bytes,
    epoch: u64,
    epoch_authenticator: &'a Bytes,
    own_leaf_index: u32,
    is_active: bool,
    has_pending_commit: bool,
    pending_proposals: u32,
    members: Vec<MemberView<'a>>,
    ciphersuite: u16,
    confirmation_tag: &'a Bytes,
    extensions: Vec<ExtensionView<'a>>,
    settings: SettingsView,
}

impl<'a> From<&'a GroupInfo> for GroupInfoView<'a> {
    fn from(info: &'a GroupInfo) -> Self {
        Self {
            group_id: Bytes::new(&info.group_id),
            epoch: info.epoch,
            epoch_authenticator: Bytes::new(&info.epoch_authenticator),
            own_leaf_index: info.own_leaf_index,
            is_active: info.is_active,
            has_pending_commit: info.has_pending_commit,
            pending_proposals: u32::try_from(info.pending_proposals).unwrap_or(u32::MAX),
            members: views(&info.members),
            ciphersuite: info.ciphersuite,
            confirmation_tag: Bytes::new(&info.confirmation_tag),
            extensions: views(&info.extensions),
            settings: (&info.settings).into(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupSummaryView<'a> {
    group_id: &'a Bytes,
    name: &'a Bytes,
    epoch: u64,
    member_count: u32,
    role: &'static str,
}

impl<'a> From<&'a GroupSummary> for GroupSummaryView<'a> {
    fn from(summary: &'a GroupSummary) -> Self {
        Self {
            group_id: Bytes::new(&summary.group_id),
            name: Bytes::new(&summary.name),
            epoch: summary.epoch,
            member_count: summary.member_count,
            role: match summary.role {
                Role::Member => "member",
                Role::FormerMember => "former-member",
                Role::Inert => "inert",
                Role::Unreadable => "unreadable",
            },
        }
    }
}

/// What importing a snapshot came to.
#[derive(Serialize)]
pub(super) struct ImportedView<'a> {
    added: Vec<&'a Bytes>,
    untouched: Vec<&'a Bytes>,
}

impl<'a> From<&'a Imported> for ImportedView<'a> {
    fn from(imported: &'a Imported) -> Self {
        Self {
            added: list_of_bytes(&imported.added),
            untouched: list_of_bytes(&imported.untouched),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutboxView<'a> {
    id: &'a str,
    #[serde(serialize_with = "number")]
    sequence: u64,
    kind: &'static str,
    group_id: &'a Bytes,
    epoch: u64,
    #[serde(serialize_with = "null_or_bytes")]
    bytes: Option<&'a Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plaintext: Option<&'a Bytes>,
    authenticated_data: &'a Bytes,
    #[serde(skip_serializing_if = "Option::is_none")]
    proposal_reference: Option<&'a Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    welcome: Option<&'a Bytes>,
    added: Vec<PartyView<'a>>,
    removed: Vec<PartyView<'a>>,
}

impl<'a> From<&'a OutboxEntry> for OutboxView<'a> {
    fn from(entry: &'a OutboxEntry) -> Self {
        let optional = |bytes: &'a Option<Vec<u8>>| bytes.as_deref().map(Bytes::new);
        Self {
            id: &entry.id,
            sequence: entry.sequence,
            kind: match entry.kind {
                OutboxKind::Message => "message",
                OutboxKind::Proposal => "proposal",
                OutboxKind::Commit => "commit",
            },
            group_id: Bytes::new(&entry.group_id),
            epoch: entry.epoch,
            bytes: optional(&entry.bytes),
            plaintext: optional(&entry.plaintext),
            authenticated_data: Bytes::new(&entry.authenticated_data),
            proposal_reference: optional(&entry.proposal_reference),
            welcome: optional(&entry.welcome),
            added: views(&entry.added),
            removed: views(&entry.removed),
        }
    }
}
