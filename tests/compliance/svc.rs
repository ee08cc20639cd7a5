//! `svc`, beside daemontools 0.76: what both generations agree on.

use harness::{Call, assert_eq, both, scratch};
use std::fs;

#[test]
fn an_unknown_letter_is_complained_of_first() {
    both("svc", |svc| {
        let outcome = Call::path(svc).args(["-uQd", "service"]).run();
        assert_eq!(outcome.code, 100);
        assert_eq!(outcome.err_text().lines().next(), Some("svc: illegal option -- Q"));
        assert_eq!(outcome.out_text(), "");
    });
}

#[test]
fn nothing_to_do_is_done() {
    both("svc", |svc| {
        for arguments in [&[] as &[&str], &["-u"], &["--"]] {
            let outcome = Call::path(svc).args(arguments).run();
            assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
        }
    });
}

#[test]
fn each_directory_that_cannot_be_reached_is_warned_of() {
    both("svc", |svc| {
        let scratch = scratch();
        fs::create_dir(scratch.path().join("empty")).expect("a directory");
        fs::write(scratch.path().join("file"), "").expect("a file");
        let outcome = Call::path(svc).args(["-u", "missing", "file", "empty"]).within(scratch.path()).run();
        assert_eq!(outcome.code, 0);
        let expected = "svc: warning: unable to chdir to missing: file does not exist\n\
                        svc: warning: unable to chdir to file: not a directory\n\
                        svc: warning: unable to control empty: file does not exist\n";
        assert_eq!(outcome.err_text(), expected);
    });
}

#[test]
fn the_letters_travel_once_each_in_the_order_of_the_command_line() {
    both("svc", |svc| {
        let scratch = scratch();
        fs::create_dir_all(scratch.path().join("service/supervise")).expect("a service directory");
        let control = scratch.path().join("service/supervise/control");
        unix::fifo::make(&control).expect("a FIFO");
        let mut reader = unix::fifo::open_reader(&control).expect("a reader");
        let outcome = Call::path(svc).args(["-tdu", "-t", "-xk", "service"]).within(scratch.path()).run();
        assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
        let mut letters = String::new();
        std::io::Read::read_to_string(&mut reader, &mut letters).expect("what svc wrote");
        assert_eq!(letters, "tduxk");
    });
}

#[test]
fn a_fifo_without_a_reader_means_that_supervise_is_not_running() {
    both("svc", |svc| {
        let scratch = scratch();
        fs::create_dir_all(scratch.path().join("service/supervise")).expect("a service directory");
        unix::fifo::make(&scratch.path().join("service/supervise/control")).expect("a FIFO");
        let outcome = Call::path(svc).args(["-u", "service"]).within(scratch.path()).run();
        assert_eq!(outcome.code, 0);
        assert_eq!(outcome.err_text(), "svc: warning: unable to control service: supervise not running\n");
    });
}
