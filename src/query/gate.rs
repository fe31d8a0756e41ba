//! What a statement may be: one read-only query of bounded size.
//!
//! The check is on the syntax tree, never on keywords: a deny-list of words has been bypassed in every product that had
//! one. What the parser accepts and this list does not name is refused.

use std::ops::ControlFlow;

use datafusion::common::SchemaError;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::sqlparser::ast::{self, Query, SetExpr, Visit, Visitor};
use datafusion::logical_expr::sqlparser::dialect::GenericDialect;
use datafusion::sql::parser::{DFParserBuilder, Statement};

use crate::error::{Code, Error, Result};

/// Longest statement, in bytes.
const MAX_LENGTH: usize = 64 * 1024;
/// Deepest nesting.
const MAX_DEPTH: usize = 50;

/// Parses a statement and refuses what is not one plain query. Tells besides whether it is only to be explained: `EXPLAIN`
/// without options, before a query that would itself be allowed.
pub(super) fn check(sql: &str) -> Result<(Statement, bool)> {
    if sql.len() > MAX_LENGTH {
        return Err(Error::new(Code::NotAllowed, format!("a statement has at most {} KiB", MAX_LENGTH / 1024)));
    }
    let syntax = |error: DataFusionError| {
        let text = error.strip_backtrace();
        let text = text.strip_prefix("SQL error: ").unwrap_or(&text).to_owned();
        Error::new(Code::SqlSyntax, format!("the statement cannot be read: {text}"))
    };
    let mut statements = DFParserBuilder::new(sql)
        .with_dialect(&GenericDialect {})
        .with_recursion_limit(MAX_DEPTH)
        .build()
        .and_then(|mut parser| parser.parse_statements())
        .map_err(syntax)?;
    let Some(mut statement) = statements.pop_front() else {
        return Err(Error::new(Code::SqlSyntax, "the statement is empty"));
    };
    if !statements.is_empty() {
        return Err(Error::new(Code::ReadOnly, "one statement at a time; remove what follows the first `;`"));
    }
    let explain = match statement {
        Statement::Explain(explain) => {
            if explain.options != Default::default() {
                return Err(no_options());
            }
            statement = *explain.statement;
            true
        }
        other => {
            statement = other;
            false
        }
    };
    match &statement {
        Statement::Statement(inner) => match inner.as_ref() {
            ast::Statement::Query(query) => check_query(query)?,
            ast::Statement::Explain { .. } | ast::Statement::ExplainTable { .. } => return Err(no_options()),
            other => return Err(read_only(&first_word(&other.to_string()))),
        },
        Statement::Explain(_) => return Err(no_options()),
        other => return Err(read_only(&first_word(&other.to_string()))),
    }
    Ok((statement, explain))
}

fn first_word(text: &str) -> String {
    text.split_whitespace().next().unwrap_or_default().to_uppercase()
}

fn read_only(word: &str) -> Error {
    Error::new(
        Code::ReadOnly,
        format!("`{word}` is not a query: this server only reads; data enter by `countinghouse load`"),
    )
}

fn no_options() -> Error {
    Error::new(
        Code::NotAllowed,
        "only `EXPLAIN SELECT ...`, without options: it says where the figures come from, and engine plans name files",
    )
}

/// Refuses the parts of a query that write, recurse or lock.
struct Shape;

impl Visitor for Shape {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
        let refused = |what: &str| ControlFlow::Break(Error::new(Code::NotAllowed, format!("{what} is not allowed")));
        if query.with.as_ref().is_some_and(|with| with.recursive) {
            return refused("a recursive query");
        }
        if !query.locks.is_empty() {
            return refused("a locking clause");
        }
        if query.for_clause.is_some() || query.settings.is_some() || query.format_clause.is_some() {
            return refused("a clause of another database");
        }
        match body_writes(&query.body) {
            Some(word) => ControlFlow::Break(read_only(word)),
            None => ControlFlow::Continue(()),
        }
    }
}

/// `SELECT ... INTO` creates a table, and `INSERT` or `UPDATE` may stand where a query does.
fn body_writes(body: &SetExpr) -> Option<&'static str> {
    match body {
        SetExpr::Select(select) if select.into.is_some() => Some("SELECT INTO"),
        SetExpr::SetOperation { left, right, .. } => body_writes(left).or_else(|| body_writes(right)),
        SetExpr::Insert(_) => Some("INSERT"),
        SetExpr::Update(_) => Some("UPDATE"),
        SetExpr::Delete(_) => Some("DELETE"),
        SetExpr::Merge(_) => Some("MERGE"),
        _ => None,
    }
}

