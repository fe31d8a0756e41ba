//! What a reader sees of a cube: columns that are left out or masked, and rows under a condition.
//!
//! A cube with less in it is compiled from the whole one, so that everything after it (names, errors, metadata, grouping by a
//! mask, rollups) follows without knowing of rights. The condition on rows stays with the binding and is put below a barrier
//! wherever rows are read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::common::{DFSchema, Result as PlanResult};
use datafusion::logical_expr::expr::{Between, InList, Like};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlanBuilder, Operator, lit};

use super::{Binding, CompiledCube, Member};
use crate::engine::{barrier, mask};
use crate::model::role::{OTHER, Shown};
use crate::model::table::Sensitivity;

/// What a reader sees of any cube.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// What is shown of C2 columns, by kind; all of them where there is no map.
    pub columns: Option<BTreeMap<String, Shown>>,
    /// Whether the rows behind cubes are seen.
    pub details: bool,
    /// Only rows under these members of a level.
    pub within: Option<(String, BTreeSet<String>)>,
}

impl Sight {
    /// Everything.
    pub fn whole() -> Self {
        Self { columns: None, details: true, within: None }
    }

    /// What is shown of a column.
    fn shown(&self, sensitivity: Sensitivity, kind: Option<&str>) -> Shown {
        match (&self.columns, sensitivity) {
            (None, _) | (_, Sensitivity::C1) => Shown::Clear,
            (Some(columns), Sensitivity::C2) => {
                let of = |kind: &str| columns.get(kind).copied();
                kind.and_then(of).or_else(|| of(OTHER)).unwrap_or(Shown::Deny)
            }
        }
    }

    /// An expression over a column as this reader sees it; none where it sees nothing, as where there is no mask that fits.
    fn of(&self, base: &Expr, data_type: &DataType, sensitivity: Sensitivity, kind: Option<&str>) -> Option<Expr> {
        match self.shown(sensitivity, kind) {
            Shown::Clear => Some(base.clone()),
            Shown::Mask if *data_type == DataType::Utf8 => mask(kind?, base.clone()),
            Shown::Mask | Shown::Deny => None,
        }
    }
}

impl CompiledCube {
    /// The cube as a reader sees it; none where it cannot be cut to the reader's rows, since it has no such level.
    pub fn seen_by(self: &Arc<Self>, sight: &Sight) -> Option<Arc<Self>> {
        if sight.within.as_ref().is_some_and(|(level, _)| self.member(level).is_none()) {
            return None;
        }
        if sight.columns.is_none() && sight.details {
            return Some(Arc::clone(self));
        }
        let member = |member: &Member| {
            let base = sight.of(&member.base, &member.data_type, member.sensitivity, member.kind.as_deref())?;
            Some(Member { base, ..member.clone() })
        };
        let members: Vec<Member> = self.members.iter().filter_map(member).collect();
        let seen = |name: &str| self.member(name).is_none() || members.iter().any(|member| member.name == name);
        let fields = self.schema.fields().iter().filter(|field| seen(field.name())).cloned().collect::<Vec<_>>();
        let details = self.details.iter().filter(|_| sight.details).filter_map(|(field, base)| {
            let column = match self.member(field.name()) {
                Some(_) => members.iter().find(|member| member.name == *field.name())?.base.clone(),
                None => {
                    let column = self.fact_table.column(field.name())?;
                    sight.of(base, field.data_type(), column.sensitivity, column.kind.as_deref())?
                }
            };
            Some((field.clone(), column))
        });
        Some(Arc::new(Self {
            details: details.collect(),
            members,
            schema: Arc::new(Schema::new(fields)),
            ..(**self).clone()
        }))
    }
}

impl Binding {
    /// The data as a reader sees it; none as in [`CompiledCube::seen_by`].
    pub fn seen_by(&self, sight: &Sight) -> Option<Self> {
        let cube = self.cube.seen_by(sight)?;
        let policy = match &sight.within {
            None => None,
            Some((level, members)) => {
                let base = self.cube.member(level)?.base.clone();
                Some(base.in_list(members.iter().map(|member| lit(member.as_str())).collect(), false))
            }
        };
        // Of the whole cube: who a person is stays known where the reader does not see it.
        let disclosure = if sight.details { None } else { self.cube.disclosure() };
        Some(Self { cube, policy, details: sight.details, disclosure, ..self.clone() })
    }
}

/// The rows of a plan that meet the conditions of a statement, and where the reader may not see all, come through a barrier
/// after the condition by right. Beside that one stand those of the statement that cannot fail and do nothing but let rows
/// through: by them files are skipped.
pub(super) fn guarded(
    plan: LogicalPlanBuilder,
    policy: Option<&Expr>,
    conditions: Vec<Expr>,
) -> PlanResult<LogicalPlanBuilder> {
    let filtered = |plan: LogicalPlanBuilder, conditions: Vec<Expr>| match conjunction(conditions) {
        Some(condition) => plan.filter(condition),
        None => Ok(plan),
    };
    let Some(policy) = policy else { return filtered(plan, conditions) };
    let schema = Arc::clone(plan.schema());
    let (mut below, above): (Vec<_>, Vec<_>) =
        conditions.into_iter().partition(|condition| is_leakproof(condition, &schema));
    below.push(policy.clone());
    filtered(LogicalPlanBuilder::from(barrier(filtered(plan, below)?.build()?)), above)
}

/// Whether a condition is a bare column against values of its own type: no cast, no arithmetic, no function.
pub(super) fn is_leakproof(condition: &Expr, schema: &DFSchema) -> bool {
    let value = |column: &Expr, value: &Expr| match (column, value) {
        (Expr::Column(_), Expr::Literal(value, _)) => {
            column.get_type(schema).is_ok_and(|data_type| data_type == value.data_type())
        }
        _ => false,
    };
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            use Operator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
            matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq) && (value(left, right) || value(right, left))
        }
        Expr::InList(InList { expr, list, .. }) => list.iter().all(|item| value(expr, item)),
        Expr::Between(Between { expr, low, high, .. }) => value(expr, low) && value(expr, high),
        // An escape may be wrong.
        Expr::Like(Like { expr, pattern, .. }) => {
            value(expr, pattern) && !matches!(&**pattern, Expr::Literal(text, _) if text.to_string().contains('\\'))
        }
        Expr::IsNull(column) | Expr::IsNotNull(column) => matches!(**column, Expr::Column(_)),
        _ => false,
    }
}
