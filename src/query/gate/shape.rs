//! How large a query may be, and of which parts it may consist.
//!
//! What an optimizer does with a statement grows faster than its text: a few kilobytes can ask for more plan than memory
//! holds, or nest deeper than a stack reaches. Each limit is far above what people and BI tools write.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::ptr;

use datafusion::logical_expr::sqlparser::ast::{
    BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments,
    GroupByExpr, GroupByWithModifier, Query, Select, SetExpr, TableAlias, TableFactor, Visit, Visitor,
};

use super::read_only;
use crate::error::{Code, Error, Result};

/// Joins, as written.
const JOINS: usize = 16;
/// `UNION`, `INTERSECT` and `EXCEPT`, as written.
const SET_OPERATIONS: usize = 64;
/// Values in one `IN` list.
const IN_VALUES: usize = 2_000;
/// Rows of `VALUES`.
const VALUES_ROWS: usize = 1_000;
/// Grouping sets of one `GROUP BY`: a `CUBE` of 8.
const GROUPING_SETS: usize = 256;
/// Columns of a result.
const COLUMNS: usize = 2_000;
/// Bytes of a `LIKE` or regular expression that stands in the text.
const PATTERN: usize = 512;
/// Operators around each other. The parser counts parentheses, and not `a + b + c + ...`.
const OPERATORS: usize = 256;
/// Tables and `SELECT`s when every mention of a common table expression is replaced by what it names, as the planner does:
/// 30 that each mention the one before twice are a plan of 2³⁰ tables.
const PARTS: usize = 256;

/// Refuses what writes, recurses, locks, is too large or is no part of the language.
pub(super) fn check(query: &Query) -> Result<()> {
    outcome(query.visit(&mut Shape::default()))
}

/// Refuses a result of too many columns, once each `*` is written out.
pub(super) fn check_columns(count: usize) -> Result<()> {
    outcome(columns(count))
}

fn outcome(step: Step) -> Result<()> {
    match step {
        Step::Break(error) => Err(*error),
        Step::Continue(()) => Ok(()),
    }
}

/// Small, for the walk recurses.
type Step = ControlFlow<Box<Error>>;

fn refused(text: impl Into<String>) -> Step {
    Step::Break(Box::new(Error::new(Code::NotAllowed, text)))
}

/// Refuses a count above its limit. `instead` says what to do.
fn within(count: usize, limit: usize, what: &str, instead: &str) -> Step {
    if count <= limit { Step::Continue(()) } else { refused(format!("more than {limit} {what}; {instead}")) }
}

fn foreign(what: &str) -> Step {
    refused(format!("{what} of another database is not allowed"))
}

#[derive(Default)]
struct Shape {
    joins: usize,
    set_operations: usize,
    rows: usize,
    /// Operators around the expression that is looked at.
    operators: usize,
    /// Parts of the queries around it, the innermost last.
    parts: Vec<usize>,
    /// Names of common table expressions that have not been walked, by their queries.
    names: HashMap<*const Query, String>,
    /// Parts of those that have been. Of several with one name the largest counts, wherever it is visible.
    known: HashMap<String, usize>,
}

impl Visitor for Shape {
    type Break = Box<Error>;

