//! Warehouse tables, from the `warehouse:` section of `countinghouse.yaml`.

use super::Located;

/// A table of the warehouse.
#[derive(Debug, Clone)]
pub struct Table {
    /// Lower snake case, unique.
    pub name: Located<String>,
    /// Fact or dimension: decides how a load writes it.
    pub kind: TableKind,
    /// Columns in order. Partition columns that the loader derives (see `partition`) are not among them.
    pub columns: Vec<Column>,
    /// Columns that identify a row. A fact's date and branch are part of its identity.
    pub key: Vec<Located<String>>,
    /// Dimensions only: the Int64 surrogate key column that the loader numbers densely from 1; -1 is the unknown member.
    /// It is not delivered; facts look it up by `key`.
    pub surrogate: Option<Located<String>>,
    /// How files are cut.
    pub partition: Partition,
    /// Sort order within a file; the key is appended, so that files are reproducible.
    pub sort: Vec<Located<String>>,
}

/// How a load writes a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableKind {
    /// Rows are posted once: a row with a known key is unchanged, or refused when its content differs.
    Fact,
    /// A row with a known key replaces the earlier one (type 1).
    Dimension,
}

/// How a table's files are cut. Without a branch column all rows lie in the partition `shared`.
#[derive(Debug, Clone, Default)]
pub struct Partition {
    /// The text column whose value names the branch. It becomes a Delta partition column.
    pub branch: Option<Located<String>>,
    /// The date column that decides the period.
    pub date: Option<Located<String>>,
    /// Which period; `Period::None` when there is no date. With a period the loader adds the Int32 partition column
    /// `month` (yyyymm of the period's first month).
    pub period: Period,
}

/// Length of a partition's period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Period {
    /// Not cut by time.
    #[default]
    None,
    /// Calendar month.
    Month,
    /// Calendar quarter.
    Quarter,
    /// Calendar year.
    Year,
}

/// A column.
#[derive(Debug, Clone)]
pub struct Column {
    /// Lower snake case.
    pub name: Located<String>,
    /// What it holds.
    pub data_type: DataType,
    /// A null is refused (`missing_required`).
    pub required: bool,
    /// The dimension whose surrogate key this column holds: the feed delivers the dimension's natural key and the loader
    /// looks the surrogate up, within the row's own branch when the dimension is cut by branch. Null becomes -1.
    pub references: Option<Located<String>>,
    /// Who may see it.
    pub sensitivity: Sensitivity,
    /// Which mask fits (`name`, `phone`, `account` ...).
    pub kind: Option<String>,
}

/// Type of a column or measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataType {
    /// UTF-8.
    Text,
    /// Int64.
    Integer,
    /// Decimal128(precision, scale). Money is `money` = decimal(18,2).
    Decimal(u8, i8),
    /// Date32.
    Date,
    /// Timestamp, microseconds, UTC.
    Timestamp,
    /// True or false.
    Boolean,
    /// Float64: statistics only, never money.
    Float,
}

impl DataType {
    /// Decimal(18,2).
    pub const MONEY: Self = Self::Decimal(18, 2);
}

/// Sensitivity class of a column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sensitivity {
    /// Internal.
    #[default]
    C1,
    /// Identifies a person or shows a financial state.
    C2,
}

impl Table {
    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| *column.name == name)
    }
}
