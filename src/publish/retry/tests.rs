//! Waits are within their range, spread over it, and end after the fifth try.

use jiff::Timestamp;

use super::again_at;

fn waits(failed: i64) -> Vec<i128> {
    let now: Timestamp = "2026-05-01T10:00:00Z".parse().unwrap();
    let wait = |number: u32| {
        let at = again_at(now, failed, &format!("run {number}"))?;
        Some(now.duration_until(at).as_millis())
    };
    (0..400).filter_map(wait).collect()
}

#[test]
fn each_wait_is_drawn_from_a_range_that_doubles() {
    for (failed, longest) in [(1, 30_000), (2, 60_000), (3, 120_000), (4, 240_000)] {
        let waits = waits(failed);
        assert_eq!(waits.len(), 400);
        assert!(waits.iter().all(|wait| (0..=longest).contains(wait)), "{failed}: {waits:?}");
        // Of 400 that are spread evenly none of ten parts is without.
        for part in 0..10 {
            let range = longest * part / 10..longest * (part + 1) / 10;
            assert!(waits.iter().any(|wait| range.contains(wait)), "{failed}: nothing in {range:?}");
        }
    }
}

#[test]
fn the_same_waits_the_same_and_the_fifth_failure_is_the_last() {
    assert_eq!(waits(1), waits(1));
    assert_eq!(waits(0), waits(1));
    assert_eq!(waits(5), Vec::<i128>::new());
    assert_eq!(waits(i64::MAX), Vec::<i128>::new());
}
