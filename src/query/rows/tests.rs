use std::sync::Arc;

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;

use super::execution_error;
use crate::error::{Code, Error};

fn code(error: DataFusionError) -> Code {
    execution_error(error, "01a21df6db1d753fbd981aed98650ea4").code()
}

type Wrap = fn(DataFusionError) -> DataFusionError;

/// Every layer that operators, tasks and expressions put around an error, and some around each other.
const LAYERS: [Wrap; 8] = [
    |error| error,
    |error| error.context("while grouping"),
    |error| DataFusionError::Shared(Arc::new(error)),
    |error| DataFusionError::External(Box::new(error)),
    |error| DataFusionError::External(Box::new(Arc::new(error))),
    |error| DataFusionError::ArrowError(Box::new(ArrowError::ExternalError(Box::new(error))), None),
    |error| DataFusionError::Collection(vec![error]),
    |error| {
        let inner = DataFusionError::Shared(Arc::new(DataFusionError::Shared(Arc::new(error))));
        DataFusionError::External(Box::new(ArrowError::ExternalError(Box::new(inner.context("while sorting")))))
    },
];

#[test]
fn an_error_of_ours_keeps_its_code_and_text_through_every_layer() {
    for (number, layer) in LAYERS.iter().enumerate() {
        let ours = Error::new(Code::Limit, "a value is too large").caused_by("a cause");
        let error = execution_error(layer(DataFusionError::External(Box::new(ours))), "0123456789abcdef");
        assert_eq!((error.code(), error.message()), (Code::Limit, "a value is too large"), "layer {number}");
        assert_eq!(error.cause().map(ToString::to_string).as_deref(), Some("a cause"), "layer {number}");
    }
}

#[test]
fn faults_of_the_statement_are_the_callers_through_every_layer() {
    for (number, layer) in LAYERS.iter().enumerate() {
        let arrow = |error| layer(DataFusionError::ArrowError(Box::new(error), None));
        assert_eq!(code(arrow(ArrowError::DivideByZero)), Code::Evaluation, "layer {number}");
        assert_eq!(code(arrow(ArrowError::CastError("of 7".into()))), Code::Evaluation, "layer {number}");
        assert_eq!(code(layer(DataFusionError::ResourcesExhausted("2 GiB".into()))), Code::Memory, "layer {number}");
        let form =
            execution_error(layer(DataFusionError::NotImplemented("Exists of secret".into())), "0123456789abcdef");
        assert_eq!(form.code(), Code::SqlPlan, "layer {number}");
        assert!(!form.message().contains("secret"), "{}", form.message());
        assert_eq!(code(layer(DataFusionError::Internal("a defect".into()))), Code::QueryFailed, "layer {number}");
    }
}

/// A file that cannot be read is no fault of the statement, whatever it holds.
#[test]
fn a_faulty_file_is_a_fault_of_ours() {
    let file = || parquet::errors::ParquetError::External(Box::new(ArrowError::ParseError("no footer".into())));
    assert_eq!(code(file().into()), Code::QueryFailed);
    assert_eq!(code(DataFusionError::External(Box::new(file()))), Code::QueryFailed);
    let error = execution_error(file().into(), "0123456789abcdef");
    assert_eq!(error.message(), "the statement failed while it ran (id 456789abcdef)");
}
