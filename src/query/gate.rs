//! What a statement may be: one read-only query of bounded size.
//!
//! The check is on the syntax tree, never on keywords: a deny-list of words has been bypassed in every product that had
//! one. What the parser accepts and this list does not name is refused.

mod dialect;
mod shape;

use std::panic::resume_unwind;
use std::thread;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{SchemaError, Span};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::sqlparser::ast;
use datafusion::logical_expr::sqlparser::parser::ParserError;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::sql::parser::{DFParserBuilder, Statement};

use crate::error::{Code, Error, Fault, Result};

/// Longest statement, in bytes.
const MAX_LENGTH: usize = 64 * 1024;
/// Deepest nesting.
const MAX_DEPTH: usize = 50;
/// How much larger stack frames are than in an optimised build.
const FRAMES: usize = if cfg!(debug_assertions) { 8 } else { 1 };
/// Longest statement that is read where it arrives: no stack is too small for it.
const SHORT: usize = 512 / FRAMES;
/// Stack on which longer ones are read, more than twice what they can need. What the parser does not count as nesting
/// (`1 + 1 + ...`, `ARRAY<ARRAY<...`, `INTERVAL INTERVAL ...`) nests as deep as the text is long, and an overflow would end
/// the server.
const STACK: usize = (96 << 20) * FRAMES;

/// Parses a statement and refuses what is not one plain query. Tells besides whether it is only to be explained: `EXPLAIN`
/// without options, before a query that would itself be allowed.
pub(super) fn check(sql: &str) -> Result<(Statement, bool)> {
    if sql.len() > MAX_LENGTH {
        return Err(Error::new(Code::NotAllowed, format!("a statement has at most {} KiB", MAX_LENGTH / 1024)));
    }
    if sql.len() <= SHORT {
        return read(sql);
    }
    thread::scope(|scope| {
        let reader = thread::Builder::new().name("gate".to_owned()).stack_size(STACK).spawn_scoped(scope, || read(sql));
        let reader = reader.map_err(|error| Error::internal("cannot read a long statement", error))?;
        reader.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// What passes nests within bounds; what is refused is dropped here, however deep it nests.
fn read(sql: &str) -> Result<(Statement, bool)> {
    let syntax = |error: DataFusionError| {
        let text = match &error {
            DataFusionError::SQL(parser, _) => match parser.as_ref() {
                ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.clone(),
                ParserError::RecursionLimitExceeded => "it nests too deeply".to_owned(),
            },
            other => other.strip_backtrace(),
        };
        Error::new(Code::SqlSyntax, format!("the statement cannot be read: {text}"))
    };
    let dialect = dialect::Bounded::new(sql);
    let mut statements = DFParserBuilder::new(sql)
        .with_dialect(&dialect)
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
            ast::Statement::Query(query) => shape::check(query)?,
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

/// A second lock on the planned statement: no node that writes, sets or describes, and not too many columns.
pub(super) fn check_plan(plan: &LogicalPlan) -> Result<()> {
    shape::check_columns(plan.schema().fields().len())?;
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

/// A look at the optimised statement: a subquery that did not become a join, and is more than one value, cannot be run.
pub(super) fn check_subqueries(plan: &LogicalPlan) -> Result<()> {
    let among =
        "is answered as a condition in `WHERE` or `HAVING`, not as a value: join with the rows that it looks for";
    let around =
        "is answered as an aggregate over rows that are equal in them, and not in this form: write it as a join";
    let mut left = None;
    let _ = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                let what = match expr {
                    Expr::Exists(_) => ("`EXISTS (SELECT ...)`", among),
                    Expr::InSubquery(_) => ("`IN (SELECT ...)`", among),
                    Expr::SetComparison(_) => ("`ANY` or `ALL` of a `SELECT`", among),
                    Expr::ScalarSubquery(query) if !query.outer_ref_columns.is_empty() => {
                        ("a `SELECT` that names columns of the rows around it", around)
                    }
                    _ => return Ok(TreeNodeRecursion::Continue),
                };
                left = Some(what);
                Ok(TreeNodeRecursion::Stop)
            })
        })
    });
    match left {
        Some((what, why)) => Err(Error::new(Code::SqlPlan, format!("{what} {why}"))),
        None => Ok(()),
    }
}

