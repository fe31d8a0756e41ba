//! The last value seen: states that keep the latest day with its values' sum.
//!
//! A state is a day and an exact sum, in 21 bytes. Of two the later day wins and equal days add, so that states merge in any
//! order to the same one. As those of `bitmap`, the functions are not registered in any session: only plans made by `cube`
//! hold them.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Decimal128Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Field, i256};
use datafusion::common::{Result, exec_datafusion_err, internal_err};
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, EmitTo, Expr, GroupsAccumulator, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit,
};

use super::ratio::{PRECISION, decimal_of_scale, decimals, half_away};
use super::whole::Whole;

/// Bytes of a state: the day, the scale, the unscaled sum.
const BYTES: usize = 4 + 1 + 16;

static SEEN: LazyLock<Arc<ScalarUDF>> =
    LazyLock::new(|| Arc::new(ScalarUDF::from(Seen { signature: Signature::any(2, Volatility::Immutable) })));
static LAST: LazyLock<Arc<AggregateUDF>> = LazyLock::new(|| {
    let signature = Signature::exact(vec![DataType::Binary], Volatility::Immutable);
    Arc::new(AggregateUDF::from(Last { signature }))
});
static VALUE: LazyLock<Arc<ScalarUDF>> =
    LazyLock::new(|| Arc::new(ScalarUDF::from(Value { signature: Signature::any(2, Volatility::Immutable) })));

/// The state of one row: a whole number or decimal on a day; null where either is.
pub fn seen(day: Expr, value: Expr) -> Expr {
    SEEN.call(vec![day, value])
}

/// The merged state of a group's states; null where there is none.
pub fn seen_last(states: Expr) -> Expr {
    LAST.call(vec![states])
}

/// The sum that a state keeps, rounded once, half away from zero, to `scale` digits, as Decimal(38, scale).
pub fn seen_value(state: Expr, scale: i8) -> Expr {
    VALUE.call(vec![state, lit(i64::from(scale))])
}

/// A state, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    day: i32,
    scale: i8,
    sum: i128,
}

impl State {
    fn read(bytes: &[u8]) -> Result<Self> {
        let parts = (bytes.len() == BYTES).then(|| (bytes[..4].try_into(), bytes[5..].try_into()));
        let Some((Ok(day), Ok(sum))) = parts else { return internal_err!("a last value cannot be read") };
        Ok(Self { day: i32::from_be_bytes(day), scale: i8::from_be_bytes([bytes[4]]), sum: i128::from_be_bytes(sum) })
    }

    fn write(self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[..4].copy_from_slice(&self.day.to_be_bytes());
        bytes[4..5].copy_from_slice(&self.scale.to_be_bytes());
        bytes[5..].copy_from_slice(&self.sum.to_be_bytes());
        bytes
    }

    /// The later of two; of one day their sum.
    fn merge(self, other: Self) -> Result<Self> {
        if self.day != other.day {
            return Ok(if self.day > other.day { self } else { other });
        }
        if self.scale != other.scale {
            return internal_err!("last values of one measure have one scale");
        }
        let sum = self.sum.checked_add(other.sum).ok_or_else(|| exec_datafusion_err!("a sum is too large"))?;
        Ok(Self { sum, ..self })
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Seen {
    signature: Signature,
}

impl ScalarUDFImpl for Seen {
    fn name(&self) -> &str {
        "countinghouse_seen"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let days = cast(&args.args[0].to_array(rows)?, &DataType::Date32)?;
        let days = days.as_primitive::<Date32Type>();
        let (values, scale) = decimals(&args.args[1], rows)?;
        let state = |row: usize| {
            let known = days.is_valid(row) && values.is_valid(row);
            known.then(|| State { day: days.value(row), scale, sum: values.value(row) }.write())
        };
        Ok(ColumnarValue::Array(Arc::new((0..rows).map(state).collect::<BinaryArray>())))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Last {
    signature: Signature,
}

impl AggregateUDFImpl for Last {
    fn name(&self) -> &str {
        "countinghouse_seen_last"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Whole(States::default())))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(States::default()))
    }
}

/// One state a group.
#[derive(Debug, Default)]
struct States(Vec<Option<State>>);

impl States {
    fn add(&mut self, values: &ArrayRef, groups: &[usize], filter: Option<&BooleanArray>, total: usize) -> Result<()> {
        self.0.resize(total.max(self.0.len()), None);
        let values = cast(values, &DataType::Binary)?;
        let values = values.as_binary::<i32>();
        for (row, group) in groups.iter().enumerate() {
            if values.is_null(row) || filter.is_some_and(|filter| filter.is_null(row) || !filter.value(row)) {
                continue;
            }
            let state = State::read(values.value(row))?;
            let known = &mut self.0[*group];
            *known = Some(known.map_or(Ok(state), |known| known.merge(state))?);
        }
        Ok(())
    }

