use std::sync::atomic::AtomicUsize;
use std::time::Duration;

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

/// A partition of numbers, which counts the batches that it has made.
#[derive(Debug)]
struct Numbers {
    schema: SchemaRef,
    first: i64,
    made: Arc<AtomicUsize>,
    ends: Ends,
}

#[derive(Debug, Clone, Copy)]
enum Ends {
    Well,
    Panics,
    Fails,
    Never,
}

impl PartitionStream for Numbers {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (schema, first, made, ends) = (Arc::clone(&self.schema), self.first, Arc::clone(&self.made), self.ends);
        let batches = stream::iter(0..BATCHES).map(move |number| {
            made.fetch_add(1, Ordering::Relaxed);
            let start = first + (number * ROWS) as i64;
            let numbers = Int64Array::from_iter_values(start..start + ROWS as i64);
            Ok(RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(numbers)])?)
        });
        let end = stream::once(async move {
            match ends {
                Ends::Well => None,
                Ends::Panics => panic!("it breaks off, as it should"),
                Ends::Fails => Some(exec_err!("no more")),
                Ends::Never => std::future::pending().await,
            }
        });
        let rows = batches.chain(end.filter_map(std::future::ready));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows))
    }
}

/// Partitions whose rows come together, `limit` of them, and how many batches they have made.
fn plan(limit: Option<usize>, ends: [Ends; PARTITIONS]) -> (Arc<dyn ExecutionPlan>, Arc<AtomicUsize>) {
    let schema = Arc::new(Schema::new(vec![Field::new("number", DataType::Int64, false)]));
    let made = Arc::new(AtomicUsize::new(0));
    let partition = |number: usize| {
        let (schema, made) = (Arc::clone(&schema), Arc::clone(&made));
        let first = (number * BATCHES * ROWS) as i64;
        Arc::new(Numbers { schema, first, made, ends: ends[number] }) as Arc<dyn PartitionStream>
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
    let (plan, made) = plan(None, [Ends::Well; PARTITIONS]);
    let mut rows = workers.run(plan, Arc::default()).unwrap();
    let mut taken = Vec::new();
    while let Some(batch) = rows.try_next().await.unwrap() {
        taken.push(batch);
        assert!(made.load(Ordering::Relaxed) <= taken.len() + ROOM * (PARTITIONS + 1));
    }
    assert!(rows.next().await.is_none());
    let mut all = numbers(&taken);
    all.sort_unstable();
    assert_eq!(all, (0..(PARTITIONS * BATCHES * ROWS) as i64).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_limit_is_exact_and_ends_what_makes_more() {
    let workers = Workers::new(2).unwrap();
    for limit in [0, 1, ROWS, 3 * ROWS + 7, PARTITIONS * BATCHES * ROWS, PARTITIONS * BATCHES * ROWS + 1] {
        let (plan, _) = plan(Some(limit), [Ends::Well; PARTITIONS]);
        let mut rows = workers.run(plan, Arc::default()).unwrap();
        let batches: Vec<_> = (&mut rows).try_collect().await.unwrap();
        let mut all = numbers(&batches);
        assert_eq!(all.len(), limit.min(PARTITIONS * BATCHES * ROWS));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), limit.min(PARTITIONS * BATCHES * ROWS), "no row comes twice");
        assert!(batches.iter().all(|batch| batch.num_rows() > 0));
        // Whether they ended or were broken off: none runs on.
        let ended = async { while rows.tasks.join_next().await.is_some() {} };
        tokio::time::timeout(Duration::from_secs(60), ended).await.unwrap();
    }
}

#[tokio::test]
async fn a_partition_that_breaks_off_or_fails_is_no_end_and_the_others_are_not_waited_for() {
    let workers = Workers::new(2).unwrap();
    for (fault, told) in [(Ends::Panics, "broke off"), (Ends::Fails, "no more")] {
        let (plan, _) = plan(None, [Ends::Never, fault, Ends::Well]);
        let found = workers.run(plan, Arc::default()).unwrap().try_collect::<Vec<_>>();
        let found = tokio::time::timeout(Duration::from_secs(60), found).await.unwrap();
        assert!(found.unwrap_err().to_string().contains(told));
    }
}
