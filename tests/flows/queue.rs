//! `qmail-queue` by itself: what it leaves in the queue, and what it leaves after each failure: nothing.

use harness::{Instance, installed, owner_uid, skipped};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

const MESSAGE: &[u8] = b"Subject: hi\n\n\xe9 and a \0 NUL\nno line end";
const ENVELOPE: &[u8] = b"Fs@src.example\0Ta@dest.example\0Tb@dest.example\0\0";

fn queued(instance: &Instance, envelope: &[u8]) -> i32 {
    instance.run_queue(&mut instance.queue_command(), MESSAGE, envelope)
}

/// A shell that arranges something, then becomes qmail-queue.
fn queue_after(instance: &Instance, arrangement: &str) -> Command {
    let mut command = instance.command(Path::new("/bin/sh"));
    command.args(["-c", &format!("{arrangement} \"$0\"")]).arg(instance.path("bin/qmail-queue"));
    command
}

fn assert_nothing_left(instance: &Instance, what: &str) {
    assert_eq!(instance.queue(), [].into(), "{what}");
}

#[test]
fn a_message_that_is_queued_is_in_mess_and_todo_byte_for_byte() {
    let instance = Instance::new();
    let mut command = instance.queue_command();
    let (message, envelope) = (instance.beside("message"), instance.beside("envelope"));
    fs::write(&message, MESSAGE).expect("a message");
    fs::write(&envelope, [ENVELOPE, b"what follows the end"].concat()).expect("an envelope");
    let open = |path| fs::File::open(path).expect("the file");
    let mut child = command.stdin(open(&message)).stdout(open(&envelope)).spawn().expect("qmail-queue");
    let pid = child.id();
    assert_eq!(child.wait().expect("its end").code(), Some(0));

    let files: Vec<String> = instance.queue().into_iter().collect();
    let [intd, mess, todo] = files.as_slice() else { panic!("three files: {files:?}") };
    let (directory, number) = mess.rsplit_once('/').expect("mess/R/N");
    assert_eq!((intd, todo), (&format!("intd/{number}"), &format!("todo/{number}")));
    let metadata = fs::metadata(instance.path("queue").join(mess)).expect("the message");
    assert_eq!(number, metadata.ino().to_string());
    assert_eq!(directory, format!("mess/{}", metadata.ino() % 23));
    assert_eq!((metadata.mode() & 0o7777, metadata.uid()), (0o644, owner_uid()));

    let text = fs::read(instance.path("queue").join(mess)).expect("the message");
    let received = text.strip_suffix(MESSAGE).expect("the message after its Received line");
    let received = String::from_utf8(received.to_vec()).expect("an ASCII line");
    let start = format!("Received: (qmail {pid} invoked by uid {}); ", owner_uid());
    let date = received.strip_prefix(&start).unwrap_or_else(|| panic!("{received:?}"));
    assert!(date.ends_with(" -0000\n") && !date.starts_with('0'), "{date:?}");
    let origin = format!("u{}\0p{pid}\0", owner_uid());
    let expected = [origin.as_bytes(), ENVELOPE.strip_suffix(b"\0").expect("the end")].concat();
    assert_eq!(fs::read(instance.path("queue").join(todo)).expect("todo"), expected);
}

#[test]
fn what_may_be_queued_is_what_the_interface_says() {
    let instance = Instance::new();
    let address = |length: usize| [b"Fs\0T", "a".repeat(length).as_bytes(), b"\0\0"].concat();
    for (envelope, code) in [
        (&b"F\0\0"[..], 0),
        (b"Fs\0T\0\0", 0),
        (b"F\xe9\0Tb\0\0", 0),
        (&address(1002), 0),
        (&address(1003), 11),
        (&[b"F", &address(1003)[3..]].concat(), 11),
        (b"Fs\0Ta\nb@c\0\0", 12),
        (b"Fa\x7f\0\0", 12),
        (b"Ts\0\0", 91),
        (b"\0", 91),
        (b"Fs\0Fs\0\0", 91),
        (b"Fs\0Ta\0x", 91),
        (b"", 54),
        (b"Fs", 54),
        (b"Fs\0Ta\0", 54),
        (b"Fs\0Ta\0Tb", 54),
    ] {
        let before = instance.queue();
        assert_eq!(queued(&instance, envelope), code, "{}", envelope.escape_ascii());
        let new = instance.queue().difference(&before).count();
        assert_eq!(new, if code == 0 { 3 } else { 0 }, "{}: {:?}", envelope.escape_ascii(), instance.queue());
    }
}

