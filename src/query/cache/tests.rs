use arrow::array::{ArrayRef, Date32Array, Int32Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::logical_expr::LogicalPlanBuilder;

use super::*;
use crate::auth::{Principal, Scope};
use crate::cube::Rollups;
use crate::engine::formula_session;

fn principal(name: &str, roles: &[&str], scope: Scope) -> Principal {
    Principal::new(name, roles.iter().map(|role| (*role).to_owned()).collect(), scope)
}

fn statement(parameters: Option<ArrayRef>) -> Statement {
    let parameters = parameters.map(|array| RecordBatch::try_from_iter_with_nullable([("a", array, true)]).unwrap());
    Statement { parameters, ..Statement::new("SELECT $1") }
}

fn key(statement: &Statement) -> Arc<Key> {
    let rights = Rights::of(&principal("ann", &["analyst"], Scope::HeadOffice), &[], true, ("records", &[]));
    Arc::new(Key::new(&rights, 1, "head_office", statement).unwrap())
}

#[test]
fn all_that_a_plan_follows_from_tells_keys_apart() {
    let analyst = |name| principal(name, &["analyst"], Scope::HeadOffice);
    let plain = statement(None);
    let new = |principal: &Principal, snapshot, schema: &str, statement: &Statement| {
        Key::new(&Rights::of(principal, &[], true, ("records", &[])), snapshot, schema, statement).unwrap()
    };
    let usual = new(&analyst("ann"), 1, "head_office", &plain);
    assert_eq!(usual, new(&analyst("bob"), 1, "head_office", &plain), "the same rights share");
    let beijing = Scope::Branches(["beijing".to_owned()].into());
    let others = [
        new(&principal("ann", &["analyst", "auditor"], Scope::HeadOffice), 1, "head_office", &plain),
        new(&principal("ann", &["analyst"], beijing), 1, "head_office", &plain),
        new(&analyst("ann"), 2, "head_office", &plain),
        new(&analyst("ann"), 1, "beijing", &plain),
        new(&analyst("ann"), 1, "head_office", &Statement::new("SELECT  $1")),
        new(&analyst("ann"), 1, "head_office", &Statement { rollups: Rollups::Off, ..plain.clone() }),
        new(&analyst("ann"), 1, "head_office", &Statement { rollups: Rollups::Only("on".to_owned()), ..plain.clone() }),
    ];
    for other in others {
        assert_ne!(usual, other);
    }
}

#[test]
fn parameters_count_with_their_types_and_nulls() {
    let values: Vec<Option<ArrayRef>> = vec![
        None,
        Some(Arc::new(Int64Array::from(vec![1]))),
        Some(Arc::new(Int64Array::from(vec![2]))),
        Some(Arc::new(Int32Array::from(vec![1]))),
        Some(Arc::new(Date32Array::from(vec![1]))),
        Some(Arc::new(StringArray::from(vec!["1"]))),
        Some(Arc::new(StringArray::from(vec![""]))),
        Some(Arc::new(StringArray::from(vec![None::<&str>]))),
        Some(Arc::new(Int64Array::from(vec![None]))),
        Some(Arc::new(Int64Array::from(vec![0]))),
    ];
    let keys: std::collections::HashSet<Arc<Key>> = values.iter().map(|value| key(&statement(value.clone()))).collect();
    assert_eq!(keys.len(), values.len());
    // A row cut from many is that row.
    let many: ArrayRef = Arc::new(Int64Array::from(vec![7, 2, 9]));
    assert!(keys.contains(&key(&statement(Some(many.slice(1, 1))))));
}

fn config(result_cache_mib: u64, cached_result_mib: u64) -> QueryConfig {
    QueryConfig {
        deadline_seconds: 1,
        batch_deadline_seconds: 1,
        memory_mib: 16,
        total_memory_mib: 16,
        concurrent: 1,
        detail_rows: 1,
        result_cache_mib,
        cached_result_mib,
        hot_mib: 0,
        columns_mib: 0,
        retained_mib: 1,
        target_partitions: 1,
        spill_dir: None,
    }
}

/// About this many KiB.
fn batch(kib: usize) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from(vec![7; kib * 128]));
    RecordBatch::try_from_iter_with_nullable([("a", column, true)]).unwrap()
}

async fn rows(kept: &Kept, key: &Arc<Key>) -> Option<usize> {
    let batches: Vec<_> = kept.rows(key)?.stream().collect().await;
    Some(batches.into_iter().map(|batch| batch.unwrap().num_rows()).sum())
}

#[tokio::test]
async fn a_result_is_kept_whole_or_not_at_all() {
    let kept = Kept::new(&config(8, 2));
    let key = key(&statement(None));
    let begin = || kept.record(&key, &batch(1).schema()).unwrap();
    drop(begin().with(&batch(1)).unwrap());
    assert_eq!(rows(&kept, &key).await, None, "half read");
    let small = begin().with(&batch(900)).unwrap().with(&batch(900)).unwrap();
    assert!(small.with(&batch(900)).is_none(), "above the bound of one");
    assert_eq!(rows(&kept, &key).await, None);
    // What a batch is cut from does not count.
    begin().with(&batch(9000).slice(5, 10)).unwrap().with(&batch(1)).unwrap().keep();
    assert_eq!(rows(&kept, &key).await, Some(138));
    let none = Arc::new(Schema::new(vec![Field::new("a", DataType::Utf8, true)]));
    kept.record(&key, &none).unwrap().keep();
    assert_eq!(rows(&kept, &key).await, Some(0), "no rows are a result");
    assert!(Kept::new(&config(0, 10)).record(&key, &none).is_none(), "0 keeps none");
}

#[tokio::test]
async fn the_room_is_never_exceeded() {
    let kept = Kept::new(&config(4, 1));
    for number in 0..20 {
        let statement = Statement::new(format!("SELECT {number}"));
        kept.record(&key(&statement), &batch(1).schema()).unwrap().with(&batch(900)).unwrap().keep();
        assert!(kept.results.weight() <= 4 << 20);
    }
    assert!(rows(&kept, &key(&Statement::new("SELECT 19"))).await.is_some(), "the newest has a place");
}

#[tokio::test]
async fn clocks_and_chance_are_found_wherever_they_stand() {
    let session = formula_session();
    for (sql, expected) in [
        ("SELECT 1 + abs(-2)", true),
        ("SELECT SUM(a) OVER (ORDER BY a) FROM (VALUES (1), (2)) t (a)", true),
        ("SELECT 'now()'", true),
        ("SELECT now()", false),
        ("SELECT current_date", false),
        ("SELECT current_timestamp - INTERVAL '1 day'", false),
        ("SELECT a FROM (VALUES (1)) t (a) WHERE date_trunc('month', now()) > DATE '2025-01-01'", false),
        ("SELECT a FROM (VALUES (1)) t (a) WHERE a IN (SELECT date_part('year', current_date))", false),
        ("SELECT (SELECT MAX(now()) FROM (VALUES (1)) u (b)) FROM (VALUES (1)) t (a)", false),
        ("SELECT a FROM (VALUES (1)) t (a) ORDER BY a, now()", false),
        ("SELECT MAX(now()) OVER () FROM (VALUES (1)) t (a)", false),
        ("WITH c AS (SELECT now() AS at) SELECT 1 FROM c", false),
    ] {
        let plan = session.create_logical_plan(sql).await.unwrap();
        assert_eq!(repeatable(&plan), expected, "{sql}");
    }
    let random = datafusion::functions::math::random();
    let plan = LogicalPlanBuilder::empty(true).project([random.call(vec![])]).unwrap().build().unwrap();
    assert!(!repeatable(&plan));
}
