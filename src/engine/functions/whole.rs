//! The aggregate of a whole input, out of one for groups: group 0 and no other.

use std::fmt::Debug;

use arrow::array::ArrayRef;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};

#[derive(Debug)]
pub(super) struct Whole<G>(pub(super) G);

/// The value of group 0; null where no row ever came.
fn first(values: &ArrayRef) -> Result<ScalarValue> {
    if values.is_empty() { ScalarValue::try_from(values.data_type()) } else { ScalarValue::try_from_array(values, 0) }
}

impl<G: GroupsAccumulator + Debug + Sync> Accumulator for Whole<G> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.update_batch(values, &vec![0; values[0].len()], None, 1)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.merge_batch(states, &vec![0; states[0].len()], 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        first(&self.0.evaluate(EmitTo::All)?)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.state(EmitTo::All)?.iter().map(first).collect()
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}
