//! Prepared statements: a handle that says everything, and parameters that travel inside it.

use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::sql::{ActionCreatePreparedStatementRequest, DoPutPreparedStatementResult};
use arrow_flight::{FlightData, PutResult};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use prost::Message;
use tonic::Status;

use super::encode::schema_bytes;
use super::proto::CreatePreparedStatementResult;
use super::session::Caller;
use super::statement::Ask;
use super::ticket::{Kind, Sealed};
use super::{Flight, parameters};
use crate::error::{Code, Error};

/// Bytes of batches that a client may send to bind parameters, before they are cast to what a handle carries.
const MAX_SENT: usize = 16 * parameters::MAX_BYTES;

impl Flight {
    /// Plans a statement without its parameters, and gives the handle with both schemas.
    pub(super) async fn create_prepared(
        &self,
        caller: &Caller,
        request: &ActionCreatePreparedStatementRequest,
    ) -> Result<CreatePreparedStatementResult, Status> {
        let ask = self.ask(caller, &request.query, request.transaction_id.as_ref())?;
        let plan = self.plan(caller, &ask).await?;
        let sealed = Sealed {
            sql: ask.sql,
            schema: caller.options.schema.clone(),
            transaction: ask.transaction,
            ..Sealed::default()
        };
        Ok(CreatePreparedStatementResult {
            prepared_statement_handle: self.sealer.seal(Kind::Handle, &caller.principal, sealed)?,
            dataset_schema: schema_bytes(plan.schema())?,
            parameter_schema: schema_bytes(&plan.parameters())?,
            is_update: Some(false),
        })
    }

    /// The ask of a prepared handle. Each execution is planned anew, so that rights and the newest snapshot hold.
    pub(super) fn ask_prepared(&self, caller: &Caller, handle: &[u8]) -> Result<Ask, Status> {
        let sealed = self.sealer.open(Kind::Handle, &caller.principal, handle)?;
        let ordered = parameters::scan(&sealed.sql)?.ordered;
        let Sealed { sql, schema, parameters, transaction, .. } = sealed;
        Ok(Ask { sql, ordered, schema, parameters, transaction })
    }

    /// DoPut of parameters: reads the rows and gives a new handle that holds them.
    pub(super) async fn bind(
        &self,
        caller: &Caller,
        handle: &[u8],
        messages: impl Stream<Item = Result<FlightData, Status>> + Send + 'static,
    ) -> Result<PutResult, Status> {
        let mut sealed = self.sealer.open(Kind::Handle, &caller.principal, handle)?;
        let mut ask = self.ask_prepared(caller, handle)?;
        ask.parameters = Bytes::new();
        let wanted = self.plan(caller, &ask).await?.parameters();

        let mut sent = 0;
        let messages = messages.map(move |message| {
            let message = message.map_err(|status| FlightError::Tonic(Box::new(status)))?;
            sent += message.data_header.len() + message.data_body.len();
            if sent > MAX_SENT {
                let error = Error::new(Code::Limit, "Too many bytes of parameters; bind fewer rows at a time");
                return Err(FlightError::Tonic(Box::new(error.into())));
            }
            Ok(message)
        });
        let mut batches = FlightRecordBatchStream::new_from_flight_data(messages);
        let mut rows = Vec::new();
        let mut count = 0;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(unreadable)?;
            count += batch.num_rows();
            if count > parameters::MAX_ROWS {
                let text = format!("More than {} rows of parameters; bind fewer at a time", parameters::MAX_ROWS);
                return Err(Error::new(Code::Limit, text).into());
            }
            rows.push(parameters::fit(&batch, &wanted)?);
        }
        sealed.parameters = if wanted.fields().is_empty() {
            // Some clients send an empty row to a statement without parameters.
            Bytes::new()
        } else if count == 0 {
            return Err(Error::new(Code::BadRequest, "No row of parameters was sent").into());
        } else {
            let rows = arrow::compute::concat_batches(&wanted, &rows)
                .map_err(|fault| Error::internal("Cannot join the bound parameters", fault))?;
            parameters::to_bytes(&rows)?
        };
        let handle = self.sealer.seal(Kind::Handle, &caller.principal, sealed)?;
        let result = DoPutPreparedStatementResult { prepared_statement_handle: Some(handle) };
        Ok(PutResult { app_metadata: result.encode_to_vec().into() })
    }
}

fn unreadable(fault: FlightError) -> Status {
    match fault {
        FlightError::Tonic(status) => *status,
        fault => Error::new(Code::BadRequest, "The parameters cannot be read").caused_by(fault).into(),
    }
}
