//! The faulty rows of batch 2: each is a good row with one thing wrong, and stands in the truth list with its reason.

use super::feed::{Data, Layout};

/// What is wrong with a row.
#[derive(Debug, Clone, Copy)]
enum Wrong {
    /// A field is replaced by a text: reason, column, text.
    Field(&'static str, &'static str, &'static str),
    /// The row ends in the middle.
    CutOff,
    /// A second row of this key with another amount: column.
    Twice(&'static str),
    /// A posted row of the month before, with another amount: column.
    Changed(&'static str),
    /// A key that no dimension has: column.
    Unknown(&'static str),
}

use Wrong::{Changed, CutOff, Field, Twice, Unknown};

/// File, after how many rows of it, and what is wrong. Sums are controlled only where every row's amounts can be read.
const PLAN: [(Data, u64, Wrong); 24] = [
    (Data::Balances, 60, Twice("end_balance")),
    (Data::Balances, 150, Changed("end_balance")),
    (Data::Balances, 300, Unknown("account")),
    (Data::Balances, 450, Changed("end_balance")),
    (Data::Transactions, 20, Field("bad_date", "date", "20251301")),
    (Data::Transactions, 60, Field("missing_required", "id", "")),
    (Data::Transactions, 100, Twice("credit")),
    (Data::Transactions, 140, Unknown("account")),
    (Data::Transactions, 180, Field("bad_code", "branch", "77")),
    (Data::Transactions, 220, Field("missing_required", "date", "")),
    (Data::Transactions, 260, Twice("debit")),
    (Data::Transactions, 300, Unknown("channel")),
    (Data::Transactions, 340, Field("bad_date", "date", "20251232")),
    (Data::Interactions, 10, CutOff),
    (Data::Interactions, 25, Field("bad_type", "duration", "12O")),
    (Data::Interactions, 40, Field("bad_code", "direction", "X")),
    (Data::Interactions, 55, Field("missing_required", "id", "")),
    (Data::Interactions, 70, CutOff),
    (Data::Interactions, 85, Field("bad_type", "wait", "none")),
    (Data::Interactions, 100, CutOff),
    (Data::Interactions, 115, Field("bad_type", "resolved", "maybe")),
    (Data::Interactions, 130, Field("missing_required", "direction", "")),
    (Data::Complaints, 5, CutOff),
    (Data::Complaints, 10, Field("bad_type", "open_days", "soon")),
];

/// A faulty row to be written.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) line: String,
    /// Values of the controlled columns, as delivered.
    pub(super) sums: Vec<i64>,
    reason: &'static str,
    column: &'static str,
    plan: usize,
}

/// The faulty rows so far.
#[derive(Debug, Default)]
pub(super) struct Faults {
    done: [bool; PLAN.len()],
    /// End of the month before, `YYYYMMDD`.
    pub(super) month_before: String,
    /// Rows of the truth list: file, line, and reason with column.
    pub(super) rows: Vec<(&'static str, u64, String)>,
}

impl Faults {
    /// The faulty row that follows this good row, if the plan says so. `rows` counts all rows of the file so far.
    pub(super) fn next(&self, layout: &Layout, rows: u64, line: &str, repeats: bool) -> Option<Fault> {
        let plan = PLAN.iter().enumerate().position(|(position, &(data, after, wrong))| {
            !self.done[position] && data == layout.data && rows >= after && usable(layout, line, wrong, repeats)
        })?;
        let wrong = PLAN[plan].2;
        let mut fields: Vec<String> = line.split(',').map(str::to_owned).collect();
        let (reason, column) = match wrong {
            Field(reason, column, text) if layout.data == Data::Complaints => {
                let line = with_json_text(line, column, text);
                return Some(Fault { line, sums: Vec::new(), reason, column, plan });
            }
            CutOff => {
                let cut = line.char_indices().nth(line.chars().count() / 2).map_or(0, |(at, _)| at);
                let line = line[..cut].to_owned();
                return Some(Fault { line, sums: Vec::new(), reason: "malformed_line", column: "", plan });
            }
            Field(reason, column, text) => {
                fields[layout.column(column)] = text.to_owned();
                (reason, column)
            }
            Twice(column) => {
                fields[layout.column(column)].insert(0, '1');
                ("duplicate_key", "")
            }
            Changed(column) => {
                fields[layout.column("date")].clone_from(&self.month_before);
                fields[layout.column(column)].insert(0, '1');
                ("changed_posted_row", "")
            }
            Unknown(column) => {
                fields[layout.column(column)] = "Z9".to_owned();
                ("unknown_key", column)
            }
        };
        let sums = layout.sums.iter().map(|name| fen(&fields[layout.column(name)])).collect();
        Some(Fault { line: fields.join(","), sums, reason, column, plan })
    }

    /// Notes a faulty row that was written as line `line_no` (1 is the header of a CSV file).
    pub(super) fn record(&mut self, layout: &Layout, line_no: u64, fault: &Fault) {
        self.done[fault.plan] = true;
        let column = layout.target(fault.column);
        self.rows.push((layout.path, line_no, format!("{},{column}", fault.reason)));
    }
}

/// Whether a good row can be spoilt this way.
fn usable(layout: &Layout, line: &str, wrong: Wrong, repeats: bool) -> bool {
    let filled = |column: &str| line.split(',').nth(layout.column(column)).is_some_and(|field| !field.is_empty());
    match wrong {
        Changed(_) => repeats,
        Twice(column) => filled(column),
        _ => true,
    }
}

/// Replaces the value of a key in a flat JSON object by a text.
fn with_json_text(line: &str, key: &str, text: &str) -> String {
    let mark = format!("\"{key}\":");
    let Some(start) = line.find(&mark).map(|at| at + mark.len()) else { return line.to_owned() };
    let end = line[start..].find([',', '}']).map_or(line.len(), |at| start + at);
    format!("{}\"{text}\"{}", &line[..start], &line[end..])
}

/// Fen of an amount in yuan; an empty field is nothing.
fn fen(text: &str) -> i64 {
    let (yuan, rest) = text.split_once('.').unwrap_or((text, "00"));
    let value = yuan.trim_start_matches('-').parse::<i64>().unwrap_or(0) * 100 + rest.parse::<i64>().unwrap_or(0);
    if text.starts_with('-') { -value } else { value }
}
