//! Exact distinct counts that merge: sets of whole numbers as portable roaring bitmaps.
//!
//! Rollups store the set of a cell and not its size, because sizes do not add. The functions are not registered in any
//! session: only plans made by `cube` hold them, so no statement can read a set's members.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, internal_err};
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, EmitTo, Expr, GroupsAccumulator, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use roaring::RoaringTreemap;

use super::whole::Whole;

static BUILD: LazyLock<Arc<AggregateUDF>> = LazyLock::new(|| aggregate("countinghouse_bitmap_build", Input::Numbers));
static MERGE: LazyLock<Arc<AggregateUDF>> = LazyLock::new(|| aggregate("countinghouse_bitmap_merge", Input::Sets));
static COUNT: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    Arc::new(ScalarUDF::from(Count { signature: Signature::exact(vec![DataType::Binary], Volatility::Immutable) }))
});

/// The set of an integer expression's values over a group's rows, as a bitmap; nulls are left out, no value gives null.
pub fn bitmap_build(values: Expr) -> Expr {
    BUILD.call(vec![values])
}

/// The union of a group's bitmaps; null where there is none.
pub fn bitmap_merge(sets: Expr) -> Expr {
    MERGE.call(vec![sets])
}

/// How many values a bitmap holds, as Int64; 0 for null.
pub fn bitmap_count(set: Expr) -> Expr {
    COUNT.call(vec![set])
}

fn aggregate(name: &'static str, input: Input) -> Arc<AggregateUDF> {
    let signature = match input {
        Input::Numbers => Signature::exact(vec![DataType::Int64], Volatility::Immutable),
        Input::Sets => Signature::exact(vec![DataType::Binary], Volatility::Immutable),
    };
    Arc::new(AggregateUDF::from(Bitmap { name, input, signature }))
}

/// What an aggregate takes its sets from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Input {
    Numbers,
    Sets,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Bitmap {
    name: &'static str,
    input: Input,
    signature: Signature,
}

impl AggregateUDFImpl for Bitmap {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Whole(Sets { input: self.input, sets: Vec::new(), bytes: 0 })))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Sets { input: self.input, sets: Vec::new(), bytes: 0 }))
    }
}

/// One set a group.
#[derive(Debug)]
struct Sets {
    input: Input,
    sets: Vec<Option<RoaringTreemap>>,
    /// Estimate of what the sets take, for the memory pool.
    bytes: usize,
}

impl Sets {
    fn add(
        &mut self,
        input: Input,
        values: &ArrayRef,
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.sets.resize(total.max(self.sets.len()), None);
        let taken =
            |row: usize| !values.is_null(row) && filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        match input {
            Input::Numbers => {
                let values = cast(values, &DataType::Int64)?;
                let values = values.as_primitive::<Int64Type>();
                for (row, group) in groups.iter().enumerate().filter(|(row, _)| taken(*row)) {
                    let set = self.sets[*group].get_or_insert_default();
                    // The bits of a negative number are a number too: any whole number can be counted.
                    if set.insert(values.value(row).cast_unsigned()) {
                        self.bytes += 2;
                    }
                }
            }
            Input::Sets => {
                let values = cast(values, &DataType::Binary)?;
                let values = values.as_binary::<i32>();
                for (row, group) in groups.iter().enumerate().filter(|(row, _)| taken(*row)) {
                    let set = read(values.value(row))?;
                    self.bytes += values.value(row).len();
                    match &mut self.sets[*group] {
                        Some(known) => *known |= set,
                        none => *none = Some(set),
                    }
                }
            }
        }
        Ok(())
    }

    fn emit(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sets = emit_to.take_needed(&mut self.sets);
        let written = sets.iter().map(|set| set.as_ref().map(write).transpose()).collect::<Result<Vec<_>>>()?;
        self.bytes = self.bytes.saturating_sub(written.iter().flatten().map(Vec::len).sum());
        Ok(Arc::new(BinaryArray::from_iter(written)))
    }
}

impl GroupsAccumulator for Sets {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.add(self.input, &values[0], groups, filter, total)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.add(Input::Sets, &values[0], groups, None, total)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        self.emit(emit_to)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.emit(emit_to)?])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let groups: Vec<usize> = (0..values[0].len()).collect();
        let mut rows = Self { input: self.input, sets: Vec::new(), bytes: 0 };
        rows.add(self.input, &values[0], &groups, filter, groups.len())?;
        rows.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.bytes + self.sets.capacity() * size_of::<Option<RoaringTreemap>>()
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Count {
    signature: Signature,
}

impl ScalarUDFImpl for Count {
    fn name(&self) -> &str {
        "countinghouse_bitmap_count"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let array = args.args[0].to_array(args.number_rows)?;
        let Some(sets) = array.as_binary_opt::<i32>() else { return internal_err!("a bitmap is binary") };
        let count = |set: Option<&[u8]>| set.map_or(Ok(0), |set| Ok(read(set)?.len()));
        let counts = sets.iter().map(count).collect::<Result<Vec<u64>>>()?;
        let counts = counts.into_iter().map(|count| i64::try_from(count).unwrap_or(i64::MAX)).collect::<Int64Array>();
        Ok(ColumnarValue::Array(Arc::new(counts)))
    }
}

fn read(bytes: &[u8]) -> Result<RoaringTreemap> {
    RoaringTreemap::deserialize_from(bytes).map_err(|error| exec_datafusion_err!("a bitmap cannot be read: {error}"))
}

fn write(set: &RoaringTreemap) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(set.serialized_size());
    set.serialize_into(&mut bytes).map_err(DataFusionError::from)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use datafusion::common::ScalarValue;

    use super::*;

    fn sets(input: Input) -> Sets {
        Sets { input, sets: Vec::new(), bytes: 0 }
    }

    #[test]
    fn sets_merge_where_counts_would_not() {
        let numbers: ArrayRef =
            Arc::new(Int64Array::from(vec![Some(7), Some(7), None, Some(-1), Some(7), Some(i64::MAX)]));
        let mut build = sets(Input::Numbers);
        let keep = BooleanArray::from(vec![Some(true), Some(true), Some(true), Some(true), None, Some(true)]);
        GroupsAccumulator::update_batch(&mut build, &[numbers], &[0, 1, 1, 1, 2, 0], Some(&keep), 4).unwrap();
        let cells = GroupsAccumulator::evaluate(&mut build, EmitTo::All).unwrap();
        let cells = cells.as_binary::<i32>();
        let counts: Vec<Option<u64>> = cells.iter().map(|cell| cell.map(|cell| read(cell).unwrap().len())).collect();
        assert_eq!(counts, [Some(2), Some(2), None, None]);

        let mut merge = Whole(sets(Input::Sets));
        Accumulator::update_batch(&mut merge, &[Arc::new(cells.clone())]).unwrap();
        let ScalarValue::Binary(Some(all)) = Accumulator::evaluate(&mut merge).unwrap() else { panic!("no set") };
        assert_eq!(read(&all).unwrap().len(), 3, "7, -1 and the greatest number, each once");
        assert_eq!(Whole(sets(Input::Sets)).evaluate().unwrap(), ScalarValue::Binary(None));
    }

    #[test]
    fn a_broken_set_is_an_error() {
        let broken: ArrayRef = Arc::new(BinaryArray::from_vec(vec![b"no set"]));
        assert!(Accumulator::update_batch(&mut Whole(sets(Input::Sets)), &[broken]).is_err());
    }
}
