//! The trait's 56 methods for [`Mutant`].

use openmls_traits::storage::{traits, StorageProvider};
use serde::Serialize;
use serde_json::Value;

use super::{
    mutant::{in_text_order, Any, Done, Fault, Id, Mutant},
    mutations::{records, Bug, Family},
    types::Epoch,
    Subject,
};

macro_rules! define_methods {
    ($($family:ident, $key:ident => $value:ident: $write:ident<$($wg:ident),*>, $read:ident<$($rg:ident),*>, $delete:ident<$($dg:ident),*>;)*) => {$(
        fn $write<$($wg: traits::$wg<1>),*>(&self, key: &$key, value: &$value) -> Done<(), S> {
            self.write(Family::$family, key, value)
        }
        fn $read<$($rg: traits::$rg<1>),*>(&self, key: &$key) -> Done<Option<$value>, S> {
            self.read(Family::$family, key)
        }
        fn $delete<$($dg: traits::$dg<1>),*>(&self, key: &$key) -> Done<(), S> {
            self.delete(Family::$family, key)
        }
    )*};
}

impl<S: Subject> StorageProvider<1> for Mutant<S> {
    type Error = Fault<S::Error>;

    records!(define_methods);

    fn append_own_leaf_node<G: traits::GroupId<1>, L: traits::LeafNode<1>>(
        &self,
        group: &G,
        node: &L,
    ) -> Done<(), S> {
        let id = self.id(Family::LeafNodes, group)?;
        let node = self.value(Family::LeafNodes, node)?;
        let there =
            || -> Done<Vec<Any>, S> { self.inner.own_leaf_nodes(&id).map_err(Fault::Inner) };
        match self.bug {
            Bug::WriteIgnored(Family::LeafNodes) => return Ok(()),
            Bug::AppendDropsEqual if there()?.contains(&node) => return Ok(()),
            Bug::AppendOverwrites => {
                self.inner
                    .delete_own_leaf_nodes(&id)
                    .map_err(Fault::Inner)?;
            }
            _ => {}
        }
        self.inner
            .append_own_leaf_node(&id, &node)
            .map_err(Fault::Inner)
    }

    fn own_leaf_nodes<G: traits::GroupId<1>, L: traits::LeafNode<1>>(
        &self,
        group: &G,
    ) -> Done<Vec<L>, S> {
        let id = self.id(Family::LeafNodes, group)?;
        let mut nodes: Vec<Any> = self.inner.own_leaf_nodes(&id).map_err(Fault::Inner)?;
        match self.bug {
            Bug::AppendInFront => nodes.reverse(),
            Bug::LeafNodesInTextOrder => nodes = in_text_order(nodes),
            Bug::ReadsByPrefix(Family::LeafNodes) => {
                for longer in self.longer(Family::LeafNodes, &id) {
                    let more: Vec<Any> =
                        self.inner.own_leaf_nodes(&longer).map_err(Fault::Inner)?;
                    nodes.extend(more);
                }
            }
            _ => {}
        }
        let nodes = nodes.into_iter().map(|node| node.0).collect();
        let nodes = self.list(Family::LeafNodes, &id, nodes)?;
        Ok(serde_json::from_value(Value::Array(nodes))?)
    }

    fn delete_own_leaf_nodes<G: traits::GroupId<1>>(&self, group: &G) -> Done<(), S> {
        self.delete(Family::LeafNodes, group)
    }

    fn write_encryption_epoch_key_pairs<
        G: traits::GroupId<1>,
        E: traits::EpochKey<1>,
        H: traits::HpkeKeyPair<1>,
    >(
        &self,
        group: &G,
        epoch: &E,
        leaf: u32,
        pairs: &[H],
    ) -> Done<(), S> {
        let (id, epoch, leaf) = self.epoch_id(group, epoch, leaf)?;
        let there: Vec<Any> = self.epoch_keys(&id, epoch, leaf)?;
        let mut values: Vec<Any> = vec![];
        for pair in pairs {
            values.push(self.value(Family::EpochKeys, pair)?);
        }
        match self.bug {
            Bug::WriteIgnored(Family::EpochKeys) => return Ok(()),
            Bug::KeepsFirst(Family::EpochKeys) if !there.is_empty() => return Ok(()),
            Bug::EmptyWriteIgnored if values.is_empty() => return Ok(()),
            Bug::EpochKeysAppended => values.splice(0..0, there).for_each(drop),
            _ => {}
        }
        self.memory().epochs.insert((id.clone(), epoch, leaf));
        self.inner
            .write_encryption_epoch_key_pairs(&id, &Epoch(epoch), leaf, &values)
            .map_err(Fault::Inner)
    }

    fn encryption_epoch_key_pairs<
        G: traits::GroupId<1>,
        E: traits::EpochKey<1>,
        H: traits::HpkeKeyPair<1>,
    >(
        &self,
        group: &G,
        epoch: &E,
        leaf: u32,
    ) -> Done<Vec<H>, S> {
        let (id, epoch, leaf) = self.epoch_id(group, epoch, leaf)?;
        let pairs = self.epoch_keys(&id, epoch, leaf)?;
        let pairs = pairs.into_iter().map(|pair| pair.0).collect();
        let bytes = [&id.bytes[..], &epoch.to_be_bytes(), &leaf.to_be_bytes()].concat();
        let pairs = self.list(Family::EpochKeys, &Id { bytes }, pairs)?;
        Ok(serde_json::from_value(Value::Array(pairs))?)
    }

