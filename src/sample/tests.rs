use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Options, Summary, generate};

/// The committed bank.
fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sample_data")
}

fn make(out: &Path, customers: u32, months: u32, seed: u64, outlets: Option<u32>) -> Summary {
    let options = Options { out: out.to_owned(), customers, months, seed, outlets };
    generate(&options, &mut |_, _, _| {}).unwrap()
}

/// A number among the arguments recorded in `bank.yaml`.
fn recorded(name: &str) -> u64 {
    let text = std::fs::read_to_string(committed().join("bank.yaml")).unwrap();
    let line = text.lines().find(|line| line.starts_with("arguments:")).unwrap();
    let rest = line.split(&format!("{name}: ")).nth(1).unwrap();
    rest.split([',', '}']).next().unwrap().parse().unwrap()
}

fn remake(out: &Path) -> Summary {
    let number = |name| u32::try_from(recorded(name)).unwrap();
    make(out, number("customers"), number("months"), recorded("seed"), Some(number("outlets")))
}

/// All files below a folder by relative path.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_string_lossy().replace('\\', "/");
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// Rows of a CSV file of both batches, by column name; the sample quotes nothing.
fn rows(folder: &Path, file: &str) -> Vec<BTreeMap<String, String>> {
    let mut all = Vec::new();
    for batch in ["batch-0001", "batch-0002"] {
        let Ok(text) = std::fs::read_to_string(folder.join(batch).join(file)) else { continue };
        let mut lines = text.lines();
        let header: Vec<&str> = lines.next().unwrap().split(',').collect();
        all.extend(lines.map(|line| {
            header.iter().zip(line.split(',')).map(|(name, field)| ((*name).to_owned(), field.to_owned())).collect()
        }));
    }
    all
}

fn fen(text: &str) -> i64 {
    let (yuan, rest) = text.split_once('.').unwrap_or((text, "0"));
    let value = yuan.trim_start_matches('-').parse::<i64>().unwrap_or(0) * 100 + rest.parse::<i64>().unwrap_or(0);
    if text.starts_with('-') { -value } else { value }
}

fn truth(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("truth/effects.json")).unwrap()).unwrap()
}

#[test]
fn committed_bank_is_what_its_arguments_give() {
    let folder = tempfile::tempdir().unwrap();
    remake(folder.path());
    let (mut expected, made) = (files(&committed()), files(folder.path()));
    // What the bank recorded of its CRM programme is written by hand.
    expected.retain(|name, _| !name.starts_with("evaluation/"));
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&expected), names(&made));
    for (name, bytes) in &expected {
        assert!(*bytes == made[name], "`sample_data/{name}` differs from what the generator writes");
    }
}

#[test]
fn committed_bank_is_small() {
    let size: usize = files(&committed()).values().map(Vec::len).sum();
    assert!(size <= 6_000_000, "sample_data/ has {size} bytes");
}

#[test]
fn more_customers_leave_the_first_ones_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (few, many) = (folder.path().join("few"), folder.path().join("many"));
    make(&few, 300, 14, 7, Some(62));
    make(&many, 1_200, 14, 7, Some(62));
    let many = files(&many);
    let data = files(&few).into_iter().filter(|(name, _)| name.ends_with(".csv") || name.ends_with(".ndjson"));
    for (name, bytes) in data.filter(|(name, _)| name.starts_with("batch")) {
        assert!(many[&name].starts_with(&bytes), "{name}");
    }
}

#[test]
fn more_months_leave_the_first_ones_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (short, long) = (folder.path().join("short"), folder.path().join("long"));
    make(&short, 200, 8, 7, Some(62));
    make(&long, 200, 20, 7, Some(62));
    for file in ["balances.csv", "transactions.csv", "profit.csv", "credit.csv"] {
        let keep = |rows: Vec<BTreeMap<String, String>>| {
            rows.into_iter().filter(|row| *row["date"] < *"20240701").collect::<Vec<_>>()
        };
        // The short bank's faulty rows are of months 7 and 8.
        assert!(keep(rows(&short, file)) == keep(rows(&long, file)), "{file}");
    }
}

