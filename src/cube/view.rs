//! The wide view as the planner sees it, and the rows behind it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result as PlanResult, ScalarValue, internal_err};
use datafusion::logical_expr::{Expr, JoinType, LogicalPlanBuilder, TableProviderFilterPushDown, TableType, cast, lit};
use datafusion::physical_plan::ExecutionPlan;

use super::sight::guarded;
use super::{Binding, FACT, qualified, relation};
use crate::engine::part;

/// The leaf that stands for a cube in a plan. [`super::rewrite`] replaces it; it never runs.
#[derive(Debug)]
pub struct CubeTable {
    pub(super) binding: Binding,
}

impl CubeTable {
    /// The view of a bound cube.
    pub fn new(binding: Binding) -> Self {
        Self { binding }
    }
}

#[async_trait]
impl TableProvider for CubeTable {
    fn schema(&self) -> SchemaRef {
        self.binding.cube.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        _: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        internal_err!("a cube leaf was not replaced")
    }
}

/// The detail view: members and the fact's own columns, row by row; none where its reader sees no rows.
pub fn detail(binding: Binding) -> Option<Arc<dyn TableProvider>> {
    let columns = binding.cube.details.clone();
    (!columns.is_empty()).then(|| Arc::new(Rows::new(binding, columns)) as Arc<dyn TableProvider>)
}

/// The rows behind a cube, joined with only the dimensions whose columns a scan asks for.
#[derive(Debug)]
pub(super) struct Rows {
    binding: Binding,
    columns: Vec<(Field, Expr)>,
    schema: SchemaRef,
}

impl Rows {
    fn new(binding: Binding, columns: Vec<(Field, Expr)>) -> Self {
        // Field metadata are for readers of the catalog; a computed column loses them on its way through a plan, and the
        // planner compares.
        let columns: Vec<(Field, Expr)> =
            columns.into_iter().map(|(field, base)| (field.with_metadata(HashMap::new()), base)).collect();
        let schema = Arc::new(Schema::new(columns.iter().map(|(field, _)| field.clone()).collect::<Vec<_>>()));
        Self { binding, columns, schema }
    }

    /// Members only: what may be used of a cube outside an aggregate.
    pub(super) fn members(binding: Binding) -> Self {
        let columns = binding.cube.members.iter().map(|member| (member.field(), member.base.clone())).collect();
        Self::new(binding, columns)
    }

    /// Members, and of the measures those that mean something for one row; the others are null. For previews.
    pub(super) fn preview(binding: Binding) -> Self {
        let mut columns: Vec<(Field, Expr)> =
            binding.cube.members.iter().map(|member| (member.field(), member.base.clone())).collect();
        for measure in &binding.cube.measures {
            let field = measure.field();
            let value = measure.row_value().cloned().unwrap_or(lit(ScalarValue::Null));
            let value = cast(value, field.data_type().clone());
            columns.push((field, value));
        }
        Self::new(binding, columns)
    }
}

#[async_trait]
impl TableProvider for Rows {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> PlanResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let base = |column: &Column| {
            self.columns.iter().find(|(field, _)| *field.name() == column.name).map(|(_, base)| base.clone())
        };
        let filters = filters.iter().map(|filter| substitute(filter.clone(), &base)).collect::<PlanResult<Vec<_>>>()?;
        let all = (0..self.columns.len()).collect();
        let outputs: Vec<Expr> = projection
            .unwrap_or(&all)
            .iter()
            .map(|index| {
                let (field, base) = &self.columns[*index];
                base.clone().alias(field.name())
            })
            .collect();
        let fact = Arc::clone(&self.binding.fact);
        let mut plan = self.binding.source(fact, outputs.iter().chain(&filters), None)?;
        plan = guarded(plan, self.binding.policy.as_ref(), filters)?;
        if let Some(limit) = limit {
            plan = plan.limit(0, Some(limit))?;
        }
        // A scan for no column still has to give the right number of rows.
        let outputs = if outputs.is_empty() { vec![lit(true).alias("__row")] } else { outputs };
        let plan = plan.project(outputs)?.build()?;
        let physical = part(state, &plan).await?;
        if projection.is_some_and(Vec::is_empty) {
            let none = Vec::<(Arc<dyn datafusion::physical_expr::PhysicalExpr>, String)>::new();
            return Ok(Arc::new(datafusion::physical_plan::projection::ProjectionExec::try_new(none, physical)?));
        }
        Ok(physical)
    }
}

impl Binding {
    /// Facts of the cube, all or some, joined with only those dimensions whose columns stand in `used`, after the cube's own
    /// filter; not yet cut to what the reader may see ([`guarded`]).
    ///
    /// The joins are many-to-one (the loader keeps one row per key) and outer, so that no fact row can be lost or
    /// multiplied by them. `days` is joined on the fact's date when a time rule needs it; the inner join of a comparison gives
    /// a fact to each group that its day feeds.
    pub(super) fn source<'a>(
        &'a self,
        fact: Arc<dyn TableProvider>,
        used: impl Iterator<Item = &'a Expr>,
        days: Option<(Arc<dyn TableProvider>, JoinType)>,
    ) -> PlanResult<LogicalPlanBuilder> {
        let cube = &self.cube;
        let mut needed = BTreeSet::new();
        for expr in used.chain(cube.filter.iter()).chain(self.policy.iter()) {
            relations(expr, &mut needed)?;
        }
        let mut plan = relation(FACT, fact)?;
        for ((join, provider), certified) in cube.joins.iter().zip(&self.dimensions).zip(&self.certified) {
            // Only a join that is certified neither loses nor multiplies facts.
            if *certified && !needed.contains(&join.alias) {
                continue;
            }
            let right = relation(&join.alias, Arc::clone(provider))?.build()?;
            let on = (
                vec![qualified(FACT, join.on.clone())],
                vec![qualified(&join.alias, join.dimension.key.value.clone())],
            );
            plan = plan.join(right, JoinType::Left, on, None)?;
        }
        if let (Some((days, kind)), Some(time)) = (days, &cube.cube.time) {
            let right = relation(super::days::ALIAS, days)?.build()?;
            let on =
                (vec![qualified(FACT, time.key.value.clone())], vec![qualified(super::days::ALIAS, super::days::DAY)]);
            plan = plan.join(right, kind, on, None)?;
        }
        match &cube.filter {
            Some(filter) => plan.filter(filter.clone()),
            None => Ok(plan),
        }
    }
}

/// Collects the relations that an expression's columns come from.
fn relations(expr: &Expr, into: &mut BTreeSet<String>) -> PlanResult<()> {
    expr.apply(|node| {
        if let Expr::Column(Column { relation: Some(relation), .. }) = node {
            into.insert(relation.table().to_owned());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

/// Replaces columns by what `base` gives for them.
pub(super) fn substitute(expr: Expr, base: &impl Fn(&Column) -> Option<Expr>) -> PlanResult<Expr> {
    use datafusion::common::tree_node::Transformed;
    let replaced = expr.transform(|node| match &node {
        Expr::Column(column) => Ok(base(column).map_or_else(|| Transformed::no(node.clone()), Transformed::yes)),
        _ => Ok(Transformed::no(node)),
    })?;
    Ok(replaced.data)
}

/// The cube leaf behind a table source, if it is one.
pub(super) fn cube_of(source: &Arc<dyn datafusion::logical_expr::TableSource>) -> Option<Binding> {
    let provider = datafusion::datasource::source_as_provider(source).ok()?;
    provider.downcast_ref::<CubeTable>().map(|table| table.binding.clone())
}
