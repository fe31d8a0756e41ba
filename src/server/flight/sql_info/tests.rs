use arrow::array::{Array, AsArray};
use arrow::datatypes::UInt32Type;

use super::*;

/// Child of every published id, as the specification types them.
fn published() -> Vec<(u32, i8)> {
    let mut all = Vec::new();
    all.extend([0, 1, 2, 6, 7, 504, 513, 514, 529, 530, 531].map(|id| (id, 0)));
    all.extend(
        [3, 4, 5, 9, 10, 11, 500, 501, 502, 506, 515, 516, 518, 519, 520, 521, 523, 524, 527, 532].map(|id| (id, 1)),
    );
    all.extend([536, 537, 539, 556, 563, 565, 566, 572, 573, 574, 575, 576].map(|id| (id, 1)));
    all.extend((541..=555).chain(557..=561).map(|id| (id, 2)));
    all.extend([8, 100, 101, 503, 505, 507, 522, 525, 526, 528, 533, 534, 535, 538, 540, 562, 564].map(|id| (id, 3)));
    all.extend((567..=571).map(|id| (id, 3)));
    all.extend((508..=512).map(|id| (id, 4)));
    all.push((517, 5));
    all.sort_unstable();
    all
}

#[test]
fn all_published_ids_and_no_other_each_in_its_child() {
    let batch = batch(&[]).unwrap();
    let ids = batch.column(0).as_primitive::<UInt32Type>().values();
    let union = batch.column(1).as_union();
    let found: Vec<_> = ids.iter().copied().zip(union.type_ids().iter().copied()).collect();
    assert_eq!(found, published());
    assert_eq!(found.len(), 91);
    for (id, _) in found {
        let known = arrow_flight::sql::SqlInfo::try_from(i32::try_from(id).unwrap());
        assert!(known.is_ok(), "{id} is not published");
    }
}

#[test]
fn values_stand_where_their_offsets_point() {
    let batch = batch(&[]).unwrap();
    let union = batch.column(1).as_union();
    let ids = batch.column(0).as_primitive::<UInt32Type>().values();
    let row = |id: u32| union.value(ids.iter().position(|found| *found == id).unwrap());
    assert_eq!(row(0).as_string::<i32>().value(0), "Countinghouse");
    assert!(row(6).as_string::<i32>().is_null(0));
    assert_eq!(row(504).as_string::<i32>().value(0), "\"");
    assert!(row(3).as_boolean().value(0));
    assert!(!row(10).as_boolean().value(0));
    assert_eq!(row(557).as_primitive::<arrow::datatypes::Int64Type>().value(0), 65_536);
    assert_eq!(row(8).as_primitive::<arrow::datatypes::Int32Type>().value(0), 1);
    assert!(!row(510).as_list::<i32>().value(0).is_empty());
    let casts = row(517);
    assert_eq!(casts.as_map().value(0).len(), convertible().len());
}

#[test]
fn named_ids_come_in_order_and_unknown_ones_are_skipped() {
    let batch = batch(&[8, 0, 9_999, 517, 8]).unwrap();
    assert_eq!(batch.column(0).as_primitive::<UInt32Type>().values(), &[0, 8, 517]);
    assert_eq!(batch.column(1).as_union().type_ids().as_ref(), &[0, 3, 5]);
    assert_eq!(self::batch(&[9_999]).unwrap().num_rows(), 0);
    assert_eq!(batch.schema(), schema());
}