/// The planner's word about a statement in ours: the caller's own names and where they stand, never a path. A `?` that a
/// client sends counts there as the `$1` that it stands for.
pub(super) fn planning_error(error: DataFusionError) -> Error {
    match error {
        DataFusionError::Context(_, inner) => planning_error(*inner),
        DataFusionError::Diagnostic(diagnostic, inner) => {
            let error = planning_error(*inner);
            match diagnostic.span {
                Some(Span { start, .. }) if error.code().fault() != Fault::Internal => {
                    let message = format!("{} (line {}, column {})", error.message(), start.line, start.column);
                    Error::new(error.code(), message)
                }
                _ => error,
            }
        }
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
        // Of several faults the first; they stand in the order of the text.
        DataFusionError::Collection(mut faults) if !faults.is_empty() => planning_error(faults.remove(0)),
        // The engine speaks of itself here, which helps nobody to write it better.
        DataFusionError::Internal(text) => {
            let message = "the statement cannot be planned in this form; write it in another way";
            Error::new(Code::SqlPlan, message).caused_by(text)
        }
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
            "SELECT a LIKE 'b\\_' ESCAPE '\\'",
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

    #[test]
    fn a_query_has_the_size_that_its_limits_allow_and_no_more() {
        type Sized = fn(usize) -> String;
        let limits: &[(usize, Sized)] = &[
            (16, |n| format!("SELECT 1 FROM t{}", " JOIN t USING (a)".repeat(n))),
            (16, |n| format!("SELECT 1 FROM t{}", ", t".repeat(n))),
            (16, |n| format!("SELECT 1 FROM t WHERE EXISTS (SELECT 1 FROM (t{}))", " CROSS JOIN t".repeat(n))),
            (64, |n| format!("SELECT 1{}", " EXCEPT SELECT 1".repeat(n))),
            (64, |n| format!("SELECT 1 FROM (SELECT 1{}) AS t", " UNION ALL VALUES (1)".repeat(n))),
            (2000, |n| format!("SELECT 1 WHERE 1 IN (1{})", ", 1".repeat(n - 1))),
            (1000, |n| format!("VALUES (1){}", ", (1)".repeat(n - 1))),
            (256, |n| format!("SELECT 1 FROM t GROUP BY GROUPING SETS (a{})", ", a".repeat(n - 1))),
            (256, |n| format!("SELECT 1 FROM t GROUP BY b, ROLLUP (a{})", ", a".repeat(n - 2))),
            (256, |n| format!("SELECT 1 FROM t GROUP BY a{} WITH ROLLUP", ", a".repeat(n - 2))),
            (2000, |n| format!("SELECT 1{}", ", 1".repeat(n - 1))),
            (512, |n| format!("SELECT a LIKE '{}'", "x".repeat(n))),
            (512, |n| format!("SELECT a NOT ILIKE ('{}')", "x".repeat(n))),
            (512, |n| format!("SELECT a ~ '{}'", "x".repeat(n))),
            (512, |n| format!("SELECT regexp_replace(a, '{}', '')", "x".repeat(n))),
            (256, |n| format!("SELECT 1{}", " + 1".repeat(n))),
            (256, |n| format!("SELECT a{}", " IS NULL".repeat(n))),
            (256, |n| format!("WITH w AS (SELECT 1) SELECT 1{} FROM t", ", (SELECT 1)".repeat(n - 2))),
        ];
        for (limit, sql) in limits {
            assert!(check(&sql(*limit)).is_ok(), "{limit}: {}", sql(*limit));
            let error = check(&sql(limit + 1)).unwrap_err();
            assert_eq!(error.code(), Code::NotAllowed, "{}", sql(limit + 1));
            assert!(error.message().contains(&format!("more than {limit} ")), "{}", error.message());
        }
        let group_by = |sets: &str| check(&format!("SELECT 1 FROM t GROUP BY {sets}")).is_ok();
        assert!(group_by("CUBE (a, a, a, a, a, a, a, a)"));
        assert!(!group_by("CUBE (a, a, a, a, a, a, a, a, a)"));
        assert!(group_by("CUBE (a, a, a, a), a, CUBE (b, b, b, b)"));
        assert!(!group_by("CUBE (a, a, a, a), ROLLUP (a), CUBE (b, b, b, b)"));
        assert!(!group_by("a, a, a, a, a, a, a, a, a WITH CUBE"));
    }

    #[test]
    fn a_name_counts_as_what_it_stands_for() {
        let chain = |n: usize, body: &str| {
            let names = (1..n).map(|n| format!(", \"A{n}\" AS ({})", body.replace('?', &format!("\"A{}\"", n - 1))));
            format!("WITH \"A0\" AS (SELECT 1 AS x){} SELECT x FROM \"A{}\"", names.collect::<String>(), n - 1)
        };
        for (largest, body) in [
            (255, "SELECT x FROM ?"),
            (7, "SELECT x FROM ? UNION ALL SELECT x FROM ?"),
            (8, "SELECT a.x FROM ? AS a, ? AS b"),
            (7, "SELECT (SELECT x FROM ?) + (SELECT x FROM ?) AS x"),
        ] {
            assert!(check(&chain(largest, body)).is_ok(), "{body}");
            assert_eq!(check(&chain(largest + 1, body)).unwrap_err().code(), Code::NotAllowed, "{body}");
        }
        // An inner name does not make the outer one smaller, which has 63 parts here.
        let outer = chain(6, "SELECT a.x FROM ? AS a, ? AS b");
        let inner = "(WITH a5 AS (SELECT 1) SELECT 1 FROM a5)";
        let hidden = format!("SELECT {inner}, 1 FROM \"A5\", \"A5\" AS b, \"A5\" AS c, \"A5\" AS d");
        assert!(check(&outer.replace("SELECT x FROM \"A5\"", &hidden)).is_err());
    }

    #[test]
    fn what_the_planner_does_not_know_is_refused() {
        for sql in [
            "SELECT CAST(a AS INT[])",
            "SELECT CAST(a AS INT[1000000000])",
            "SELECT a::ARRAY<INT>",
            "SELECT TRY_CAST(a AS STRUCT<b INT>)",
            "SELECT 1 FROM t |> SELECT a",
            "SELECT 1 FROM t AS u (a INT)",
            "WITH w (a INT) AS (SELECT 1) SELECT 1",
            "SELECT a RLIKE 'b'",
            "SELECT a LIKE 'b!_' ESCAPE '!'",
            "SELECT a NOT ILIKE 'b' ESCAPE ''",
            "SELECT a SIMILAR TO 'b' ESCAPE '\\'",
            "SELECT CONVERT(INT, a)",
            "SELECT * FROM t PIVOT (SUM(a) FOR b IN (1))",
            "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A) DEFINE A AS true)",
            "TABLE t",
        ] {
            assert_ne!(check(sql).map(|_| ()).map_err(|error| error.code()), Ok(()), "{sql}");
        }
    }

    #[test]
    fn texts_that_nest_without_end_are_read_on_a_stack_that_is_deep_enough() {
        let fill = |start: &str, part: &str, end: &str| {
            let times = (super::MAX_LENGTH - start.len()) / (part.len() + end.len());
            format!("{start}{}{}", part.repeat(times), end.repeat(times))
        };
        for (start, part, end) in [
            ("SELECT 1", "+1", ""),
            ("SELECT 1", "::INT", ""),
            ("SELECT a", " IS NULL", ""),
            ("SELECT 1", " UNION SELECT 1", ""),
            ("SELECT CAST(a AS INT", "[]", ""),
            ("SELECT CAST(a AS INT)", "[]", ""),
            ("SELECT a::", "ARRAY<", ""),
            ("SELECT a::", "Nullable(", ")"),
            ("SELECT ", "INTERVAL ", ""),
            ("SELECT ", "NOT ", ""),
            ("SELECT ", "(", ""),
            ("SELECT 1 FROM ", "(", ")"),
            ("SELECT 1 FROM t MATCH_RECOGNIZE (PATTERN (", "(", ")"),
            ("SELECT 1 FROM t MATCH_RECOGNIZE (PATTERN (A", "*", ""),
            ("", "EXPLAIN ", ""),
            ("SET a = 1", "+1", ""),
            ("INSERT INTO t SELECT 1", "+1", ""),
        ] {
            let sql = fill(start, part, end);
            assert!(check(&sql).is_err(), "{start} {part} {end}");
            // Shorter ones are read where they stand, here on two megabytes.
            let _ = check(&sql[..super::SHORT]);
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_read_over_and_over() {
        // Each would take 2⁴⁰ attempts or more.
        for part in [
            "CAST(",
            "TRY_CAST(",
            "CONVERT(",
            "POSITION(",
            "SUBSTRING(",
            "OVERLAY(",
            "CEIL(",
            "FLOOR(",
            "ARRAY[",
            "INTERVAL ",
            "INTERVAL -",
            "CURRENT_DATE(",
            "NOT (",
            "CASE (",
            "CASE WHEN (",
            "1 + CAST(FLOOR(",
            "1 IN (SELECT CAST(",
        ] {
            for end in ["", ")", " 1", ", 1 FROM t"] {
                let sql = format!("SELECT {}{end}", part.repeat(40));
                // Some can be read; what counts is that an answer comes.
                if let Err(error) = check(&sql) {
                    assert_eq!(error.code(), Code::SqlSyntax, "{sql}");
                }
            }
        }
        for (start, end) in
            [("(", ")"), ("CAST(", " AS INT)"), ("FLOOR(", ")"), ("coalesce(", ", 1)"), ("CASE WHEN ", " THEN 1 END")]
        {
            let sql = format!("SELECT {}1{}", start.repeat(20), end.repeat(20));
            assert!(check(&sql).is_ok(), "{sql}");
        }
    }
}
