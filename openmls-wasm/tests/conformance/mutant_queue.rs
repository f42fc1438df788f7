//! The proposal queue of [`Mutant`], where most of the bugs are.

use serde::Serialize;

use super::{
    mutant::{in_text_order, Any, Done, Fault, Id, Mutant},
    mutations::{Bug, Family},
    Subject,
};

const FAMILY: Family = Family::Proposals;

impl<S: Subject> Mutant<S> {
    pub fn reference(&self, reference: &impl Serialize) -> Done<Id, S> {
        let bytes = serde_json::to_vec(reference)?;
        Ok(Id { bytes })
    }

    fn inner_refs(&self, group: &Id) -> Done<Vec<Id>, S> {
        self.inner.queued_proposal_refs(group).map_err(Fault::Inner)
    }

    fn inner_queue(&self, group: &Id) -> Done<Vec<(Id, Any)>, S> {
        self.inner.queued_proposals(group).map_err(Fault::Inner)
    }

    fn inner_remove(&self, group: &Id, reference: &Id) -> Done<(), S> {
        self.inner
            .remove_proposal(group, reference)
            .map_err(Fault::Inner)
    }

    pub fn queue(&self, group: &Id, reference: &Id, proposal: &Any) -> Done<(), S> {
        let is_there = || -> Done<bool, S> { Ok(self.inner_refs(group)?.contains(reference)) };
        match self.bug {
            Bug::WriteIgnored(FAMILY) => return Ok(()),
            Bug::RequeueIgnored if is_there()? => return Ok(()),
            Bug::RequeueMovesToEnd if is_there()? => self.inner_remove(group, reference)?,
            Bug::QueueOverwrites => {
                self.inner
                    .clear_proposal_queue::<_, Id>(group)
                    .map_err(Fault::Inner)?;
            }
            Bug::PositionReused => self.free_position(group, reference)?,
            _ => {}
        }
        self.memory()
            .newest
            .insert(self.content_key(group, reference), proposal.clone());
        self.inner
            .queue_proposal(group, reference, proposal)
            .map_err(Fault::Inner)
    }

    /// Under what the content of a proposal stands, for the bugs that mix contents up.
    fn content_key(&self, group: &Id, reference: &Id) -> Id {
        let flat = |id: &Id| -> Vec<u8> {
            let digits = id.bytes.iter().filter(|byte| byte.is_ascii_digit());
            digits.copied().collect()
        };
        let bytes: Vec<u8> = match self.bug {
            Bug::ContentByRefOnly => reference.bytes.clone(),
            Bug::GroupAndRefJoined => [flat(group), flat(reference)].concat(),
            _ => vec![],
        };
        Id { bytes }
    }

    /// The next position is the length of the queue: what stands there goes.
    fn free_position(&self, group: &Id, reference: &Id) -> Done<(), S> {
        let refs = self.inner_refs(group)?;
        let lost: Vec<Id> = {
            let mut memory = self.memory();
            let positions = memory.positions.entry(group.clone()).or_default();
            positions.retain(|(_, there)| refs.contains(there));
            let next = positions.len();
            let lost = positions.iter().filter(|(position, _)| *position == next);
            let lost = lost.map(|(_, reference)| reference.clone()).collect();
            positions.push((next, reference.clone()));
            lost
        };
        lost.iter()
            .try_for_each(|lost| self.inner_remove(group, lost))
    }

    pub fn queued_refs(&self, group: &Id) -> Done<Vec<Id>, S> {
        let mut refs = self
            .memory()
            .left_refs
            .get(group)
            .cloned()
            .unwrap_or_default();
        refs.extend(self.inner_refs(group)?);
        let sorted = matches!(self.bug, Bug::RefsSorted | Bug::BothSorted);
        self.ordered(group, refs, sorted, |id| id.clone(), Self::inner_refs)
    }

    pub fn queued(&self, group: &Id) -> Done<Vec<(Id, Any)>, S> {
        let mut queue = self
            .memory()
            .left_proposals
            .get(group)
            .cloned()
            .unwrap_or_default();
        queue.extend(self.inner_queue(group)?);
        for (reference, proposal) in &mut queue {
            let key = self.content_key(group, reference);
            if let (false, Some(newest)) = (key.bytes.is_empty(), self.memory().newest.get(&key)) {
                *proposal = newest.clone();
            }
        }
        let sorted = matches!(self.bug, Bug::ProposalsSorted | Bug::BothSorted);
        self.ordered(
            group,
            queue,
            sorted,
            |(id, _)| id.clone(),
            Self::inner_queue,
        )
    }

