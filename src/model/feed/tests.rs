use super::{check, parse};
use crate::model::table::DataType;
use crate::model::table::tests::tables;

const FEED: &str = "\
node: head_office
batch: 1
business_date: 2025-11-30
source: core_banking
files:
  - path: sale.csv
    format: csv
    table: fact_sale
    null: [\"\", NA]
    columns:
      - {name: date, to: business_date, format: \"%Y%m%d\"}
      - {name: sale_id}
      - {name: customer, to: customer_sk}
      - {name: amount}
      - {name: status, to: status_code, codes: {1: active, C: closed}}
      - {name: comment, ignore: true}
    constants: {branch_code: beijing}
    sha256: \"AA00000000000000000000000000000000000000000000000000000000000000\"
    control: {rows: 1234, sums: {amount: \"123456.78\"}}
";

const TABLES: &str = "\
- name: dim_customer
  kind: dimension
  key: [branch_code, customer_id]
  surrogate: customer_sk
  partition: {branch: branch_code}
  columns: [{name: branch_code, type: text}, {name: customer_id, type: text}]
- name: fact_sale
  kind: fact
  key: [business_date, branch_code, sale_id]
  partition: {branch: branch_code, date: business_date}
  columns:
    - {name: business_date, type: date}
    - {name: branch_code, type: text}
    - {name: sale_id, type: text}
    - {name: customer_sk, type: integer, references: dim_customer}
    - {name: amount, type: money, required: true}
    - {name: status_code, type: text}
    - {name: units, type: integer}
";

/// What `parse`, then `check`, say of a feed.
#[track_caller]
fn faults(text: &str, expected: &[&str]) {
    let found = match parse("feed.yaml", text) {
        Ok(feed) => check(&feed, &tables(TABLES)),
        Err(found) => found,
    };
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
}

#[test]
fn a_feed_holds_what_is_written() {
    let feed = parse("feed.yaml", FEED).unwrap();
    assert_eq!((feed.node.as_str(), *feed.number, *feed.business_date), ("head_office", 1, 20422));
    assert_eq!(feed.max_reject_share, 0.01);
    let file = &feed.files[0];
    assert_eq!((file.delimiter, file.null_values.as_slice()), (',', &["".to_owned(), "NA".to_owned()][..]));
    assert_eq!(file.columns[4].codes.as_ref().unwrap()[0], ("1".to_owned(), "active".to_owned()));
    assert_eq!((file.columns[1].to.as_str(), file.columns[5].ignore), ("sale_id", true));
    assert_eq!(file.control.rows.as_ref().map(|rows| rows.value), Some(1234));
    assert_eq!(file.control.sums[0].1.as_str(), "123456.78");
    assert!(file.sha256.as_ref().unwrap().starts_with("aa00"));
    assert_eq!((file.constants[0].0.as_str(), file.constants[0].1.as_str()), ("branch_code", "beijing"));
    faults(FEED, &[]);
}

#[test]
fn defaults_stand_for_absent_keys() {
    let text = FEED.replace("    null: [\"\", NA]\n", "");
    let file = &parse("feed.yaml", &text).unwrap().files[0];
    assert_eq!(file.null_values, [""]);
    assert!(file.columns.iter().all(|column| column.data_type.is_none()));
    let typed = FEED.replace("{name: amount}", "{name: amount, type: \"decimal(10,2)\"}");
    let feed = parse("feed.yaml", &typed).unwrap();
    assert_eq!(feed.files[0].columns[3].data_type.as_ref().map(|kind| kind.value), Some(DataType::Decimal(10, 2)));
}

#[test]
fn several_faults_of_one_file_come_together() {
    faults(
        "node: Head office\nbatch: 0\nbusiness_date: 2025-02-30\nsource: [a]\nmax_reject_share: 2\nfils: []\nfiles:\n  \
         - path: ../x.csv\n    format: xml\n    table: t\n    columns: [{to: a}]\n    delimiter: ab\n    \
         sha256: 12\n    control: {rows: -1, sums: {a: 1e3}}\n",
        &[
            "feed.yaml:1:7: `node` must be a name of lower-case letters, digits and `_` that begins with a letter, not `Head office`",
            "feed.yaml:2:8: `batch` must be a whole number from 1 to 4294967295, not `0`",
            "feed.yaml:3:16: `business_date` must be a date such as 2025-11-30, not `2025-02-30`",
            "feed.yaml:4:9: `source` must be text, not a list",
            "feed.yaml:5:19: `max_reject_share` must be a number from 0 to 1, not `2`",
            "feed.yaml:6:1: a feed has no key `fils`; did you mean `files`?",
            "feed.yaml:8:11: `path` must be a path inside the folder of this file, not `../x.csv`",
            "feed.yaml:9:13: `format` must be one of `csv`, `ndjson`, `parquet`, not `xml`",
            "feed.yaml:11:15: a file column needs the key `name`",
            "feed.yaml:12:16: `delimiter` must be one character, not `ab`",
            "feed.yaml:13:13: `sha256` must be 64 hexadecimal digits, not `12`",
            "feed.yaml:14:21: `rows` must be a whole number from 0, not `-1`",
            "feed.yaml:14:35: `a` must be a decimal number, not `1e3`",
        ],
    );
}

#[test]
fn faults_within_a_data_file() {
    let text = FEED
        .replace("{name: sale_id}", "{name: date}\n      - {name: id, to: amount}")
        .replace("ignore: true", "ignore: true, to: remark")
        .replace("constants: {branch_code: beijing}", "constants: {status_code: a}")
        .replace("sums: {amount: ", "sums: {amuont: 1, comment: ");
    faults(
        &text,
        &[
            "feed.yaml:12:16: file `sale.csv`: column `date` is named twice",
            "feed.yaml:15:16: file `sale.csv`: columns `id` and `amount` both fill `amount`",
            "feed.yaml:17:16: file `sale.csv`: column `comment` is ignored, so it can have no `to`, `codes` or `format`",
            "feed.yaml:18:17: file `sale.csv`: column `status` already fills `status_code`",
            "feed.yaml:20:34: file `sale.csv`: the control sum is of column `amuont`, which the file does not have; did you mean `amount`?",
            "feed.yaml:20:45: file `sale.csv`: the control sum of the ignored column `comment` needs the column's `type`",
        ],
    );
}

#[test]
fn a_feed_against_tables() {
    faults(
        &FEED.replace("table: fact_sale", "table: fact_sales"),
        &["feed.yaml:8:12: file `sale.csv`: there is no table `fact_sales`; did you mean `fact_sale`?"],
    );
    let text = FEED
        .replace("to: business_date", "to: busines_date")
        .replace("{name: customer, to", "{name: customer, type: integer, to")
        .replace(
            "{name: amount}",
            "{name: amount, type: float}\n      - {name: n, to: units, codes: {a: b}, format: x}",
        )
        .replace("sums: {amount", "sums: {status");
    faults(
        &text,
        &[
            "feed.yaml:8:12: file `sale.csv`: nothing fills `business_date`, which table `fact_sale` requires",
            "feed.yaml:11:26: file `sale.csv`: table `fact_sale` has no column `busines_date`; did you mean `business_date`?",
            "feed.yaml:13:32: file `sale.csv`: column `customer` delivers integer, which does not fit text of `customer_sk`",
            "feed.yaml:14:30: file `sale.csv`: column `amount` delivers float, which does not fit money of `amount`",
            "feed.yaml:15:16: file `sale.csv`: column `n` has `codes`, but `units` is of type integer, not text",
            "feed.yaml:15:16: file `sale.csv`: column `n` has a `format`, which is for dates and timestamps, not integer",
            "feed.yaml:20:34: file `sale.csv`: column `status` is of type text, which has no exact sum",
        ],
    );
}