fn check_query(query: &Query) -> Result<()> {
    match query.visit(&mut Shape) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// A second lock on the planned statement: no node that writes, sets or describes.
pub(super) fn check_plan(plan: &LogicalPlan) -> Result<()> {
    let mut refused = false;
    let _ = plan.apply_with_subqueries(|node| {
        refused |= matches!(
            node,
            LogicalPlan::Ddl(_)
                | LogicalPlan::Dml(_)
                | LogicalPlan::Copy(_)
                | LogicalPlan::Statement(_)
                | LogicalPlan::Explain(_)
                | LogicalPlan::Analyze(_)
                | LogicalPlan::DescribeTable(_)
                | LogicalPlan::RecursiveQuery(_)
        );
        Ok(if refused { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    if refused { Err(read_only("the statement")) } else { Ok(()) }
}

/// The planner's word about a statement in ours: the caller's own names, never a path.
pub(super) fn planning_error(error: DataFusionError, _sql: &str) -> Error {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => planning_error(*inner, _sql),
        DataFusionError::External(inner) => match inner.downcast::<Error>() {
            Ok(error) => *error,
            Err(other) => Error::internal("planning failed", other),
        },
        DataFusionError::SchemaError(schema, _) => match *schema {
            SchemaError::FieldNotFound { field, valid_fields } => {
                let name = &field.name;
                let nearest = valid_fields
                    .iter()
                    .map(|field| (strsim::jaro_winkler(name, &field.name), &field.name))
                    .filter(|(likeness, _)| *likeness > 0.8)
                    .max_by(|a, b| a.0.total_cmp(&b.0));
                let hint = nearest.map(|(_, name)| format!("; did you mean `{name}`")).unwrap_or_default();
                Error::new(Code::NoSuchObject, format!("there is no column `{name}` here{hint}"))
            }
            other => Error::new(Code::SqlPlan, other.to_string()),
        },
        DataFusionError::Plan(text) => {
            if let Some(name) = text.strip_prefix("table '").and_then(|rest| rest.strip_suffix("' not found")) {
                let name = name.strip_prefix("countinghouse.").unwrap_or(name);
                Error::new(Code::NoSuchObject, format!("there is no table `{name}` that you can see"))
            } else {
                Error::new(Code::SqlPlan, text)
            }
        }
        DataFusionError::SQL(error, _) => Error::new(Code::SqlSyntax, error.to_string()),
        other => Error::new(Code::SqlPlan, other.strip_backtrace()),
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::error::Code;

    #[test]
    fn one_plain_query_passes_and_nothing_else() {
        for sql in [
            "SELECT 1",
            "SELECT 1;",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "VALUES (1)",
            "(SELECT 1) UNION SELECT 2",
            "EXPLAIN SELECT 1",
        ] {
            assert!(check(sql).is_ok(), "{sql}");
        }
        for (sql, code) in [
            ("COPY (SELECT 1) TO '/tmp/x.csv'", Code::ReadOnly),
            ("CREATE TABLE t AS SELECT 1", Code::ReadOnly),
            ("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'", Code::ReadOnly),
            ("SET datafusion.execution.batch_size = 1", Code::ReadOnly),
            ("RESET datafusion.execution.batch_size", Code::ReadOnly),
            ("INSERT INTO t VALUES (1)", Code::ReadOnly),
            ("UPDATE t SET a = 1", Code::ReadOnly),
            ("DELETE FROM t", Code::ReadOnly),
            ("DROP TABLE t", Code::ReadOnly),
            ("TRUNCATE TABLE t", Code::ReadOnly),
            ("PREPARE p AS SELECT 1", Code::ReadOnly),
            ("BEGIN", Code::ReadOnly),
            ("USE x", Code::ReadOnly),
            ("SELECT 1 INTO t", Code::ReadOnly),
            ("SELECT 1; SELECT 2", Code::ReadOnly),
            ("WITH a AS (INSERT INTO t VALUES (1)) SELECT 1", Code::ReadOnly),
            ("EXPLAIN ANALYZE SELECT 1", Code::NotAllowed),
            ("EXPLAIN VERBOSE SELECT 1", Code::NotAllowed),
            ("EXPLAIN EXPLAIN SELECT 1", Code::NotAllowed),
            ("EXPLAIN CREATE TABLE t AS SELECT 1", Code::ReadOnly),
            ("SHOW TABLES", Code::ReadOnly),
            ("DESCRIBE t", Code::NotAllowed),
            ("WITH RECURSIVE a AS (SELECT 1 UNION ALL SELECT 1 FROM a) SELECT * FROM a", Code::NotAllowed),
            ("SELECT * FROM t FOR UPDATE", Code::NotAllowed),
            ("SELEC 1", Code::SqlSyntax),
            ("", Code::SqlSyntax),
        ] {
            assert_eq!(check(sql).map(|_| ()).map_err(|error| error.code()), Err(code), "{sql}");
        }
        let deep = format!("SELECT {}1{}", "(".repeat(500), ")".repeat(500));
        assert_eq!(check(&deep).unwrap_err().code(), Code::SqlSyntax);
        let long = format!("SELECT '{}'", "x".repeat(70_000));
        assert_eq!(check(&long).unwrap_err().code(), Code::NotAllowed);
    }
}