#[test]
fn a_directory_that_cannot_be_written_has_a_status_of_its_own() {
    let instance = Instance::new();
    let directories = |kind: &str| -> Vec<String> {
        let split = (0..23).map(|part| format!("queue/{kind}/{part}"));
        if kind == "mess" { split.collect() } else { vec![format!("queue/{kind}")] }
    };
    let set_mode = |names: &[String], mode: u32| {
        for name in names {
            fs::set_permissions(instance.path(name), Permissions::from_mode(mode)).expect("a mode");
        }
    };
    let home = [String::new()];
    for (names, closed, open, code) in [
        (&home[..], 0o777, 0o755, 61),
        (&["queue".to_owned()][..], 0o600, 0o750, 62),
        (&directories("pid"), 0o500, 0o700, 63),
        (&directories("mess"), 0o500, 0o750, 64),
        (&directories("intd"), 0o500, 0o700, 65),
        (&directories("todo"), 0o500, 0o750, 66),
    ] {
        set_mode(names, closed);
        assert_eq!(queued(&instance, ENVELOPE), code, "{names:?}");
        set_mode(names, open);
        assert_nothing_left(&instance, &format!("{names:?}"));
    }
    fs::rename(instance.path("queue"), instance.path("away")).expect("a queue that is away");
    assert_eq!(queued(&instance, ENVELOPE), 62);
}

/// S5: no control byte gets into the queue as part of an address, whoever calls.
#[test]
fn s5_an_address_with_any_control_byte_is_refused_and_leaves_nothing() {
    let instance = Instance::new();
    for byte in (1..=0x1f).chain([0x7f]) {
        for address in [&[byte][..], &[b'a', byte, b'b'], &[b'a', b'@', b'b', byte]] {
            for envelope in
                [[b"F", address, b"\0Ta@b\0\0"].concat(), [b"Fa@b\0Tc@d\0T", address, b"\0\0"].concat()]
            {
                assert_eq!(queued(&instance, &envelope), 12, "{}", envelope.escape_ascii());
            }
        }
    }
    assert_nothing_left(&instance, "control bytes");
}

/// M1
#[test]
fn m1_a_large_message_is_not_kept_in_memory() {
    let Some(prlimit) = installed("prlimit") else { return skipped("prlimit is not installed") };
    let instance = Instance::in_memory();
    let mut command = instance.command(&prlimit);
    command.arg("--data=16777216").arg(instance.path("bin/qmail-queue"));
    let message = vec![b'x'; 64 << 20];
    assert_eq!(instance.run_queue(&mut command, &message, ENVELOPE), 0);
    let name = instance.queue().into_iter().find(|name| name.starts_with("mess/")).expect("the message");
    assert!(fs::read(instance.path("queue").join(name)).expect("the message").ends_with(&message));
}

/// L6
#[test]
fn l6_closed_descriptors_are_read_errors_and_make_no_message() {
    let instance = Instance::new();
    for (closed, code) in
        [("<&-", 54), (">&-", 54), ("<&- >&-", 54), ("<&- >&- 2>&-", 54), ("<&- 2>&-", 54), ("2>&-", 0)]
    {
        let mut command = instance.command(Path::new("/bin/sh"));
        let line = format!("exec \"$0\" {closed}");
        command.args(["-c", &line]).arg(instance.path("bin/qmail-queue"));
        assert_eq!(instance.run_queue(&mut command, MESSAGE, ENVELOPE), code, "{closed}");
        assert_eq!(instance.queue().len(), if code == 0 { 3 } else { 0 }, "{closed}");
    }
}

