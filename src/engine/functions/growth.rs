//! Functions whose values can become much larger than what they are made of, held to a size.
//!
//! The memory pool does not see what a scalar function makes, so the size is told from the arguments before there is a
//! value.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature,
};
use datafusion::physical_expr::expressions::Literal;

use crate::error::{Code, Error};

/// Largest value of a scalar function.
const VALUE: usize = 64 << 10;
/// Most bytes of one call, which makes the values of a whole batch of rows.
const BATCH: usize = 32 << 20;
/// Largest value of what joins the texts that it is given: one is as long as those, but joined again and again it doubles.
pub(super) const LONG: usize = 1 << 20;
/// Most that an aggregate keeps for one value.
const AGGREGATE: usize = 1 << 20;
/// Longest separator of `string_agg`, which stands in the value once for each row.
const SEPARATOR: usize = 64;

/// A refusal that reaches the client with its code and text.
fn refused<T>(text: String) -> Result<T> {
    Err(DataFusionError::External(Box::new(Error::new(Code::Limit, text))))
}

/// How the size of a value follows from the arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Growth {
    /// `repeat(text, times)`
    Times,
    /// `lpad(text, characters, fill)`, `rpad`
    Padded,
    /// `replace(text, from, to)`
    Replaced,
    /// `regexp_replace(text, pattern, to, flags)`
    Matched,
    /// `to_char(time, format)`
    Formatted,
    /// `concat(texts)`, `concat_ws(separator, texts)`
    Joined,
}

/// Refuses values of these sizes where one is too large, or all of them together.
pub(super) fn held(name: &str, sizes: impl Iterator<Item = usize>, largest: usize) -> Result<()> {
    let mut total = 0;
    for size in sizes {
        if size > largest {
            return refused(format!("`{name}` would make a value of more than {} KiB", largest >> 10));
        }
        total += size;
    }
    match total > BATCH {
        false => Ok(()),
        true => refused(format!("`{name}` would make more than {} MiB at once; make its values shorter", BATCH >> 20)),
    }
}

