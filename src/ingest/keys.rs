//! Keys in memory: which key was seen, and which surrogate it has.
//!
//! Two million accounts are looked up for every fact row, so the index is an open-addressed table of positions into one
//! arena of key bytes: about 40 bytes per key. Memory is the cost of a look-up, so a slot holds a part of the hash, and
//! only a key that very probably is the right one is fetched, and then compared in full.

use std::collections::{BTreeMap, HashMap};

/// A set of byte keys that numbers them in the order of their first appearance.
#[derive(Debug, Default)]
pub(super) struct KeyIndex {
    /// Part of a key's hash, and its position + 1, or 0; the length is a power of two.
    slots: Vec<(u32, u32)>,
    /// Where each key ends in `bytes`.
    ends: Vec<usize>,
    bytes: Vec<u8>,
}

impl KeyIndex {
    /// Number of keys.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    fn key(&self, position: usize) -> &[u8] {
        let start = if position == 0 { 0 } else { self.ends[position - 1] };
        &self.bytes[start..self.ends[position]]
    }

    /// The slot that holds `key` or is free for it, and its tag. Only called while `slots` is not full.
    fn slot(&self, key: &[u8]) -> (usize, u32) {
        let mask = self.slots.len() - 1;
        // Slot and tag are different parts of the hash: cutting them off is the purpose of both conversions.
        let hash = hash(key);
        let (mut slot, tag) = (hash as usize & mask, (hash >> 32) as u32);
        loop {
            match self.slots[slot] {
                (_, 0) => return (slot, tag),
                (other, position) if other == tag && self.key(position as usize - 1) == key => return (slot, tag),
                _ => slot = (slot + 1) & mask,
            }
        }
    }

    /// Position of a known key.
    pub(super) fn get(&self, key: &[u8]) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        (self.slots[self.slot(key).0].1 as usize).checked_sub(1)
    }

    /// Adds a key. `Ok(position)` when it is new, `Err(position)` of the earlier one when it is not.
    pub(super) fn insert(&mut self, key: &[u8]) -> Result<usize, usize> {
        if self.slots.len() < (self.len() + 1) * 2 {
            self.grow();
        }
        let (slot, tag) = self.slot(key);
        if let Some(position) = (self.slots[slot].1 as usize).checked_sub(1) {
            return Err(position);
        }
        let position = self.ends.len();
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
        let number = u32::try_from(position + 1).expect("a partition of 4 billion rows does not fit memory");
        self.slots[slot] = (tag, number);
        Ok(position)
    }

    fn grow(&mut self) {
        let mask = (self.slots.len() * 2).max(64) - 1;
        let old = std::mem::replace(&mut self.slots, vec![(0, 0); mask + 1]);
        for (tag, number) in old.into_iter().filter(|(_, number)| *number != 0) {
            let mut slot = hash(self.key(number as usize - 1)) as usize & mask;
            while self.slots[slot].1 != 0 {
                slot = (slot + 1) & mask;
            }
            self.slots[slot] = (tag, number);
        }
    }
}

/// Folded multiplication over words of eight bytes: fast on short keys, and good enough for keys that the bank's own
/// systems number. An unlucky set of keys only makes it slower.
fn hash(key: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let fold = |state: u64, word: u64| {
        let product = u128::from(state ^ word) * u128::from(FACTOR | 1);
        (product as u64) ^ ((product >> 64) as u64)
    };
    let mut state = 0x243F_6A88_85A3_08D3 ^ key.len() as u64;
    let mut chunks = key.chunks_exact(8);
    for chunk in &mut chunks {
        state = fold(state, u64::from_le_bytes(chunk.try_into().expect("chunks of eight")));
    }
    let mut last = [0; 8];
    last[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    fold(fold(state, u64::from_le_bytes(last)), FACTOR)
}

/// Surrogates of one dimension by natural key, kept apart by branch when the dimension is.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    /// By branch; the one key is `shared` when the dimension is not cut by branch.
    branches: BTreeMap<String, Members>,
}

/// Keys and surrogates of one branch's members.
#[derive(Debug, Default)]
pub(super) struct Members {
    keys: KeyIndex,
    surrogates: Vec<i64>,
    /// Of members with versions, by position of the key: first day and surrogate of each, in order.
    versions: HashMap<usize, Vec<(i32, i64)>>,
}

impl Members {
    /// Adds a member, or a version of it that holds from a day on; a key without versions keeps its first surrogate.
    pub(super) fn insert(&mut self, key: &[u8], from: Option<i32>, surrogate: i64) {
        let position = self.keys.insert(key);
        if position.is_ok() {
            self.surrogates.push(surrogate);
        }
        if let Some(from) = from {
            let (Ok(position) | Err(position)) = position;
            let versions = self.versions.entry(position).or_default();
            let place = versions.partition_point(|(known, _)| *known <= from);
            versions.insert(place, (from, surrogate));
        }
    }

    /// Surrogate of a key: of the version that holds on a day, the first one before them all.
    pub(super) fn get(&self, key: &[u8], day: i32) -> Option<i64> {
        let position = self.keys.get(key)?;
        let Some(versions) = self.versions.get(&position) else { return Some(self.surrogates[position]) };
        let after = versions.partition_point(|(from, _)| *from <= day);
        Some(versions[after.saturating_sub(1)].1)
    }
}

impl Lookup {
    /// The members of a branch, made when there are none.
    pub(super) fn members_mut(&mut self, branch: &str) -> &mut Members {
        if !self.branches.contains_key(branch) {
            self.branches.insert(branch.to_owned(), Members::default());
        }
        self.branches.get_mut(branch).expect("inserted above")
    }

    /// The members of a branch.
    pub(super) fn members(&self, branch: &str) -> Option<&Members> {
        self.branches.get(branch)
    }
}

#[cfg(test)]
mod tests;
