//! `faulty` itself, on a program whose calls are known: if nothing went wrong where it should, no sweep would mean anything.

use super::site::is_possible;
use harness::fault::{ERRORS, Fault, Order, Seen};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};

const TEXT: &str = "a line for dd\n";

/// Runs dd, which copies descriptor 0 to 1 in one read and one write; what was seen, and how it ended.
fn copy(directory: &Path, order: Order) -> (String, Output) {
    let (path, seen) = (directory.join("order"), directory.join("order.seen"));
    let text = directory.join("text");
    let _ = fs::remove_file(&seen);
    fs::write(&path, order.to_string()).expect("an order");
    fs::write(&text, TEXT).expect("a text");
    let mut command = Command::new(env!("CARGO_BIN_EXE_faulty"));
    command.arg(&path).args(["/bin/dd", "status=none"]).stdin(fs::File::open(&text).expect("the text"));
    let output = command.output().expect("an end");
    (fs::read_to_string(&seen).unwrap_or_default(), output)
}

#[test]
fn the_call_that_was_named_goes_wrong_and_no_other() {
    if !is_possible() {
        return;
    }
    let directory = harness::scratch_in_memory();
    let (listed, output) = copy(directory.path(), Order::List);
    assert_eq!(output.stdout, TEXT.as_bytes());
    let listed: Vec<Seen> = listed.lines().map(|line| line.parse().expect("a call")).collect();
    let is_the_copy = |seen: &Seen| seen.writes && seen.length == Some(TEXT.len());
    let call = listed.iter().position(is_the_copy).expect("the write");
    let fails = |fault| copy(directory.path(), Order::Fail { call, fault });

    let (seen, output) = fails(Fault::Kill);
    assert_eq!(
        (seen.as_str(), output.status.signal(), output.stdout.as_slice()),
        ("write", Some(9), &b""[..])
    );
    let (seen, output) = fails(Fault::Error(1));
    assert_eq!((seen.as_str(), output.status.code(), ERRORS[1].0), ("write", Some(1), "ENOSPC"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("No space left on device"));
    assert_eq!(output.stdout, b"");
    for cut in [Fault::CutToOne, Fault::CutToHalf] {
        // dd goes on with the rest.
        let (seen, output) = fails(cut);
        assert_eq!((seen.as_str(), output.stdout.as_slice()), ("write", TEXT.as_bytes()));
    }
    let (seen, output) = copy(directory.path(), Order::Fail { call: listed.len(), fault: Fault::Kill });
    assert_eq!((seen.as_str(), output.status.code()), ("", Some(0)), "a call that never comes");
}
