//! Errors: whose fault, where, and what to do.
//!
//! One type travels through the whole server. Its [`Code`] is stable and the same on both faces; the faces turn it into an
//! HTTP status or a gRPC code by [`Fault`]. The message is one sentence for the person who can act on it. What an engine or
//! a library said stands in the cause, which goes to the log and never to a client.

use std::fmt;

use crate::model::diagnostic::Diagnostic;

/// Result with the server's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who can do something about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The statement or request is wrong: the caller changes it.
    Caller,
    /// Not logged in.
    Unauthenticated,
    /// Logged in, but not allowed.
    Denied,
    /// The named thing does not exist, or may not be seen, which reads the same.
    Missing,
    /// Data or definition files are wrong: their owner mends them.
    Data,
    /// A limit was reached: try later, or ask for less.
    Capacity,
    /// The deadline passed.
    Deadline,
    /// The client left, or an operator stopped it.
    Cancelled,
    /// Ours.
    Internal,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $fault:ident;)*) => {
        /// Stable code of an error; the text form is what clients see.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// The stable text, as `READ_ONLY`.
            pub fn as_str(self) -> &'static str { match self { $(Self::$name => $text,)* } }

            /// Whose fault it is.
            pub fn fault(self) -> Fault { match self { $(Self::$name => Fault::$fault,)* } }
        }
    };
}

codes! {
    /// The text is not SQL.
    SqlSyntax = "SQL_SYNTAX", Caller;
    /// The statement cannot be planned: wrong type, unknown function.
    SqlPlan = "SQL_PLAN", Caller;
    /// Not a single read-only query.
    ReadOnly = "READ_ONLY", Caller;
    /// A surface that the gate does not allow.
    NotAllowed = "NOT_ALLOWED", Caller;
    /// Unknown or forbidden schema, table or column.
    NoSuchObject = "NO_SUCH_OBJECT", Missing;
    /// A measure called by another aggregate than its own.
    MeasureAggregate = "MEASURE_AGGREGATE", Caller;
    /// A measure used as a row value in `WHERE`.
    MeasureInWhere = "MEASURE_IN_WHERE", Caller;
    /// A measure below a join, a window or a `LIMIT`, or in an expression inside the aggregate.
    MeasureBelow = "MEASURE_BELOW", Caller;
    /// A time condition that the measure's time rule cannot use.
    TimeContext = "TIME_CONTEXT", Caller;
    /// Rows of a cube without an aggregate and without a small `LIMIT`.
    DetailLimit = "DETAIL_LIMIT", Caller;
    /// The statement's own arithmetic fails on the data: division by zero, a cast, an overflow.
    Evaluation = "EVALUATION", Caller;
    /// The audit log was changed.
    Audit = "AUDIT", Data;
    /// A request whose form or parameter is wrong.
    BadRequest = "BAD_REQUEST", Caller;
    /// No, wrong or expired credentials.
    Token = "TOKEN", Unauthenticated;
    /// Not permitted.
    Denied = "DENIED", Denied;
    /// Memory budget spent.
    Memory = "MEMORY", Capacity;
    /// Too many statements at once.
    Queue = "QUEUE", Capacity;
    /// A row or byte limit was reached.
    Limit = "LIMIT", Capacity;
    /// Too slow.
    Deadline = "DEADLINE", Deadline;
    /// Cancelled.
    Cancelled = "CANCELLED", Cancelled;
    /// A handle or ticket that is unknown, forged or another principal's.
    Ticket = "TICKET", Missing;
    /// Definition files are faulty; the diagnostics say where.
    Definition = "DEFINITION", Data;
    /// A feed or its data files cannot be taken.
    Feed = "FEED", Data;
    /// Control totals or hashes do not agree: the batch is refused whole.
    TotalsDiffer = "TOTALS_DIFFER", Data;
    /// A batch number that is known with other content.
    Conflict = "CONFLICT", Data;
    /// No data have been loaded yet.
    NoSnapshot = "NO_SNAPSHOT", Data;
    /// Figures that must agree do not.
    TieOut = "TIE_OUT", Data;
    /// Another process holds the writer's lease.
    Busy = "BUSY", Capacity;
    /// The login provider does not answer as it should.
    Provider = "PROVIDER", Capacity;
    /// The statement failed while it ran.
    QueryFailed = "QUERY_FAILED", Internal;
    /// A fault of the server.
    Internal = "INTERNAL", Internal;
}

/// The server's error: code, one sentence, located diagnostics where definitions are at fault, and the cause for the log.
pub struct Error {
    code: Code,
    message: String,
    diagnostics: Vec<Diagnostic>,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error with a code and a sentence for the person who can act on it.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), diagnostics: Vec::new(), cause: None }
    }

    /// A fault of the server. `what` says what was being done.
    pub fn internal(what: impl Into<String>, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(Code::Internal, what).caused_by(cause)
    }

    /// Faulty definition files.
    pub fn definition(diagnostics: Vec<Diagnostic>) -> Self {
        let message = match diagnostics.as_slice() {
            [one] => one.to_string(),
            many => format!("{} faults in the definition files, the first: {}", many.len(), many[0]),
        };
        Self { code: Code::Definition, message, diagnostics, cause: None }
    }

    /// Adds the cause, which is logged and never shown to a client.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The sentence for the person who can act.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Located faults of definition files; empty for other errors.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// What stands behind the error, for the log.
    pub fn cause(&self) -> Option<&(dyn std::error::Error + Send + Sync)> {
        self.cause.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code.as_str(), self.message)?;
        if let Some(cause) = &self.cause {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}