#[test]
fn outlets_may_be_many() {
    let folder = tempfile::tempdir().unwrap();
    let summary = make(folder.path(), 50, 3, 1, Some(307));
    assert_eq!(summary.outlets, 307);
    // The outlet that moves comes twice.
    let mut offices = rows(folder.path(), "organisation.csv");
    assert_eq!(offices.pop().unwrap()["valid_from"], "2024-03-01");
    let serving =
        offices.iter().filter(|row| matches!(row["level_code"].as_str(), "outlet" | "remote_sub_branch")).count();
    assert_eq!(serving, 307);
    assert_eq!(offices.iter().filter(|row| row["level_code"] == "branch").count(), 28);
    let ids: BTreeSet<&str> = offices.iter().map(|row| row["org_id"].as_str()).collect();
    assert_eq!(ids.len(), offices.len());
    assert!(offices.iter().all(|row| row["parent_org_id"].is_empty() == (row["level_code"] == "head_office")));
    assert!(offices.iter().all(|row| row["parent_org_id"].is_empty() || ids.contains(row["parent_org_id"].as_str())));
}

#[test]
fn books_agree_to_the_fen() {
    let folder = committed();
    let faulty: BTreeSet<(String, usize)> = std::fs::read_to_string(folder.join("truth/faulty_rows.csv"))
        .unwrap()
        .lines()
        .skip(1)
        .map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>())
        .map(|row| (row[1].clone(), row[2].parse().unwrap()))
        .collect();
    let good = |file: &str| {
        let second = std::fs::read_to_string(folder.join("batch-0001").join(file)).unwrap().lines().count() - 1;
        let rows = rows(&folder, file).into_iter().enumerate();
        // Line 2 is the first row of a CSV file.
        rows.filter(|(index, _)| *index < second || !faulty.contains(&(file.to_owned(), index - second + 2)))
            .map(|(_, row)| row)
            .collect::<Vec<_>>()
    };
    let mut moved: BTreeMap<(String, String), i64> = BTreeMap::new();
    for row in good("transactions.csv") {
        assert!(row["debit"].is_empty() != row["credit"].is_empty());
        assert!(fen(&row["fee"]) <= fen(&row["debit"]));
        *moved.entry((row["account"].clone(), row["date"][..6].to_owned())).or_default() +=
            fen(&row["credit"]) - fen(&row["debit"]);
    }
    let mut opening: BTreeMap<String, i64> = BTreeMap::new();
    let mut compared = 0;
    for row in good("balances.csv") {
        let (account, closing) = (&row["account"], fen(&row["end_balance"]));
        assert!(closing >= 0 && fen(&row["day_sum"]) >= 0);
        let moved = moved.get(&(account.clone(), row["date"][..6].to_owned())).copied().unwrap_or(0);
        if let Some(before) = opening.insert(account.clone(), closing) {
            assert_eq!(before + moved + fen(&row["interest"]), closing, "account {account}, {}", row["date"]);
            compared += 1;
        }
    }
    assert!(compared > 20_000);
}

