//! Tests that run on a reference program and on ours, and how much they assert on each.

use std::cell::RefCell;
use std::fs::OpenOptions;
use std::io::Write;
use std::panic::Location;
use std::path::Path;

/// Whose program a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// The one that the distribution has.
    Reference,
    /// Ours.
    Ours,
}

/// Runs a compliance test on the reference program, which proves the test, and then on ours.
///
/// Without the reference program only ours is tested, and that is said aloud.
pub fn both(name: &str, test: impl Fn(&Path)) {
    match crate::installed(name) {
        Some(path) => counting(name, Suite::Reference, || test(&path)),
        None => crate::skipped(&format!("the reference program {name} is not installed")),
    }
    counting(name, Suite::Ours, || test(&crate::program(name)));
}

thread_local! {
    /// Where the assertions stand that held so far, if somebody counts.
    static HELD: RefCell<Option<Vec<&'static Location<'static>>>> = const { RefCell::new(None) };
}

/// Runs what is tested on one program. If the environment has `ASSERTIONS`, the name of a file, a line for each
/// assertion that held is added to that: program, whose it is, file and line of the assertion.
pub fn counting(name: &str, suite: Suite, test: impl FnOnce()) {
    let Some(file) = std::env::var_os("ASSERTIONS") else { return test() };
    HELD.set(Some(Vec::new()));
    test();
    let held = HELD.take().unwrap_or_default();
    let lines: String =
        held.iter().map(|place| format!("{name}\t{suite:?}\t{}:{}\n", place.file(), place.line())).collect();
    let opened = OpenOptions::new().append(true).create(true).open(file);
    opened.and_then(|mut file| file.write_all(lines.as_bytes())).expect("the file that ASSERTIONS names");
}

/// Counts an assertion that held. The macros of this crate call it.
#[track_caller]
pub fn held() {
    let place = Location::caller();
    HELD.with_borrow_mut(|held| {
        if let Some(held) = held {
            held.push(place);
        }
    });
}

/// As the one of the standard library; compliance tests use this one, so that it is counted.
#[macro_export]
macro_rules! assert {
    ($($tokens:tt)*) => {{
        ::std::assert!($($tokens)*);
        $crate::held();
    }};
}

/// As the one of the standard library; compliance tests use this one, so that it is counted.
#[macro_export]
macro_rules! assert_eq {
    ($($tokens:tt)*) => {{
        ::std::assert_eq!($($tokens)*);
        $crate::held();
    }};
}

/// As the one of the standard library; compliance tests use this one, so that it is counted.
#[macro_export]
macro_rules! assert_ne {
    ($($tokens:tt)*) => {{
        ::std::assert_ne!($($tokens)*);
        $crate::held();
    }};
}
