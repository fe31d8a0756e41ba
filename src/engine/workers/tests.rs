use std::sync::atomic::AtomicUsize;

use arrow::array::Int64Array;
use arrow::datatypes::{Field, SchemaRef};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::{TryStreamExt, stream};

use super::*;

const PARTITIONS: usize = 3;
const BATCHES: usize = 50;
const ROWS: usize = 10;

/// A partition of numbers, which counts the batches that it has made and may break off.
#[derive(Debug)]
struct Numbers {
    schema: SchemaRef,
    first: i64,
    made: Arc<AtomicUsize>,
    breaks_off_at: usize,
}

impl PartitionStream for Numbers {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (schema, first, made) = (Arc::clone(&self.schema), self.first, Arc::clone(&self.made));
        let breaks_off_at = self.breaks_off_at;
        let batches = (0..BATCHES).map(move |number| {
            assert!(number != breaks_off_at, "it breaks off, as it should");
            made.fetch_add(1, Ordering::Relaxed);
            let start = first + (number * ROWS) as i64;
            let numbers = Int64Array::from_iter_values(start..start + ROWS as i64);
            Ok(RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(numbers)])?)
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), stream::iter(batches)))
    }
}

/// Partitions whose rows come together, `limit` of them, and how many batches they have made.
fn plan(limit: Option<usize>, breaks_off_at: usize) -> (Arc<dyn ExecutionPlan>, Arc<AtomicUsize>) {
    let schema = Arc::new(Schema::new(vec![Field::new("number", DataType::Int64, false)]));
    let made = Arc::new(AtomicUsize::new(0));
    let partition = |number: usize| {
        let (schema, made) = (Arc::clone(&schema), Arc::clone(&made));
        let first = (number * BATCHES * ROWS) as i64;
        let breaks_off_at = if number == 1 { breaks_off_at } else { usize::MAX };
        Arc::new(Numbers { schema, first, made, breaks_off_at }) as Arc<dyn PartitionStream>
    };
    let parts = (0..PARTITIONS).map(partition).collect();
    let scan = StreamingTableExec::try_new(Arc::clone(&schema), parts, None, [], false, None).unwrap();
    let merge = CoalescePartitionsExec::new(Arc::new(scan)).with_fetch(limit);
    (Arc::new(merge), made)
}

fn numbers(batches: &[RecordBatch]) -> Vec<i64> {
    let column = |batch: &RecordBatch| batch.column(0).as_any().downcast_ref::<Int64Array>().unwrap().values().to_vec();
    batches.iter().flat_map(column).collect()
}

#[tokio::test]
async fn all_partitions_come_and_never_more_batches_wait_than_there_is_room_for() {
    let workers = Workers::new(2).unwrap();
    let (plan, made) = plan(None, usize::MAX);
    let mut rows = workers.run(plan, Arc::default()).unwrap();
    let mut taken = Vec::new();
    while let Some(batch) = rows.try_next().await.unwrap() {
        taken.push(batch);
        assert!(made.load(Ordering::Relaxed) <= taken.len() + WAITING * (PARTITIONS + 1));
    }
    assert!(rows.next().await.is_none());
    let mut all = numbers(&taken);
    all.sort_unstable();
    assert_eq!(all, (0..(PARTITIONS * BATCHES * ROWS) as i64).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_limit_is_exact_and_ends_what_makes_more() {
    let workers = Workers::new(2).unwrap();
    for limit in [1, ROWS, 3 * ROWS + 7, PARTITIONS * BATCHES * ROWS, PARTITIONS * BATCHES * ROWS + 1] {
        let (plan, _) = plan(Some(limit), usize::MAX);
        let mut rows = workers.run(plan, Arc::default()).unwrap();
        let batches: Vec<_> = (&mut rows).try_collect().await.unwrap();
        let mut all = numbers(&batches);
        assert_eq!(all.len(), limit.min(PARTITIONS * BATCHES * ROWS));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), limit.min(PARTITIONS * BATCHES * ROWS), "no row comes twice");
        assert!(batches.iter().all(|batch| batch.num_rows() > 0));
        // Whether they ended or were broken off: none runs on.
        while rows.tasks.join_next().await.is_some() {}
    }
}

#[tokio::test]
async fn a_partition_that_breaks_off_is_no_end() {
    let workers = Workers::new(2).unwrap();
    let (plan, _) = plan(None, 20);
    let mut rows = workers.run(plan, Arc::default()).unwrap();
    let found: PlanResult<Vec<_>> = (&mut rows).try_collect().await;
    assert!(found.unwrap_err().to_string().contains("broke off"));
}
