//! Leaves small groups out of an answer, and what would give them away.
//!
//! A node over the finished answer, so that order, limit and arithmetic of the statement work on what is left. It holds both
//! its inputs, whose number of groups is bounded.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch, nullif};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchema, DFSchemaRef, DataFusionError, Result, internal_datafusion_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, Partitioning, PlanProperties,
};
use futures::TryStreamExt;

use crate::error::{Code, Error};

/// Groups that are judged at once, times the choices of columns that they are judged along; more are refused.
const MOST: usize = 4 << 20;
/// Counts are given to the nearest multiple of this.
const ROUNDED_TO: i64 = 5;

/// How an answer is judged. Its columns are the keys, then figures, then the number of persons, which is taken away.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd)]
pub struct SmallGroups {
    /// Number of keys.
    pub keys: usize,
    /// Fewest persons of a group that is given.
    pub minimum: u64,
    /// Which figures are counts.
    pub rounded: Vec<bool>,
}

/// The answer without its small groups. `told`: what its conditions tell apart; columns are the answer's keys, others, whether
/// the conditions let it through, and the number of persons.
pub fn without_small_groups(
    groups: SmallGroups,
    answer: LogicalPlan,
    told: Option<LogicalPlan>,
) -> Result<LogicalPlan> {
    let inputs = [answer].into_iter().chain(told).collect();
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(Node::new(groups, inputs)?) }))
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    groups: SmallGroups,
    inputs: Vec<LogicalPlan>,
    schema: DFSchemaRef,
}

impl Node {
    fn new(groups: SmallGroups, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let answer = inputs.first().ok_or_else(|| internal_datafusion_err!("small groups of nothing"))?.schema();
        let last = answer.fields().len().saturating_sub(1);
        let fields = answer.iter().take(last).enumerate().map(|(n, (relation, field))| {
            let nullable = field.is_nullable() || n >= groups.keys || groups.keys == 0;
            (relation.cloned(), Arc::new(field.as_ref().clone().with_nullable(nullable)))
        });
        let schema = DFSchema::new_with_metadata(fields.collect(), answer.metadata().clone())?;
        Ok(Self { groups, inputs, schema: Arc::new(schema) })
    }

    /// The operator over planned inputs.
    pub(super) fn physical(&self, inputs: &[Arc<dyn ExecutionPlan>]) -> Arc<dyn ExecutionPlan> {
        SmallGroupsExec::over(self.groups.clone(), Arc::clone(self.schema.inner()), inputs.to_vec())
    }
}

impl Hash for Node {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.groups, &self.inputs).hash(state);
    }
}

impl PartialOrd for Node {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (&self.groups, &self.inputs).partial_cmp(&(&other.groups, &other.inputs))
    }
}

impl UserDefinedLogicalNodeCore for Node {
    fn name(&self) -> &'static str {
        "SmallGroups"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        self.inputs.iter().collect()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SmallGroups")
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        Self::new(self.groups.clone(), inputs)
    }

    fn necessary_children_exprs(&self, _: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(self.inputs.iter().map(|input| (0..input.schema().fields().len()).collect()).collect())
    }
}

#[derive(Debug)]
struct SmallGroupsExec {
    groups: SmallGroups,
    schema: SchemaRef,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    properties: Arc<PlanProperties>,
}

impl SmallGroupsExec {
    fn over(groups: SmallGroups, schema: SchemaRef, inputs: Vec<Arc<dyn ExecutionPlan>>) -> Arc<dyn ExecutionPlan> {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Arc::new(Self { groups, schema, inputs, properties: Arc::new(properties) })
    }
}

impl DisplayAs for SmallGroupsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SmallGroupsExec")
    }
}

impl ExecutionPlan for SmallGroupsExec {
    fn name(&self) -> &'static str {
        "SmallGroupsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition; self.inputs.len()]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.inputs.len()]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Self::over(self.groups.clone(), Arc::clone(&self.schema), children))
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let inputs = self.inputs.clone();
        let (groups, schema) = (self.groups.clone(), Arc::clone(&self.schema));
        let rows = async move {
            let mut tables = Vec::new();
            for input in inputs {
                let kind = input.schema();
                // Those that groups are told apart by.
                let columns = if tables.is_empty() { groups.keys } else { kind.fields().len() - 2 };
                let (mut batches, mut rows) = (Vec::new(), 0);
                let mut stream = input.execute(0, Arc::clone(&context))?;
                while let Some(batch) = stream.try_next().await? {
                    rows += batch.num_rows();
                    if rows << columns.min(10) > MOST {
                        let message = "the statement has too many groups to be judged for small ones; ask for fewer";
                        return Err(DataFusionError::External(Box::new(Error::new(Code::Limit, message))));
                    }
                    batches.push(batch);
                }
                tables.push(concat_batches(&kind, &batches)?);
            }
            let (answer, told) = match tables.as_slice() {
                [answer] => (answer, None),
                [answer, told] => (answer, Some(told)),
                _ => return Err(internal_datafusion_err!("small groups of {} tables", tables.len())),
            };
            groups.apply(answer, told, &schema)
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), futures::stream::once(rows))))
    }
}