/// The function, held to its size where its values grow.
pub(super) fn scalar(function: Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    let growth = match function.name() {
        "repeat" => Growth::Times,
        "lpad" | "rpad" => Growth::Padded,
        "replace" => Growth::Replaced,
        "regexp_replace" => Growth::Matched,
        "to_char" => Growth::Formatted,
        "concat" | "concat_ws" => Growth::Joined,
        _ => return function,
    };
    Arc::new(ScalarUDF::from(Bounded { function, growth }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    function: Arc<ScalarUDF>,
    growth: Growth,
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn aliases(&self) -> &[String] {
        self.function.aliases()
    }

    fn signature(&self) -> &Signature {
        self.function.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.function.inner().return_type(arg_types)
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.function.inner().coerce_types(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.function.inner().return_field_from_args(args)
    }

    fn is_strict(&self) -> bool {
        self.function.inner().is_strict()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arguments = args.args.iter().map(Argument::new).collect::<Result<Vec<_>>>()?;
        let constant = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = 0..if constant { 1 } else { args.number_rows };
        let largest = if self.growth == Growth::Joined { LONG } else { VALUE };
        held(self.name(), rows.map(|row| self.growth.size(&arguments, row).unwrap_or(0)), largest)?;
        self.function.inner().invoke_with_args(args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.function.documentation()
    }
}

/// An argument, read row by row.
enum Argument {
    Text(StringViewArray, bool),
    Number(Int64Array, bool),
    Other,
}

impl Argument {
    fn new(value: &ColumnarValue) -> Result<Self> {
        let (values, constant): (ArrayRef, _) = match value {
            ColumnarValue::Array(values) => (Arc::clone(values), false),
            ColumnarValue::Scalar(value) => (value.to_array()?, true),
        };
        Ok(match values.data_type() {
            kind if kind.is_string() => {
                Self::Text(cast(&values, &DataType::Utf8View)?.as_string_view().clone(), constant)
            }
            DataType::Int64 => Self::Number(values.as_primitive::<Int64Type>().clone(), constant),
            _ => Self::Other,
        })
    }

    fn text(&self, row: usize) -> Option<&str> {
        let Self::Text(values, constant) = self else { return None };
        let row = if *constant { 0 } else { row };
        values.is_valid(row).then(|| values.value(row))
    }

    /// A count: nothing below zero.
    fn number(&self, row: usize) -> Option<usize> {
        let Self::Number(values, constant) = self else { return None };
        let row = if *constant { 0 } else { row };
        values.is_valid(row).then(|| usize::try_from(values.value(row)).unwrap_or(0))
    }
}

impl Growth {
    /// An upper bound of a value's bytes; none where it is null or no longer than the text that it is made of.
    fn size(self, arguments: &[Argument], row: usize) -> Option<usize> {
        let text = |place: usize| arguments.get(place)?.text(row);
        let number = |place: usize| arguments.get(place)?.number(row);
        match self {
            Self::Times => Some(text(0)?.len().saturating_mul(number(1)?)),
            Self::Padded => {
                let (given, characters) = (text(0)?.len(), number(1)?);
                let fill = if arguments.len() > 2 { text(2)? } else { " " };
                let widest = fill.chars().map(char::len_utf8).max().unwrap_or(0);
                Some(given.min(characters.saturating_mul(4)).saturating_add(characters.saturating_mul(widest)))
            }
            Self::Replaced => {
                let (given, from, to) = (text(0)?, text(1)?, text(2)?);
                let more = to.len().checked_sub(from.len()).filter(|more| *more > 0)?;
                let size = |times: usize| given.len().saturating_add(times.saturating_mul(more));
                // Counting reads the text, so only where it may matter.
                let most = if from.is_empty() { given.len() + 1 } else { given.len() / from.len() };
                Some(size(if size(most) > VALUE { given.matches(from).count() } else { most }))
            }
            Self::Matched => {
                let (given, to) = (text(0)?.len(), text(2)?);
                let all = text(3).is_some_and(|flags| flags.contains('g'));
                let times = if all { given + 1 } else { 1 };
                // A reference to a group stands for a part of the text, and all of its matches for no more than the text.
                let references = to.bytes().filter(|byte| matches!(byte, b'\\' | b'$')).count();
                Some(given + times * to.len() + references * given)
            }
            // A sign of two bytes becomes at most 35, as `%+`.
            Self::Formatted => Some(text(1)?.len().saturating_mul(20)),
            // A separator stands once between two texts, the first argument among them or not.
            Self::Joined => {
                let texts = (0..arguments.len()).filter_map(text).map(str::len);
                let between = text(0).map_or(0, str::len) * arguments.len();
                Some(texts.sum::<usize>() + between)
            }
        }
    }
}

/// The aggregate, held to its size where its value holds what it was given.
pub(super) fn aggregate(function: Arc<AggregateUDF>) -> Arc<AggregateUDF> {
    match function.name() {
        "array_agg" | "string_agg" => Arc::new(AggregateUDF::from(Holding(function))),
        _ => function,
    }
}

/// One accumulator for each group, whose size is looked at after each batch. Without an order that it prefers: where one is
/// asked for, the rows come sorted.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Holding(Arc<AggregateUDF>);

impl AggregateUDFImpl for Holding {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn aliases(&self) -> &[String] {
        self.0.aliases()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.0.return_type(arg_types)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.0.state_fields(args)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let separator = args.exprs.get(1).and_then(|argument| argument.downcast_ref::<Literal>());
        let separator = separator.and_then(|literal| literal.value().try_as_str().flatten()).unwrap_or_default();
        if separator.len() > SEPARATOR {
            return refused(format!("a separator of more than {SEPARATOR} bytes"));
        }
        let name = self.name().to_owned();
        Ok(Box::new(Held { accumulator: self.0.accumulator(args)?, name }))
    }

    fn supports_null_handling_clause(&self) -> bool {
        self.0.supports_null_handling_clause()
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.0.documentation()
    }
}

#[derive(Debug)]
struct Held {
    accumulator: Box<dyn Accumulator>,
    name: String,
}

impl Held {
    fn check(&self) -> Result<()> {
        if self.accumulator.size() <= AGGREGATE {
            return Ok(());
        }
        let (name, limit) = (&self.name, AGGREGATE >> 20);
        refused(format!("`{name}` would hold more than {limit} MiB in one value; aggregate fewer rows"))
    }
}

impl Accumulator for Held {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.accumulator.update_batch(values)?;
        self.check()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.accumulator.merge_batch(states)?;
        self.check()
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.accumulator.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.accumulator.supports_retract_batch()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.accumulator.evaluate()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.accumulator.state()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.accumulator.size() + self.name.capacity()
    }
}
