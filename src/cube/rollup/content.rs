//! What the dimensions say at a snapshot, as digests: whether rows that were built from them would be built alike today.
//!
//! Only the columns that a rollup reads count, only the members of the partition's own branch, and only those up to the
//! greatest key that its facts use: surrogate keys grow, so members that came later cannot have been read. A day's new
//! customers therefore leave yesterday's partitions fresh, and a changed tier does not.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Int64Type};
use arrow::row::{RowConverter, SortField};
use sha2::{Digest, Sha256};

use crate::cube::CompiledCube;
use crate::error::{Error, Result};
use crate::warehouse::SHARED;

/// The dimensions of a cube, as far as rollups read them.
#[derive(Debug, Default)]
pub(in crate::cube) struct Contents {
    joins: HashMap<usize, Rows>,
    chains: Mutex<HashMap<Asked, Arc<Chains>>>,
}

/// A join and columns of its dimension.
type Asked = (usize, BTreeSet<String>);

#[derive(Debug)]
struct Rows {
    batch: RecordBatch,
    key: String,
    branch: Option<String>,
}

/// For each branch the keys in order, and for each the digest of all rows up to it.
type Chains = BTreeMap<String, Vec<(i64, [u8; 32])>>;

impl Contents {
    /// Joins whose dimension some rollup of the cube reads, with the columns that any of them does.
    pub(in crate::cube) fn wanted(cube: &CompiledCube) -> BTreeMap<usize, BTreeSet<String>> {
        let mut wanted: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
        for (join, columns) in cube.rollups.iter().flat_map(|rollup| &rollup.reads) {
            wanted.entry(*join).or_default().extend(columns.iter().cloned());
        }
        wanted
    }

    /// Takes in the rows of a joined dimension.
    pub(in crate::cube) fn add(
        &mut self,
        join: usize,
        cube: &CompiledCube,
        branch: Option<String>,
        batches: &[RecordBatch],
    ) -> Result<()> {
        let Some(first) = batches.first() else { return Ok(()) };
        let batch = concat_batches(&first.schema(), batches)
            .map_err(|error| Error::internal("cannot read a dimension", error))?;
        let key = cube.joins[join].dimension.key.value.clone();
        self.joins.insert(join, Rows { batch, key, branch });
        Ok(())
    }

    /// Digest of the columns of a branch's members, up to the greatest key where one is given.
    pub(super) fn digest(
        &self,
        join: usize,
        columns: &BTreeSet<String>,
        branch: Option<&str>,
        greatest: Option<i64>,
    ) -> Result<[u8; 32]> {
        let mut digest = Sha256::new();
        for (of, chain) in self.chains(join, columns)?.iter() {
            if branch.is_some_and(|branch| branch != of && of != SHARED) {
                continue;
            }
            let until = match greatest {
                Some(greatest) => chain.partition_point(|(key, _)| *key <= greatest),
                None => chain.len(),
            };
            if let Some((_, last)) = until.checked_sub(1).map(|last| &chain[last]) {
                digest.update(of.as_bytes());
                digest.update(last);
            }
        }
        Ok(digest.finalize().into())
    }

    fn chains(&self, join: usize, columns: &BTreeSet<String>) -> Result<Arc<Chains>> {
        let mut chains = self.chains.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = (join, columns.clone());
        if let Some(known) = chains.get(&asked) {
            return Ok(Arc::clone(known));
        }
        let made = Arc::new(self.joins.get(&join).map_or_else(|| Ok(Chains::new()), |rows| rows.chains(columns))?);
        chains.insert(asked, Arc::clone(&made));
        Ok(made)
    }
}

impl Rows {
    fn chains(&self, columns: &BTreeSet<String>) -> Result<Chains> {
        let fault = |error: arrow::error::ArrowError| Error::internal("cannot read a dimension", error);
        let column = |name: &str| {
            self.batch
                .column_by_name(name)
                .cloned()
                .ok_or_else(|| Error::internal("cannot read a dimension", format!("`{name}` is missing")))
        };
        let key = column(&self.key)?;
        // Keys that are not whole numbers have no order of arrival; all their rows count.
        let numbers = match key.data_type() {
            DataType::Int64 => key,
            _ => Arc::new(arrow::array::Int64Array::from(vec![i64::MIN; self.batch.num_rows()])) as ArrayRef,
        };
        let mut values = vec![column(&self.key)?];
        for name in columns {
            values.push(column(name)?);
        }
        let fields = values.iter().map(|array| SortField::new(array.data_type().clone())).collect();
        let converter = RowConverter::new(fields).map_err(fault)?;
        let rows = converter.convert_columns(&values).map_err(fault)?;
        let branches = match &self.branch {
            Some(name) => cast(&column(name)?, &DataType::Utf8).map_err(fault)?,
            None => Arc::new(StringArray::from(vec![SHARED; self.batch.num_rows()])),
        };
        let branches = branches.as_string::<i32>();
        let numbers = numbers.as_primitive::<Int64Type>();
        let mut order: Vec<usize> = (0..self.batch.num_rows()).collect();
        order.sort_by(|a, b| (numbers.value(*a), rows.row(*a)).cmp(&(numbers.value(*b), rows.row(*b))));
        let mut chains = Chains::new();
        for row in order {
            let branch = if branches.is_null(row) { SHARED } else { branches.value(row) };
            let chain = chains.entry(branch.to_owned()).or_default();
            let mut digest = Sha256::new();
            if let Some((_, before)) = chain.last() {
                digest.update(before);
            }
            digest.update(rows.row(row).as_ref());
            chain.push((numbers.value(row), digest.finalize().into()));
        }
        Ok(chains)
    }
}