impl SmallGroups {
    fn apply(&self, answer: &RecordBatch, told: Option<&RecordBatch>, schema: &SchemaRef) -> Result<RecordBatch> {
        let own = persons(answer)?;
        let few: Vec<bool> = own.iter().map(|persons| (1..self.minimum).contains(persons)).collect();
        let converter = RowConverter::new(
            answer.columns()[..self.keys].iter().map(|key| SortField::new(key.data_type().clone())).collect(),
        )?;
        let groups = rows(&converter, &answer.columns()[..self.keys], answer.num_rows())?;
        let hidden: Vec<bool> = match told {
            None => hidden(&cells(&answer.columns()[..self.keys], &own)?, self.minimum),
            Some(told) => {
                let width = told.num_columns() - 2;
                let among = hidden(&cells(&told.columns()[..width], &persons(told)?)?, self.minimum);
                let passed = told.column(width).as_boolean();
                let of = rows(&converter, &told.columns()[..self.keys], told.num_rows())?;
                let mut touched: HashMap<&OwnedRow, bool> = HashMap::new();
                for (n, group) in of.iter().enumerate().filter(|(n, _)| passed.value(*n)) {
                    *touched.entry(group).or_default() |= among[n];
                }
                groups.iter().map(|group| touched.get(group).copied().unwrap_or(false)).collect()
            }
        };
        // A group of a few is left out, because its keys alone would tell that somebody is there; one that is hidden for
        // others' sake stays, without figures. A figure without keys has no row to leave out: there nobody and a few are one.
        let whole = self.keys == 0;
        let empty = |n: usize| few[n] || hidden[n] || whole && told.is_some() && own[n] == 0;
        let nulls = BooleanArray::from_iter((0..answer.num_rows()).map(|n| Some(empty(n))));
        let last = answer.num_columns() - 1;
        let columns = answer.columns()[..last].iter().enumerate().map(|(n, column)| match n.checked_sub(self.keys) {
            None => Ok(Arc::clone(column)),
            Some(figure) => {
                let column = if self.rounded[figure] { rounded(column)? } else { Arc::clone(column) };
                Ok(nullif(&column, &nulls)?)
            }
        });
        let batch = RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<_>>()?)?;
        let kept = BooleanArray::from_iter((0..answer.num_rows()).map(|n| Some(whole || !few[n])));
        Ok(filter_record_batch(&batch, &kept)?)
    }
}

/// The last column: how many persons a group has.
fn persons(table: &RecordBatch) -> Result<Vec<u64>> {
    let column = table.columns().last().and_then(|column| column.as_primitive_opt::<Int64Type>());
    let column = column.ok_or_else(|| internal_datafusion_err!("a table without its number of persons"))?;
    Ok(column.iter().map(|persons| persons.and_then(|persons| u64::try_from(persons).ok()).unwrap_or(0)).collect())
}

fn rows(converter: &RowConverter, columns: &[ArrayRef], count: usize) -> Result<Vec<OwnedRow>> {
    match columns {
        [] => {
            let empty = RowConverter::new(vec![SortField::new(DataType::Null)])?;
            let rows = empty.convert_columns(&[arrow::array::new_null_array(&DataType::Null, count)])?;
            Ok(rows.iter().map(|row| row.owned()).collect())
        }
        _ => Ok(converter.convert_columns(columns)?.iter().map(|row| row.owned()).collect()),
    }
}

/// To the nearest multiple, halves up. The same count always gives the same figure.
fn rounded(column: &ArrayRef) -> Result<ArrayRef> {
    let counts =
        column.as_primitive_opt::<Int64Type>().ok_or_else(|| internal_datafusion_err!("a count is a number"))?;
    let counts: Int64Array = counts.unary(|count| (count + ROUNDED_TO / 2).div_euclid(ROUNDED_TO) * ROUNDED_TO);
    Ok(Arc::new(counts))
}

/// A group, by the place of each of its values among the values of its column.
#[derive(Debug)]
struct Cell {
    values: Vec<u32>,
    persons: u64,
}

fn cells(columns: &[ArrayRef], persons: &[u64]) -> Result<Vec<Cell>> {
    let mut cells: Vec<Cell> = persons.iter().map(|persons| Cell { values: Vec::new(), persons: *persons }).collect();
    for column in columns {
        let converter = RowConverter::new(vec![SortField::new(column.data_type().clone())])?;
        let values = rows(&converter, std::slice::from_ref(column), column.len())?;
        // In the order of values, so that equal groups fall the same way whatever order they arrive in.
        let mut sorted: Vec<&OwnedRow> = values.iter().collect();
        sorted.sort_unstable_by(|a, b| a.row().cmp(&b.row()));
        sorted.dedup();
        let place: HashMap<&OwnedRow, u32> = sorted.into_iter().zip(0..).collect();
        for (cell, value) in cells.iter_mut().zip(&values) {
            cell.values.push(place[value]);
        }
    }
    Ok(cells)
}