    /// A view of the queue after the bugs that concern both views.
    fn ordered<T: Serialize + serde::de::DeserializeOwned>(
        &self,
        group: &Id,
        mut items: Vec<T>,
        sorted: bool,
        key: impl Fn(&T) -> Id,
        read: impl Fn(&Self, &Id) -> Done<Vec<T>, S>,
    ) -> Done<Vec<T>, S> {
        match self.bug {
            Bug::BothReversed => items.reverse(),
            Bug::QueueInTextOrder => items = in_text_order(items),
            Bug::ReadsByPrefix(FAMILY) => {
                for longer in self.longer(FAMILY, group) {
                    items.extend(read(self, &longer)?);
                }
            }
            _ if sorted => items.sort_by_key(key),
            _ => {}
        }
        let mut values = vec![];
        for item in &items {
            values.push(serde_json::to_value(item)?);
        }
        // Each of the two views remembers a first state of its own.
        let view = std::any::type_name::<T>().as_bytes();
        let bytes = [&group.bytes[..], view].concat();
        let values = self.list(FAMILY, &Id { bytes }, values)?;
        values
            .into_iter()
            .map(|value| Ok(serde_json::from_value(value)?))
            .collect()
    }

    pub fn unqueue(&self, group: &Id, reference: &Id) -> Done<(), S> {
        let queue = self.inner_queue(group)?;
        let position = queue.iter().position(|(id, _)| id == reference);
        let Some(position) = position.filter(|_| self.bug != Bug::RemovesByPrefix) else {
            return self.unqueue_missing(group, reference, &queue);
        };
        let other = match self.bug {
            Bug::RemoveIgnored => return Ok(()),
            Bug::RemovesFirst => 0,
            Bug::RemovesLast => queue.len() - 1,
            Bug::RemovesNext => (position + 1) % queue.len(),
            _ => position,
        };
        let mut memory = self.memory();
        match self.bug {
            Bug::RemovesOnlyRef => {
                let left = memory.left_proposals.entry(group.clone()).or_default();
                left.push(queue[position].clone());
            }
            Bug::RemovesOnlyProposal => {
                let left = memory.left_refs.entry(group.clone()).or_default();
                left.push(reference.clone());
            }
            _ => {}
        }
        let groups: Vec<Id> = match self.bug {
            Bug::RemovesInAllGroups => memory.ids.iter().map(|(_, id)| id.clone()).collect(),
            _ => vec![group.clone()],
        };
        drop(memory);
        groups
            .iter()
            .try_for_each(|group| self.inner_remove(group, &queue[other].0))
    }

    fn unqueue_missing(&self, group: &Id, reference: &Id, queue: &[(Id, Any)]) -> Done<(), S> {
        // `…[1,2]}` without its closing brackets is how the text of `…[1,2,3]}` begins.
        let text = String::from_utf8_lossy(&reference.bytes).into_owned();
        let beginning = text.trim_end_matches(['}', ']']);
        for (id, _) in queue {
            if self.bug == Bug::RemovesByPrefix && id.bytes.starts_with(beginning.as_bytes()) {
                self.inner_remove(group, id)?;
            }
        }
        self.inner_remove(group, reference)
    }

    /// What a partial clear leaves behind.
    pub fn clear_queue(&self, group: &Id) -> Done<(), S> {
        let queue = self.queued(group)?;
        let mut memory = self.memory();
        match self.bug {
            Bug::ClearLeavesProposals => {
                memory.left_proposals.insert(group.clone(), queue);
            }
            Bug::ClearLeavesRefs => {
                let refs = queue.into_iter().map(|(id, _)| id).collect();
                memory.left_refs.insert(group.clone(), refs);
            }
            Bug::ClearLeavesHidden => memory.hidden += queue.len(),
            _ => {}
        }
        Ok(())
    }

    /// The clear itself.
    pub fn delete_unless_partial(&self, group: &impl Serialize) -> Done<(), S> {
        let id = self.id(FAMILY, group)?;
        let mut refs = self.inner_refs(&id)?;
        match self.bug {
            Bug::ClearLeavesFirst if !refs.is_empty() => drop(refs.remove(0)),
            Bug::ClearLeavesLast if !refs.is_empty() => drop(refs.pop()),
            _ => return self.delete(FAMILY, group),
        }
        refs.iter()
            .try_for_each(|reference| self.inner_remove(&id, reference))
    }
}
