//! Feeds: one numbered batch of source files.

mod check;
mod decode;
#[cfg(test)]
mod tests;

use super::Located;
use super::table::DataType;

pub use check::check;
pub(crate) use decode::FEED;
pub use decode::parse;

/// A feed file: one numbered delivery of a node.
#[derive(Debug, Clone)]
pub struct Feed {
    /// Who delivers; batches of a node are numbered without gaps.
    pub node: Located<String>,
    /// 1, 2, 3 ... per node.
    pub number: Located<u32>,
    /// Days since 1970-01-01: the day the delivered data stand for. The snapshot's as-of date.
    pub business_date: Located<i32>,
    /// The system the data come from.
    pub source: String,
    /// A batch is held when rejects exceed this share of a file's rows. Default 0.01.
    pub max_reject_share: f64,
    /// The data files.
    pub files: Vec<FeedFile>,
}

/// One data file.
#[derive(Debug, Clone)]
pub struct FeedFile {
    /// Relative to the feed file, inside its folder.
    pub path: Located<String>,
    /// `csv`, `ndjson` or `parquet`.
    pub format: Located<String>,
    /// CSV: field separator, default `,`.
    pub delimiter: char,
    /// CSV, NDJSON: texts that mean "no value"; default: the empty text.
    pub null_values: Vec<String>,
    /// Target table.
    pub table: Located<String>,
    /// Columns of the file. A file column that is not named here, or a named one that the file lacks, is an error.
    pub columns: Vec<FeedColumn>,
    /// Values for table columns that the file does not hold, as text (for example a constant branch).
    pub constants: Vec<(Located<String>, String)>,
    /// SHA-256 of the file in hex, when the source gives it.
    pub sha256: Option<Located<String>>,
    /// Rows and sums that must agree.
    pub control: Control,
}

/// One column of a data file.
#[derive(Debug, Clone)]
pub struct FeedColumn {
    /// Name in the file.
    pub name: Located<String>,
    /// Name in the table; the same unless stated.
    pub to: Located<String>,
    /// The type delivered; the table's unless stated. Must fit the table's.
    pub data_type: Option<Located<DataType>>,
    /// CSV date or timestamp format in strftime letters; ISO unless stated.
    pub format: Option<String>,
    /// Named in the file but not loaded.
    pub ignore: bool,
    /// Code mapping: delivered code to stored code. A code that is not listed is rejected `bad_code`.
    pub codes: Option<Vec<(String, String)>>,
}

/// Control totals.
#[derive(Debug, Clone, Default)]
pub struct Control {
    /// Rows delivered.
    pub rows: Option<Located<u64>>,
    /// Column of the file, exact sum as decimal text.
    pub sums: Vec<(Located<String>, Located<String>)>,
}