    fn pre_visit_query(&mut self, query: &Query) -> Step {
        if !query.locks.is_empty() {
            return refused("a locking clause is not allowed");
        }
        if query.for_clause.is_some()
            || query.settings.is_some()
            || query.format_clause.is_some()
            || !query.pipe_operators.is_empty()
        {
            return foreign("a clause");
        }
        if let Some(with) = &query.with {
            if with.recursive {
                return refused("a recursive query is not allowed");
            }
            for cte in &with.cte_tables {
                alias(Some(&cte.alias))?;
                self.names.insert(ptr::from_ref(&*cte.query), cte.alias.name.value.to_lowercase());
            }
        }
        self.parts.push(0);
        // A chain of set operations nests to the left, as long as the text: not by recursion.
        let mut bodies = vec![&*query.body];
        while let Some(body) = bodies.pop() {
            match body {
                SetExpr::SetOperation { left, right, .. } => {
                    self.set_operations += 1;
                    let instead = "ask for more rows by one `SELECT`, with `IN` or `GROUP BY`";
                    within(self.set_operations, SET_OPERATIONS, "set operations", instead)?;
                    bodies.extend([&**right, &**left]);
                }
                SetExpr::Values(values) => {
                    self.rows += values.rows.len();
                    within(self.rows, VALUES_ROWS, "rows of `VALUES`", "load them as a table")?;
                    self.add(1)?;
                }
                SetExpr::Select(_) | SetExpr::Query(_) => {}
                SetExpr::Table(_) => return foreign("a clause"),
                SetExpr::Insert(_) => return writes("INSERT"),
                SetExpr::Update(_) => return writes("UPDATE"),
                SetExpr::Delete(_) => return writes("DELETE"),
                SetExpr::Merge(_) => return writes("MERGE"),
            }
        }
        Step::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> Step {
        let parts = self.parts.pop().unwrap_or_default();
        match self.names.remove(&ptr::from_ref(query)) {
            Some(name) => {
                let known = self.known.entry(name).or_default();
                *known = parts.max(*known);
                Step::Continue(())
            }
            None => self.add(parts),
        }
    }

    fn pre_visit_select(&mut self, select: &Select) -> Step {
        // `SELECT ... INTO` creates a table.
        if select.into.is_some() {
            return writes("SELECT INTO");
        }
        columns(select.projection.len())?;
        let instead = "name those that are needed by `GROUPING SETS`";
        within(grouping_sets(&select.group_by), GROUPING_SETS, "grouping sets in a `GROUP BY`", instead)?;
        let joins: usize = select.from.iter().map(|table| 1 + table.joins.len()).sum();
        self.join(joins.saturating_sub(1))?;
        self.add(1)
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> Step {
        match table {
            TableFactor::Table { name, alias: named, .. } => {
                alias(named.as_ref())?;
                let simple = if name.0.len() == 1 { name.0[0].as_ident() } else { None };
                let known = simple.and_then(|name| self.known.get(&name.value.to_lowercase()));
                self.add(known.copied().unwrap_or(1))
            }
            TableFactor::Derived { alias: named, .. } => alias(named.as_ref()),
            TableFactor::NestedJoin { alias: named, table_with_joins } => {
                alias(named.as_ref())?;
                self.join(table_with_joins.joins.len())
            }
            TableFactor::UNNEST { alias: named, .. } | TableFactor::Function { alias: named, .. } => {
                alias(named.as_ref())?;
                self.add(1)
            }
            _ => foreign("a table expression"),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> Step {
        let instead = "write `IN` for many `OR`, or ask in parts";
        within(self.operators, OPERATORS, "operators around each other", instead)?;
        self.operators += 1;
        expression(expr)
    }

    fn post_visit_expr(&mut self, _: &Expr) -> Step {
        self.operators -= 1;
        Step::Continue(())
    }
}

impl Shape {
    fn join(&mut self, joins: usize) -> Step {
        self.joins += joins;
        within(self.joins, JOINS, "joins", "a cube brings its dimensions along, without a join")
    }

    fn add(&mut self, parts: usize) -> Step {
        let Some(sum) = self.parts.last_mut() else { return Step::Continue(()) };
        *sum += parts;
        let what = "tables and `SELECT`s, where each mention of a `WITH` name counts as what it names";
        within(*sum, PARTS, what, "ask in several statements")
    }
}

fn writes(word: &str) -> Step {
    Step::Break(Box::new(read_only(word)))
}

fn columns(count: usize) -> Step {
    within(count, COLUMNS, "columns", "name those that are needed")
}

/// The grouping sets of a `GROUP BY`: those of its parts, each with each.
fn grouping_sets(group_by: &GroupByExpr) -> usize {
    let (parts, modifiers): (&[Expr], _) = match group_by {
        GroupByExpr::All(modifiers) => (&[], modifiers),
        GroupByExpr::Expressions(parts, modifiers) => (parts, modifiers),
    };
    let of_modifiers = modifiers.iter().map(|modifier| match modifier {
        GroupByWithModifier::Rollup => parts.len() + 1,
        GroupByWithModifier::Cube => subsets(parts.len()),
        GroupByWithModifier::Totals => 2,
        GroupByWithModifier::GroupingSets(part) => sets(part),
    });
    parts.iter().map(sets).chain(of_modifiers).fold(1, usize::saturating_mul)
}

fn sets(part: &Expr) -> usize {
    match part {
        Expr::Rollup(columns) => columns.len() + 1,
        Expr::Cube(columns) => subsets(columns.len()),
        Expr::GroupingSets(sets_) => {
            sets_.iter().map(|set| set.iter().map(sets).fold(1, usize::saturating_mul)).fold(0, usize::saturating_add)
        }
        _ => 1,
    }
}

fn subsets(columns: usize) -> usize {
    u32::try_from(columns).ok().and_then(|columns| 1_usize.checked_shl(columns)).unwrap_or(usize::MAX)
}

/// Column names behind an alias may carry a type, which no planner reads.
fn alias(alias: Option<&TableAlias>) -> Step {
    match alias.is_some_and(|alias| alias.columns.iter().any(|column| column.data_type.is_some())) {
        true => foreign("a table alias"),
        false => Step::Continue(()),
    }
}

/// The kinds of expression that the planner knows, without types that nest or have a length.
fn expression(expr: &Expr) -> Step {
    match expr {
        Expr::InList { list, .. } => {
            let instead = "write a range or a level above, or join with a table";
            within(list.len(), IN_VALUES, "values in one `IN` list", instead)
        }
        Expr::Like { pattern: text, escape_char, .. } | Expr::ILike { pattern: text, escape_char, .. } => {
            match escape_char {
                Some(escape) if escape.value.clone().into_string().as_deref() != Some("\\") => {
                    refused("`LIKE` knows the backslash as its `ESCAPE` and no other character")
                }
                _ => pattern(text),
            }
        }
        Expr::SimilarTo { pattern: text, escape_char, .. } => match escape_char {
            Some(_) => refused("`SIMILAR TO` takes no `ESCAPE`"),
            None => pattern(text),
        },
        Expr::BinaryOp { op, right, .. } => match op {
            BinaryOperator::PGRegexMatch
            | BinaryOperator::PGRegexIMatch
            | BinaryOperator::PGRegexNotMatch
            | BinaryOperator::PGRegexNotIMatch
            | BinaryOperator::PGLikeMatch
            | BinaryOperator::PGILikeMatch
            | BinaryOperator::PGNotLikeMatch
            | BinaryOperator::PGNotILikeMatch => pattern(right),
            _ => Step::Continue(()),
        },
        Expr::Function(call) => function(call),
        Expr::Cast { data_type, .. } => plain(data_type),
        Expr::TypedString(text) => plain(&text.data_type),
        Expr::Struct { fields, .. } if !fields.is_empty() => foreign("an expression"),
        Expr::AllOp { .. }
        | Expr::AnyOp { .. }
        | Expr::Array(_)
        | Expr::AtTimeZone { .. }
        | Expr::Between { .. }
        | Expr::Case { .. }
        | Expr::Ceil { .. }
        | Expr::CompoundFieldAccess { .. }
        | Expr::CompoundIdentifier(_)
        | Expr::Cube(_)
        | Expr::Dictionary(_)
        | Expr::Exists { .. }
        | Expr::Extract { .. }
        | Expr::Floor { .. }
        | Expr::GroupingSets(_)
        | Expr::Identifier(_)
        | Expr::InSubquery { .. }
        | Expr::Interval(_)
        | Expr::IsDistinctFrom(..)
        | Expr::IsFalse(_)
        | Expr::IsNotDistinctFrom(..)
        | Expr::IsNotFalse(_)
        | Expr::IsNotNull(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotUnknown(_)
        | Expr::IsNull(_)
        | Expr::IsTrue(_)
        | Expr::IsUnknown(_)
        | Expr::JsonAccess { .. }
        | Expr::Map(_)
        | Expr::Named { .. }
        | Expr::Nested(_)
        | Expr::Overlay { .. }
        | Expr::Position { .. }
        | Expr::QualifiedWildcard(..)
        | Expr::Rollup(_)
        | Expr::Struct { .. }
        | Expr::Subquery(_)
        | Expr::Substring { .. }
        | Expr::Trim { .. }
        | Expr::Tuple(_)
        | Expr::UnaryOp { .. }
        | Expr::Value(_)
        | Expr::Wildcard(_) => Step::Continue(()),
        _ => foreign("an expression"),
    }
}

fn function(call: &Function) -> Step {
    let FunctionArguments::List(arguments) = &call.args else { return Step::Continue(()) };
    if arguments.clauses.iter().any(|clause| matches!(clause, FunctionArgumentClause::JsonReturningClause(_))) {
        return foreign("an expression");
    }
    let name = call.name.0.last().and_then(|name| name.as_ident());
    let matches = name.is_some_and(|name| name.value.to_lowercase().starts_with("regexp_"));
    match arguments.args.get(1) {
        Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(text))) if matches => pattern(text),
        _ => Step::Continue(()),
    }
}

fn pattern(expr: &Expr) -> Step {
    let length = match expr {
        Expr::Nested(inner) => return pattern(inner),
        Expr::Value(value) => value.value.clone().into_string().map_or(0, |text| text.len()),
        _ => 0,
    };
    within(length, PATTERN, "bytes in a pattern", "write several conditions")
}

/// A list of fixed length is made whole even where it is null, and lists of lists nest as deep as the text is long.
fn plain(data_type: &DataType) -> Step {
    match data_type {
        DataType::Array(_)
        | DataType::LowCardinality(_)
        | DataType::Map(..)
        | DataType::NamedTable { .. }
        | DataType::Nested(_)
        | DataType::Nullable(_)
        | DataType::Struct(..)
        | DataType::Table(_)
        | DataType::Tuple(_)
        | DataType::Union(_) => refused("a cast to a list or a structure is not allowed; cast its values"),
        _ => Step::Continue(()),
    }
}
