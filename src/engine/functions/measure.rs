//! `MEASURE(m)` and `AGG(m)`: the name by which SQL calls any measure of a cube.
//!
//! The function only marks the place: `cube` replaces the call by the measure's own plan before anything runs.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::DataType;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};

/// `measure(m)`, with the alias `agg(m)`. It is replaced by the measure's plan before anything runs.
#[derive(Debug, PartialEq, Eq, Hash)]
struct MeasureCall {
    signature: Signature,
    aliases: Vec<String>,
}

/// The function as sessions know it.
pub(super) static MEASURE: LazyLock<Arc<AggregateUDF>> = LazyLock::new(|| {
    Arc::new(AggregateUDF::from(MeasureCall {
        signature: Signature::any(1, Volatility::Immutable),
        aliases: vec!["agg".to_owned()],
    }))
});

impl AggregateUDFImpl for MeasureCall {
    fn name(&self) -> &str {
        "measure"
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments[0].clone())
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        internal_err!("a measure call was not replaced")
    }
}
