use super::{DataType, TABLE, Table, decode, validate};
use crate::model::shape::{Fields, Kind, check, in_order};
use crate::model::yaml::{self, Value};

static TABLES: Kind = Kind::List(&Kind::Map(&TABLE));

/// Tables from the YAML of a `tables:` list, for tests of any module.
pub(crate) fn tables(text: &str) -> Vec<Table> {
    let (tables, faults) = parse(text);
    assert_eq!(faults, [] as [String; 0]);
    tables
}

fn parse(text: &str) -> (Vec<Table>, Vec<String>) {
    let mut faults = Vec::new();
    let node = yaml::parse("t.yaml", text, &mut faults);
    check(&node, TABLES, "`tables`", &mut faults);
    let Value::List(items) = &node.value else { panic!("a list") };
    let tables: Vec<Table> = items.iter().map(|item| decode(&Fields::new(item, &TABLE))).collect();
    validate(&tables, &mut faults);
    (tables, in_order(faults).iter().map(ToString::to_string).collect())
}

#[test]
fn tables_hold_what_is_written() {
    let (tables, faults) = parse(
        "- name: dim_customer\n  kind: dimension\n  key: [branch_code, customer_id]\n  surrogate: customer_sk\n  \
         partition: {branch: branch_code}\n  columns:\n    - {name: branch_code, type: text, required: true}\n    \
         - {name: customer_id, type: text, required: true}\n    - {name: name_masked, type: text, sensitivity: C2, kind: name}\n    \
         - {name: score, type: \"decimal(9,6)\"}\n",
    );
    assert_eq!(faults, [] as [String; 0]);
    let table = &tables[0];
    assert_eq!(table.natural_key().map(|key| key.as_str()).collect::<Vec<_>>(), ["customer_id"]);
    assert_eq!(table.type_of("customer_sk"), Some(DataType::Integer));
    assert_eq!(table.type_of("score"), Some(DataType::Decimal(9, 6)));
    assert_eq!(table.column_names().last(), Some("customer_sk"));
}

#[test]
fn faults_within_and_among_tables() {
    let (_, faults) = parse(
        "- name: dim_org
  kind: dimention
  key: [org_id]
  columns: [{name: org_id, type: txt}, {name: org_id, type: text, sensitivity: C3}]
- name: dim_customer
  kind: dimension
  key: [branch_code, customer_id, kind_code]
  surrogate: customer_sk
  partition: {branch: branch_cod}
  columns:
    - {name: branch_code, type: text}
    - {name: customer_id, type: text}
    - {name: kind_code, type: text}
    - {name: customer_sk, type: integer}
- name: fact_sale
  kind: fact
  key: [day, day]
  surrogate: sale_sk
  partition: {date: day, by: week}
  sort: [amuont]
  columns:
    - {name: day, type: text}
    - {name: month, type: integer}
    - {name: amount, type: decimal(39,2)}
    - {name: org_sk, type: integer, references: dim_org}
    - {name: customer_sk, type: text, references: dim_custmer}
    - {name: Buyer, type: text, references: dim_customer}
- name: fact_sale
  kind: dimension
  key: []
",
    );
    let expected: &[&str] = &[
        "t.yaml:2:9: `kind` must be one of `fact`, `dimension`, not `dimention`; did you mean `dimension`?",
        "t.yaml:4:34: `type` must be text, integer, money, decimal(p,s), date, timestamp, boolean or float, not `txt`; did you mean `text`?",
        "t.yaml:4:47: table `dim_org`: column `org_id` is declared twice, first on line 4",
        "t.yaml:4:80: `sensitivity` must be one of `C1`, `C2`, not `C3`",
        "t.yaml:9:23: table `dim_customer`: it has no column `branch_cod`; did you mean `branch_code`?",
        "t.yaml:14:14: table `dim_customer`: `customer_sk` is the surrogate, which the loader adds; leave it out",
        "t.yaml:17:14: table `fact_sale`: `day` is named twice",
        "t.yaml:18:14: table `fact_sale`: a fact has no surrogate: its rows are not referred to",
        "t.yaml:19:21: table `fact_sale`: column `day` must be of type date, not text",
        "t.yaml:19:30: `by` must be one of `month`, `quarter`, `year`, not `week`",
        "t.yaml:20:10: table `fact_sale`: it has no column `amuont`; did you mean `amount`?",
        "t.yaml:23:14: table `fact_sale`: the loader adds a column `month` to a table with `partition.date`; rename this one",
        "t.yaml:24:28: `type` must be text, integer, money, decimal(p,s), date, timestamp, boolean or float, not `decimal(39`; inside { } it stands in quotes",
        "t.yaml:24:39: a column has no key `2)`; its keys are `name`, `type`, `required`, `references`, `sensitivity`, `kind`, \
         `overwrite`",
        "t.yaml:25:49: table `fact_sale`: `dim_org` has no `surrogate` to refer to",
        "t.yaml:26:51: table `fact_sale`: column `customer_sk` references the unknown table `dim_custmer`; did you mean `dim_customer`?",
        "t.yaml:27:14: `name` must be a name of lower-case letters, digits and `_` that begins with a letter, not `Buyer`",
        "t.yaml:28:3: a table needs the key `columns`",
        "t.yaml:28:9: table `fact_sale` is declared twice, first on line 15",
        "t.yaml:28:9: table `fact_sale`: `key` names no column",
    ];
    assert_eq!(faults, expected);
}

#[test]
fn a_type_fits_where_nothing_is_lost() {
    let fits = |from: &str, to: &str| from.parse::<DataType>().unwrap().fits(to.parse().unwrap());
    assert!(fits("integer", "money") && fits("decimal(10,2)", "money") && fits("date", "timestamp"));
    assert!(!fits("money", "integer") && !fits("decimal(18,4)", "money") && !fits("decimal(18,0)", "money"));
    assert!(!fits("float", "money") && !fits("text", "date") && !fits("timestamp", "date"));
}

#[test]
fn types_read_and_show_alike() {
    for text in ["text", "integer", "money", "decimal(9,6)", "date", "timestamp", "boolean", "float"] {
        assert_eq!(text.parse::<DataType>().unwrap().to_string(), text);
    }
    assert_eq!("decimal(18, 2)".parse(), Ok(DataType::MONEY));
    for text in ["decimal(0,0)", "decimal(5,6)", "decimal(39,2)", "decimal(9)", "int", ""] {
        assert!(text.parse::<DataType>().is_err(), "{text}");
    }
}
