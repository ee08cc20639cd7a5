//! The points of a program: which of its calls can go wrong, and how.

use harness::fault::{ERRORS, Fault, Order, Seen};
use std::fmt;

/// One system call that goes wrong in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// Its place among the calls of the clean run. Another run may have another call there.
    call: usize,
    /// The call of the clean run.
    name: String,
    fault: Fault,
}

impl Point {
    /// What `faulty` is told.
    pub fn order(&self) -> Order {
        Order::Fail { call: self.call, fault: self.fault }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} at call {} ({})", self.fault, self.call, self.name)
    }
}

/// All points of a program with these calls.
pub fn points(listed: &[Seen]) -> Vec<Point> {
    let point = |call: usize, fault: Fault| Point { call, name: listed[call].name.clone(), fault };
    (0..listed.len())
        .flat_map(|call| faults(&listed[call]).into_iter().map(move |fault| point(call, fault)))
        .collect()
}

fn faults(seen: &Seen) -> Vec<Fault> {
    let mut faults = vec![Fault::Kill];
    if seen.may_fail {
        faults.extend((0..ERRORS.len()).map(Fault::Error));
    }
    let length = seen.length.unwrap_or(0);
    faults.extend((length > 1).then_some(Fault::CutToOne));
    faults.extend((seen.writes && length > 3).then_some(Fault::CutToHalf));
    faults
}

#[test]
fn a_call_that_cannot_fail_is_killed_at_and_a_long_write_is_cut_too() {
    let seen = |may_fail, length, writes| Seen { name: "x".to_owned(), may_fail, length, writes };
    let count = |seen: Seen| points(&[seen]).len();
    assert_eq!(count(seen(false, None, false)), 1);
    assert_eq!(count(seen(true, None, false)), 7);
    assert_eq!(count(seen(true, Some(100), false)), 8);
    assert_eq!(count(seen(true, Some(100), true)), 9);
    assert_eq!(count(seen(true, Some(1), true)), 7);
}
