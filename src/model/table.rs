//! Warehouse tables, from the `warehouse:` section of `countinghouse.yaml`.

mod decode;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::str::FromStr;

use super::Located;

pub(crate) use decode::{SENSITIVITY, TABLE, decode, sensitivity, validate};

/// A table of the warehouse.
#[derive(Debug, Clone)]
pub struct Table {
    /// Lower snake case, unique.
    pub name: Located<String>,
    /// Fact or dimension: decides how a load writes it.
    pub kind: TableKind,
    /// Columns in order. Partition columns that the loader derives (see `partition`) are not among them.
    pub columns: Vec<Column>,
    /// Columns that identify a row. A fact's date and branch are part of its identity. Empty for a fact whose rows nothing
    /// identifies: each is new, and none is compared.
    pub key: Vec<Located<String>>,
    /// Dimensions only: the Int64 surrogate key column that the loader numbers densely from 1; -1 is the unknown member.
    /// It is not delivered; facts look it up by `key`.
    pub surrogate: Option<Located<String>>,
    /// Dimensions only: how a row's earlier states are kept (type 2). Without it a row replaces the earlier one (type 1).
    pub versions: Option<Versions>,
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
    /// A row with a known key replaces the earlier one (type 1), or follows it as a new version (type 2).
    Dimension,
}

/// First day of a member's first version, before any fact: 1900-01-01, in days since 1970-01-01.
pub const BEGIN: i32 = -25_567;
/// The day after the last of a version that still holds: 9999-12-31.
pub const END: i32 = 2_932_896;

/// Versions of a dimension's rows (slowly changing dimension, type 2): each holds from a day on, inclusive, until another,
/// exclusive; those of one key neither overlap nor leave gaps. A fact holds the surrogate of the version of its own day.
#[derive(Debug, Clone)]
pub struct Versions {
    /// Date column: the first day. A feed may deliver it; the feed's business date otherwise.
    pub from: Located<String>,
    /// Date column: the day after the last, 9999-12-31 while the version holds. Not delivered.
    pub to: Located<String>,
    /// Column with the key of the row above. A new version of a row makes one of each row below it, so that a version
    /// stands for one path to the top.
    pub parent: Option<Located<String>>,
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
    /// Of a dimension with versions: a change makes no new version, all have the newest value (type 1).
    pub overwrite: bool,
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
    /// Bytes of the server's own, such as sets of counted keys: no definition file can name it.
    Bytes,
}

impl DataType {
    /// Decimal(18,2).
    pub const MONEY: Self = Self::Decimal(18, 2);

    /// The words that begin a type.
    pub(crate) const WORDS: &'static [&'static str] =
        &["text", "integer", "money", "decimal", "date", "timestamp", "boolean", "float"];

    /// A number, exact or not.
    pub fn is_numeric(self) -> bool {
        matches!(self, Self::Integer | Self::Decimal(..) | Self::Float)
    }

    /// Whether every value of this type can be stored as `target` without loss.
    pub fn fits(self, target: Self) -> bool {
        match (self, target) {
            (Self::Integer, Self::Decimal(..) | Self::Float) | (Self::Decimal(..), Self::Float) => true,
            (Self::Decimal(p, s), Self::Decimal(precision, scale)) => {
                s <= scale && i16::from(p) - i16::from(s) <= i16::from(precision) - i16::from(scale)
            }
            (Self::Date, Self::Timestamp) => true,
            (from, to) => from == to,
        }
    }
}

impl FromStr for DataType {
    type Err = ();

    /// `text`, `integer`, `money`, `decimal(p,s)` (1 ≤ p ≤ 38, 0 ≤ s ≤ p), `date`, `timestamp`, `boolean`, `float`.
    fn from_str(text: &str) -> Result<Self, ()> {
        Ok(match text {
            "text" => Self::Text,
            "integer" => Self::Integer,
            "money" => Self::MONEY,
            "date" => Self::Date,
            "timestamp" => Self::Timestamp,
            "boolean" => Self::Boolean,
            "float" => Self::Float,
            _ => {
                let inner = text.strip_prefix("decimal(").and_then(|rest| rest.strip_suffix(')')).ok_or(())?;
                let (precision, scale) = inner.split_once(',').ok_or(())?;
                let precision: u8 = precision.trim().parse().map_err(|_| ())?;
                let scale: u8 = scale.trim().parse().map_err(|_| ())?;
                if !(1..=38).contains(&precision) || scale > precision {
                    return Err(());
                }
                Self::Decimal(precision, i8::try_from(scale).map_err(|_| ())?)
            }
        })
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("text"),
            Self::Integer => f.write_str("integer"),
            Self::Decimal(18, 2) => f.write_str("money"),
            Self::Decimal(precision, scale) => write!(f, "decimal({precision},{scale})"),
            Self::Date => f.write_str("date"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Boolean => f.write_str("boolean"),
            Self::Float => f.write_str("float"),
            Self::Bytes => f.write_str("bytes"),
        }
    }
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

    /// Type of a declared column or of the surrogate key.
    pub fn type_of(&self, name: &str) -> Option<DataType> {
        match &self.surrogate {
            Some(surrogate) if **surrogate == name => Some(DataType::Integer),
            _ => self.column(name).map(|column| column.data_type),
        }
    }

    /// Names of the declared columns, and of the surrogate key.
    pub fn column_names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str()).chain(self.surrogate.as_deref().map(String::as_str))
    }

    /// The key columns besides the branch's: what a delivered natural key stands for.
    pub fn natural_key(&self) -> impl Iterator<Item = &Located<String>> {
        let branch = self.partition.branch.as_ref().map(|branch| branch.as_str());
        self.key.iter().filter(move |column| Some(column.as_str()) != branch)
    }
}