/// Which cells of a table are not given: those with a few persons, and companions. Along every choice of columns, none among
/// them (the whole table), cells that are equal there have a total that may be known. Where some of them are hidden and some
/// not, the hidden are at least two, one of them with persons enough by itself: persons of several cells may be the same.
fn hidden(cells: &[Cell], minimum: u64) -> Vec<bool> {
    let mut hidden: Vec<bool> = cells.iter().map(|cell| (1..minimum).contains(&cell.persons)).collect();
    let columns = cells.first().map_or(0, |cell| cell.values.len());
    let mut sorted: Vec<usize> = (0..cells.len()).filter(|n| cells[*n].persons > 0).collect();
    // The smallest first, and always in one order.
    sorted.sort_unstable_by_key(|n| (cells[*n].persons, &cells[*n].values));
    let lines: Vec<Vec<usize>> = (0..1_usize << columns)
        .flat_map(|chosen| {
            let mut lines: BTreeMap<Vec<u32>, Vec<usize>> = BTreeMap::new();
            for n in &sorted {
                let equal = cells[*n].values.iter().enumerate().filter(|(column, _)| chosen & (1 << column) != 0);
                lines.entry(equal.map(|(_, value)| *value).collect()).or_default().push(*n);
            }
            lines.into_values().filter(|line| line.len() > 1)
        })
        .collect();
    loop {
        let mut again = false;
        for line in &lines {
            let out = || line.iter().filter(|n| hidden[**n]).map(|n| cells[*n].persons);
            let (count, largest) = (out().count(), out().max().unwrap_or(0));
            if count == 0 || count > 1 && largest >= minimum {
                continue;
            }
            if let Some(next) = line.iter().find(|n| !hidden[**n]) {
                hidden[*next] = true;
                again = true;
            }
        }
        if !again {
            return hidden;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cell, hidden};

    fn table(rows: &[&[u64]]) -> Vec<Cell> {
        let cells = rows.iter().zip(0..).flat_map(|(row, y)| {
            row.iter().zip(0..).map(move |(persons, x)| Cell { values: vec![y, x], persons: *persons })
        });
        cells.collect()
    }

    fn shown(rows: &[&[u64]]) -> Vec<String> {
        let hidden = hidden(&table(rows), 5);
        let width = rows[0].len();
        hidden.chunks(width).map(|row| row.iter().map(|hidden| if *hidden { 'x' } else { '.' }).collect()).collect()
    }

    #[test]
    fn a_small_cell_takes_others_with_it_so_that_no_line_gives_it_back() {
        assert_eq!(shown(&[&[10, 20, 30], &[40, 50, 60]]), ["...", "..."]);
        // One small cell: another of its row, another of its column, and the fourth corner, which would give those back.
        assert_eq!(shown(&[&[3, 20, 30], &[40, 50, 60], &[70, 80, 90]]), ["xx.", "xx.", "..."]);
        // Two small cells may hold the same persons: one more, with enough.
        assert_eq!(shown(&[&[1, 2, 30, 40]]), ["xxx."]);
        assert_eq!(shown(&[&[3, 4, 30, 40]]), ["xxx."]);
        // Columns that follow each other: the total of all takes one more.
        let diagonal: Vec<Cell> =
            [4, 15, 30].into_iter().zip(0..).map(|(persons, n)| Cell { values: vec![n, n], persons }).collect();
        assert_eq!(hidden(&diagonal, 5), [true, true, false]);
        // Nobody is not a few, and hides nothing.
        assert_eq!(shown(&[&[0, 20, 30]]), ["..."]);
        assert_eq!(shown(&[&[4]]), ["x"]);
        assert!(hidden(&[], 5).is_empty());
    }

    #[test]
    fn every_line_with_a_hidden_cell_has_enough_hidden_persons_or_nothing_else() {
        // A table that needs several rounds, by a fixed recurrence.
        let mut seed = 7_u64;
        for _ in 0..50 {
            let mut next = || {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 33) % 12
            };
            let rows: Vec<Vec<u64>> = (0..6).map(|_| (0..5).map(|_| next()).collect()).collect();
            let rows: Vec<&[u64]> = rows.iter().map(Vec::as_slice).collect();
            let cells = table(&rows);
            let found = hidden(&cells, 5);
            for other in [0, 1] {
                for value in 0..6 {
                    let line: Vec<usize> = (0..cells.len())
                        .filter(|n| cells[*n].values[other] == value && cells[*n].persons > 0)
                        .collect();
                    let out: Vec<usize> = line.iter().copied().filter(|n| found[*n]).collect();
                    let largest = out.iter().map(|n| cells[*n].persons).max();
                    assert!(
                        out.is_empty() || out.len() == line.len() || out.len() > 1 && largest >= Some(5),
                        "{rows:?}"
                    );
                }
            }
            assert!(cells.iter().zip(&found).all(|(cell, hidden)| *hidden || !(1..5).contains(&cell.persons)));
        }
    }
}