    fn delete_encryption_epoch_key_pairs<G: traits::GroupId<1>, E: traits::EpochKey<1>>(
        &self,
        group: &G,
        epoch: &E,
        leaf: u32,
    ) -> Done<(), S> {
        let (id, epoch, leaf) = self.epoch_id(group, epoch, leaf)?;
        if self.bug == Bug::DeleteIgnored(Family::EpochKeys) {
            return Ok(());
        }
        if self.bug == Bug::DeleteMissingIsError(Family::EpochKeys)
            && self.epoch_keys(&id, epoch, leaf)?.is_empty()
        {
            return Err(Fault::Injected);
        }
        let hit = |other: &(Id, u64, u32)| match self.bug {
            Bug::EpochDeletesAllLeaves => other.0 == id && other.1 == epoch,
            Bug::EpochDeletesAllEpochs => other.0 == id && other.2 == leaf,
            Bug::DeletesByPrefix(Family::EpochKeys) => {
                other.0.bytes.starts_with(&id.bytes) && (other.1, other.2) == (epoch, leaf)
            }
            _ => false,
        };
        let mut deleted: Vec<_> = self
            .memory()
            .epochs
            .iter()
            .filter(|e| hit(e))
            .cloned()
            .collect();
        deleted.push((id.clone(), epoch, leaf));
        deleted.iter().try_for_each(|(id, epoch, leaf)| {
            self.inner
                .delete_encryption_epoch_key_pairs(id, &Epoch(*epoch), *leaf)
                .map_err(Fault::Inner)
        })
    }

    fn queue_proposal<
        G: traits::GroupId<1>,
        R: traits::ProposalRef<1>,
        Q: traits::QueuedProposal<1>,
    >(
        &self,
        group: &G,
        reference: &R,
        proposal: &Q,
    ) -> Done<(), S> {
        let id = self.id(Family::Proposals, group)?;
        let proposal = self.value(Family::Proposals, proposal)?;
        self.queue(&id, &self.reference(reference)?, &proposal)
    }

    fn queued_proposal_refs<G: traits::GroupId<1>, R: traits::ProposalRef<1>>(
        &self,
        group: &G,
    ) -> Done<Vec<R>, S> {
        let id = self.id(Family::Proposals, group)?;
        let refs = self.queued_refs(&id)?;
        refs.iter()
            .map(|id| Ok(serde_json::from_slice(&id.bytes)?))
            .collect()
    }

    fn queued_proposals<
        G: traits::GroupId<1>,
        R: traits::ProposalRef<1>,
        Q: traits::QueuedProposal<1>,
    >(
        &self,
        group: &G,
    ) -> Done<Vec<(R, Q)>, S> {
        let id = self.id(Family::Proposals, group)?;
        let queue = self.queued(&id)?;
        let entry = |(id, proposal): (Id, Any)| {
            Ok((
                serde_json::from_slice(&id.bytes)?,
                serde_json::from_value(proposal.0)?,
            ))
        };
        queue.into_iter().map(entry).collect()
    }

    fn remove_proposal<G: traits::GroupId<1>, R: traits::ProposalRef<1>>(
        &self,
        group: &G,
        reference: &R,
    ) -> Done<(), S> {
        let id = self.id(Family::Proposals, group)?;
        self.unqueue(&id, &self.reference(reference)?)
    }

    fn clear_proposal_queue<G: traits::GroupId<1>, R: traits::ProposalRef<1>>(
        &self,
        group: &G,
    ) -> Done<(), S> {
        let id = self.id(Family::Proposals, group)?;
        self.clear_queue(&id)?;
        self.delete_unless_partial(group)
    }
}

impl<S: Subject> Mutant<S> {
    fn epoch_keys(&self, id: &Id, epoch: u64, leaf: u32) -> Done<Vec<Any>, S> {
        self.inner
            .encryption_epoch_key_pairs(id, &Epoch(epoch), leaf)
            .map_err(Fault::Inner)
    }

    /// What the inner provider gets for group, epoch and leaf.
    fn epoch_id(
        &self,
        group: &impl Serialize,
        epoch: &impl Serialize,
        leaf: u32,
    ) -> Done<(Id, u64, u32), S> {
        let id = self.id(Family::EpochKeys, group)?;
        let epoch = serde_json::to_value(epoch)?.as_u64().ok_or(Fault::Json)?;
        let (epoch, leaf) = match self.bug {
            Bug::EpochIgnored => (0, leaf),
            Bug::EpochLow8 => (epoch & 0xff, leaf),
            Bug::EpochLow32 => (epoch & 0xffff_ffff, leaf),
            Bug::EpochAsFloat => (epoch as f64 as u64, leaf),
            Bug::LeafIgnored => (epoch, 0),
            Bug::LeafLow8 => (epoch, leaf & 0xff),
            Bug::LeafLow16 => (epoch, leaf & 0xffff),
            Bug::EpochAndLeafJoined => {
                let joined: u128 = format!("{epoch}{leaf}").parse().unwrap_or_default();
                (joined as u64, (joined >> 64) as u32)
            }
            _ => (epoch, leaf),
        };
        Ok((id, epoch, leaf))
    }
}
