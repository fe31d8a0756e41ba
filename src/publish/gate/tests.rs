//! Head office against its branches.

use super::{Sums, foots};
use crate::report::value::Number;

fn sums(scope: &str, balance: Option<&str>) -> Sums {
    let number = balance.and_then(Number::parse);
    Sums { scope: scope.into(), columns: vec![("deposits".into(), "balance".into(), number)] }
}

#[test]
fn head_office_is_the_sum_of_its_branches_to_the_fen() {
    let branches = [sums("beijing", Some("1.10")), sums("xiamen", Some("2.2"))];
    assert_eq!(foots(&sums("head_office", Some("3.30")), &branches), Vec::<String>::new());
    let wrong = foots(&sums("head_office", Some("3.31")), &branches);
    assert_eq!(wrong, ["`deposits.balance`: head office 3.31, its 2 branches together 3.30"]);
}

#[test]
fn what_is_no_number_does_not_foot() {
    assert_eq!(foots(&sums("head_office", None), &[sums("beijing", None)]).len(), 1);
    assert_eq!(foots(&sums("head_office", Some("1")), &[sums("beijing", None)]).len(), 1);
    // A burst without branches has nothing to be the sum of.
    assert_eq!(foots(&sums("head_office", Some("1")), &[]).len(), 1);
}