    fn emit(&mut self, emit_to: EmitTo) -> ArrayRef {
        let states = emit_to.take_needed(&mut self.0).into_iter();
        Arc::new(states.map(|state| state.map(State::write)).collect::<BinaryArray>())
    }
}

impl GroupsAccumulator for States {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.add(&values[0], groups, filter, total)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.add(&values[0], groups, None, total)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok(self.emit(emit_to))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.emit(emit_to)])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let groups: Vec<usize> = (0..values[0].len()).collect();
        let mut rows = Self::default();
        rows.add(&values[0], &groups, filter, groups.len())?;
        rows.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.0.capacity() * size_of::<Option<State>>()
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Value {
    signature: Signature,
}

impl ScalarUDFImpl for Value {
    fn name(&self) -> &str {
        "countinghouse_seen_value"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("the scale is an argument")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<Arc<Field>> {
        decimal_of_scale(self.name(), &args, 1)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let DataType::Decimal128(_, scale) = *args.return_field.data_type() else {
            return internal_err!("the result is a decimal");
        };
        let states = cast(&args.args[0].to_array(args.number_rows)?, &DataType::Binary)?;
        let value = |bytes: Option<&[u8]>| bytes.map(|bytes| rescaled(State::read(bytes)?, scale)).transpose();
        let values = states.as_binary::<i32>().iter().map(value).collect::<Result<Decimal128Array>>()?;
        Ok(ColumnarValue::Array(Arc::new(values.with_precision_and_scale(PRECISION, scale)?)))
    }
}

fn rescaled(state: State, scale: i8) -> Result<i128> {
    let (mut top, mut bottom) = (i256::from_i128(state.sum), i256::ONE);
    let side = if scale >= state.scale { &mut top } else { &mut bottom };
    for _ in 0..scale.abs_diff(state.scale) {
        // 128 bits and 38 digits at most are far from 256 bits.
        *side = side.wrapping_mul(i256::from_i128(10));
    }
    half_away(top, bottom).to_i128().ok_or_else(|| exec_datafusion_err!("a sum is too large"))
}

#[cfg(test)]
mod tests {
    use datafusion::common::ScalarValue;

    use super::*;

    fn state(day: i32, sum: i128) -> State {
        State { day, scale: 2, sum }
    }

    fn states(list: &[Option<State>]) -> ArrayRef {
        Arc::new(list.iter().map(|state| state.map(State::write)).collect::<BinaryArray>())
    }

    #[test]
    fn the_later_day_wins_and_equal_days_add() {
        let rows = [Some(state(9, 5)), Some(state(10, -7)), None, Some(state(10, 4)), Some(state(-3, 8))];
        let mut all = States::default();
        let keep = BooleanArray::from(vec![Some(true), Some(true), Some(true), Some(true), None]);
        GroupsAccumulator::update_batch(&mut all, &[states(&rows)], &[0, 0, 0, 0, 1], Some(&keep), 3).unwrap();
        assert_eq!(all.0, [Some(state(10, -3)), None, None]);

        // In parts, in the other order.
        let mut parts = Whole(States::default());
        for row in rows[..4].iter().rev() {
            parts.merge_batch(&[states(&[*row])]).unwrap();
        }
        let last = Accumulator::evaluate(&mut parts).unwrap();
        assert_eq!(last, ScalarValue::Binary(Some(state(10, -3).write().to_vec())));
        assert_eq!(Accumulator::evaluate(&mut parts).unwrap(), ScalarValue::Binary(None));
    }

    #[test]
    fn a_value_is_rounded_once() {
        assert_eq!(rescaled(state(0, 12_345), 2).unwrap(), 12_345);
        assert_eq!(rescaled(state(0, 12_345), 4).unwrap(), 1_234_500);
        assert_eq!(rescaled(state(0, 12_345), 1).unwrap(), 1_235);
        assert_eq!(rescaled(state(0, -12_350), 0).unwrap(), -124);
        assert!(rescaled(state(0, i128::MAX), 18).is_err());
        assert!(state(1, i128::MAX).merge(state(1, 1)).is_err());
        assert!(State::read(b"short").is_err());
    }
}