#[test]
fn planted_effects_are_there() {
    let truth = truth(&committed());
    let measured = &truth["measured"];
    let number = |path: &str| measured.pointer(path).and_then(Value::as_i64).unwrap();
    for (campaign, treated, control) in [("K01", 56, 20), ("K02", 24, 24)] {
        for (arm, conversions) in [("treatment", treated), ("control", control)] {
            assert_eq!(number(&format!("/campaigns/{campaign}/{arm}/customers")), 400);
            assert_eq!(number(&format!("/campaigns/{campaign}/{arm}/conversions")), conversions);
        }
    }
    // The files say the same.
    let contacts = rows(&committed(), "campaign_contacts.csv");
    let of = |group: &str| {
        contacts.iter().filter(|row| row["campaign"] == "K01" && row["group"] == group).collect::<Vec<_>>()
    };
    assert_eq!((of("T").len(), of("C").len()), (400, 400));
    assert_eq!(of("T").iter().filter(|row| row["conversions"] == "1").count(), 56);
    let opened = rows(&committed(), "accounts.csv");
    let certificates: BTreeSet<&str> =
        opened.iter().filter(|row| row["product"] == "T2").map(|row| row["account_id"].as_str()).collect();
    assert_eq!(certificates.len(), 76);

    assert!((780..=820).contains(&number("/top_fifth_share_per_mille")));
    let (before, from) = (number("/bad_branch/complaints_before"), number("/bad_branch/complaints_from"));
    assert!((30..=50).contains(&(from * 10 / before)), "{before} before, {from} from month 13");
    let in_time = number("/bad_branch/in_time_from") * 100 / from;
    assert!((45..=65).contains(&in_time), "{in_time}% in time");
    let (before, from) =
        (number("/bad_employee/branch_complaints_before"), number("/bad_employee/branch_complaints_from"));
    // 15 months before, 9 from; the excess is what the months from bring above the rate before.
    let excess = from - before * 9 / 15;
    assert!(number("/bad_employee/own_complaints_from") * 100 / excess >= 60);
    for gap in measured["window_dressing"].as_array().unwrap() {
        let gap = gap["gap_per_mille"].as_i64().unwrap();
        assert!((250..=350).contains(&gap), "{gap}");
    }
}

#[test]
fn every_faulty_row_is_listed() {
    let list = std::fs::read_to_string(committed().join("truth/faulty_rows.csv")).unwrap();
    let mut reasons: BTreeMap<&str, u32> = BTreeMap::new();
    for line in list.lines().skip(1) {
        *reasons.entry(line.split(',').nth(3).unwrap()).or_default() += 1;
    }
    let expected = [
        ("bad_code", 2),
        ("bad_date", 2),
        ("bad_type", 4),
        ("changed_posted_row", 2),
        ("duplicate_key", 3),
        ("malformed_line", 4),
        ("missing_required", 4),
        ("unknown_key", 3),
    ];
    assert_eq!(reasons, BTreeMap::from(expected));
    assert_eq!(reasons.values().sum::<u32>(), 24);
}

#[test]
fn rows_of_batch_1_have_the_fields_of_their_header() {
    for (name, bytes) in files(&committed().join("batch-0001")).into_iter().filter(|(name, _)| name.ends_with(".csv")) {
        let text = String::from_utf8(bytes).unwrap();
        let mut widths = text.lines().map(|line| line.split(',').count());
        let header = widths.next().unwrap();
        assert!(widths.all(|width| width == header), "{name}");
    }
}

#[test]
fn customers_of_two_branches_stand_in_both() {
    let customers = rows(&committed(), "customers.csv");
    let ids: BTreeSet<&str> = customers.iter().map(|row| row["customer_id"].as_str()).collect();
    assert_eq!(ids.len(), 1000);
    let both: BTreeSet<(&str, &str)> =
        customers.iter().map(|row| (row["branch"].as_str(), row["customer_id"].as_str())).collect();
    assert!(both.len() > 1020, "{}", both.len());
}

#[test]
fn options_out_of_range_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (customers, months, outlets) in [(0, 24, None), (10, 1, None), (10, 121, None), (10, 24, Some(30))] {
        let options = Options { out: folder.path().to_owned(), customers, months, seed: 1, outlets };
        let error = generate(&options, &mut |_, _, _| {}).unwrap_err();
        assert_eq!(error.code(), crate::error::Code::BadRequest);
    }
}

#[test]
fn longest_sample_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let summary = make(folder.path(), 5, 120, 3, None);
    assert!(summary.rows("fact_balance_monthly") > 120);
}