#[test]
fn what_cannot_be_read_makes_no_message() {
    let instance = Instance::new();
    let directory = || fs::File::open("/").expect("a directory");
    let envelope = instance.beside("envelope");
    fs::write(&envelope, ENVELOPE).expect("an envelope");
    let mut command = instance.queue_command();
    command.stdin(directory()).stdout(fs::File::open(&envelope).expect("the envelope"));
    assert_eq!(harness::Running::start(&mut command).wait(), 54);
    let mut command = instance.queue_command();
    command.stdin(Stdio::null()).stdout(directory());
    assert_eq!(harness::Running::start(&mut command).wait(), 54);
    assert_nothing_left(&instance, "a directory as input");
}

/// L6
#[test]
fn l6_tight_limits_fail_cleanly_or_make_a_whole_message() {
    let Some(prlimit) = installed("prlimit") else { return skipped("prlimit is not installed") };
    let instance = Instance::new();
    let limited = |limit: &str| {
        let mut command = instance.command(&prlimit);
        command.arg(limit).arg(instance.path("bin/qmail-queue"));
        command
    };
    for bytes in [0, 1, 50, 80, 100] {
        let code = instance.run_queue(&mut limited(&format!("--fsize={bytes}")), MESSAGE, ENVELOPE);
        assert_eq!(code, 53, "RLIMIT_FSIZE={bytes}");
        assert_nothing_left(&instance, "a file size limit");
    }
    let long_envelope = [b"F\0", "Ta@b\0".repeat(100).as_bytes(), b"\0"].concat();
    let code = instance.run_queue(&mut limited("--fsize=200"), MESSAGE, &long_envelope);
    assert_eq!(code, 53, "an envelope that is too long for the limit");
    assert_nothing_left(&instance, "a file size limit");
    for descriptors in 3..12 {
        let mut command = limited(&format!("--nofile={descriptors}"));
        let code = instance.run_queue(&mut command, MESSAGE, ENVELOPE);
        let expected = if code == 0 { 3 } else { 0 };
        assert_eq!(instance.queue().len(), expected, "RLIMIT_NOFILE={descriptors}, exit {code}");
        assert!(code != 0 || descriptors > 3, "there is no descriptor for the message");
        for name in instance.queue() {
            fs::remove_file(instance.path("queue").join(name)).expect("the message out of the way");
        }
    }
}

/// L6
#[test]
fn l6_ignored_signals_a_closed_umask_and_ten_thousand_variables_change_nothing() {
    let instance = Instance::new();
    let all = "for s in ALRM TERM HUP INT QUIT PIPE XFSZ USR1; do trap '' $s; done; umask 777; exec";
    assert_eq!(instance.run_queue(&mut queue_after(&instance, all), MESSAGE, ENVELOPE), 0);
    let mut command = instance.queue_command();
    command.envs((0..10_000).map(|number| (format!("VARIABLE{number}"), "x".repeat(20))));
    assert_eq!(instance.run_queue(&mut command, MESSAGE, ENVELOPE), 0);
    assert_eq!(instance.queue().len(), 6);
    for name in instance.queue().iter().filter(|name| !name.starts_with("pid/")) {
        let metadata = fs::metadata(instance.path("queue").join(name)).expect("a queue file");
        assert_eq!(metadata.mode() & 0o777, 0o644, "{name}");
    }
}

/// What a fault of its own would do; what it had so far is for the collector.
#[test]
fn a_fault_ends_it_with_the_status_for_an_internal_error() {
    use unix::signal::Signal;
    let instance = Instance::new();
    for fault in
        [Signal::SIGILL, Signal::SIGABRT, Signal::SIGFPE, Signal::SIGBUS, Signal::SIGSEGV, Signal::SIGSYS]
    {
        let before = instance.queue().len();
        let mut command = instance.queue_command();
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut running = harness::Running::start(&mut command);
        harness::wait_until("it receives a message", || {
            instance.queue().len() == before + 1
                && !instance.queue().iter().any(|name| name.starts_with("pid/"))
        });
        running.signal(fault);
        assert_eq!(running.wait(), 81, "{fault}");
        assert_eq!(instance.queue().len(), before + 1, "{fault}");
    }
}
