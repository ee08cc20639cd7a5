//! What the original fixes when it is built, and what here is a control file: conf-spawn, conf-split, conf-break,
//! queueextra.

use harness::{HOST, Instance, messages, wait_until};
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::process::Stdio;

const MESSAGE: &str = "Subject: hi\n\nx\n";

#[test]
fn more_than_255_deliveries_run_at_a_time_and_each_report_finds_its_own() {
    const COUNT: usize = 300;
    let mut instance = Instance::new();
    let gate = instance.path("alias/gate");
    instance.write("control/conf-spawn", "1000\n");
    instance.write("control/concurrencylocal", format!("{COUNT}\n"));
    // Odd numbers fail, each with its own text.
    let program =
        "|read x <gate; echo $EXT2 >>done; case $EXT2 in *[13579]) echo no $EXT2; exit 100;; esac\n";
    instance.alias("slow-default", program);
    let made = instance.command("/usr/bin/mkfifo".as_ref()).arg(&gate).status();
    assert!(made.expect("mkfifo").success());
    instance.start();
    let recipients: Vec<String> = (0..COUNT).map(|number| format!("slow-{number}@{HOST}")).collect();
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    assert_eq!(instance.enqueue("postmaster", &recipients, MESSAGE), 0);
    instance.wait_for_log(&format!("status: local {COUNT}/{COUNT} remote 0/20\n"));
    assert!(!instance.log().contains(": success:"), "{}", instance.log());
    wait_until("all have ended", || {
        // Whoever waits at the gate is let through; who comes later waits for the next time.
        let opened = OpenOptions::new().write(true).custom_flags(nonblocking()).open(&gate);
        drop(opened);
        instance.log().contains("end msg ")
    });
    let log = instance.log();
    for number in 0..COUNT {
        let starting = format!(" to local slow-{number}@{HOST}");
        let line = log.lines().find(|line| line.ends_with(&starting)).expect("a delivery");
        let delivery = line.split([' ', ':']).nth(2).expect("its number");
        let report = if number % 2 == 0 {
            format!("delivery {delivery}: success: did_0+0+1/\n")
        } else {
            format!("delivery {delivery}: failure: no_{number}/\n")
        };
        assert!(log.contains(&report), "{report}");
    }
    let done = fs::read_to_string(instance.path("alias/done")).expect("what was done");
    assert_eq!(done.lines().collect::<BTreeSet<_>>().len(), COUNT);
    assert_eq!(done.lines().count(), COUNT);
    wait_until("the bounce is delivered", || messages(&instance.path("alias/Maildir")).len() == 1);
    let bounce = messages(&instance.path("alias/Maildir")).concat();
    assert_eq!(bounce.matches(">:\nno ").count(), COUNT / 2);
    instance.stop();
}

fn nonblocking() -> i32 {
    0o4000
}

#[test]
fn a_spawner_speaks_the_originals_protocol_unless_it_is_asked_for_more() {
    let instance = Instance::new();
    let talk = |requests: &[u8]| {
        let outcome = instance.call("qmail-rspawn").input(requests).run();
        assert_eq!(outcome.code, 0);
        outcome.out
    };
    let too_big = b"x\xffZInternal error: delnum too big. (#4.3.5)\n\0";
    assert_eq!(talk(b"\xff0/1\0s@h\0r@h\0"), too_big);
    let nonnumeric = b"DInternal error: messid has nonnumerics. (#5.3.5)\n\0";
    assert_eq!(talk(b"\x05a\0s@h\0r@h\0"), [b"x\x05", &nonnumeric[..]].concat());
    assert_eq!(talk(b"\xff\0\0slots=60\0"), too_big);
    let answer = talk(b"\xff\0\0slots=300\0\x01\x05a\0s@h\0r@h\0\x01\x2ca\0s@h\0r@h\0");
    let expected =
        [&b"x\xffK300\0\x01\x05"[..], nonnumeric, b"\x01\x2cZInternal error: delnum too big. (#4.3.5)\n\0"];
    assert_eq!(answer, expected.concat());
}

/// A spawner that knows nothing of more slots goes on with as many as it has offered.
#[test]
fn a_spawner_that_grants_no_more_slots_is_used_as_it_is() {
    let mut instance = Instance::new();
    instance.write("control/conf-spawn", "500\n");
    instance.write("control/concurrencylocal", "500\n");
    let script = "#!/bin/sh\nprintf x\n\
        [ \"$(dd bs=4096 count=1 2>/dev/null | od -An -c | tr -d ' \\n')\" = '377\\0\\0slots=500\\0' ] || exit 1\n\
        printf '\\377ZInternal error: delnum too big. (#4.3.5)\\n\\0'\n\
        dd bs=4096 count=1 2>/dev/null | tr '\\0' '\\n' >&2\n\
        printf '\\0Kas it ever was\\n\\0'\nexec cat >/dev/null\n";
    fs::remove_file(instance.path("bin/qmail-lspawn")).expect("the program");
    harness::put_program(&instance.path("bin/qmail-lspawn"), script);
    instance.start();
    assert!(instance.log().starts_with("status: local 0/120 remote 0/20\n"), "{}", instance.log());
    assert_eq!(instance.enqueue("s@src.example", &[&format!("joe@{HOST}")], MESSAGE), 0);
    instance.wait_for_log("delivery 1: success: as_it_ever_was/\n");
    instance.wait_until_delivered();
    instance.stop();
}

/// The numbers of the messages in a split directory, with the parts that they are in.
fn placed(instance: &Instance, kind: &str) -> Vec<(u64, u64)> {
    let queue = instance.queue();
    let numbers = queue.iter().filter_map(|name| {
        let (part, number) = name.strip_prefix(kind)?.strip_prefix('/')?.split_once('/')?;
        Some((part.parse().expect("a part"), number.parse().expect("a number")))
    });
    numbers.collect()
}

/// What qmail-start logs when it cannot start.
fn refused_start(instance: &Instance) -> String {
    let mut command = instance.command(&instance.path("bin/qmail-start"));
    let output = command.stdin(Stdio::null()).output().expect("qmail-start");
    assert_eq!(output.status.code(), Some(111));
    String::from_utf8(output.stdout).expect("an ASCII log")
}

#[test]
fn the_queue_is_split_as_conf_split_says_and_a_full_one_cannot_be_split_otherwise() {
    let mut instance = Instance::new();
    let maildir = instance.mailbox("joe");
    instance.write("control/concurrencyremote", "0\n");
    instance.write("control/conf-split", "29\n");
    // Nothing is lost before the directories are there.
    let statuses: Vec<i32> =
        (0..40).map(|_| instance.enqueue("s@src.example", &[&format!("joe@{HOST}")], MESSAGE)).collect();
    assert!(statuses.iter().all(|status| [0, 64].contains(status)), "{statuses:?}");
    let accepted = statuses.iter().filter(|status| **status == 0).count();
    instance.install();
    assert!(instance.path("queue/mess/28").is_dir() && instance.path("queue/remote/28").is_dir());
    assert!(!instance.path("queue/mess/29").exists());
    let check = instance.setup("check", &[]);
    assert_eq!((check.code, check.out_text().as_str()), (0, ""));
    instance.start();
    for _ in 0..4 {
        let recipients = [format!("joe@{HOST}"), "a@far.example".to_owned()];
        let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
        assert_eq!(instance.enqueue("s@src.example", &recipients, MESSAGE), 0);
    }
    wait_until("the local ones are delivered", || messages(&maildir).len() == accepted + 4);
    // A local message that is done loses its mess file last.
    wait_until("only the remote ones wait", || {
        let queue = instance.queue();
        let with = |kinds: &[&str]| {
            queue.iter().filter(|name| kinds.iter().any(|kind| name.starts_with(kind))).count()
        };
        with(&["mess"]) == 4 && with(&["mess", "info", "remote"]) == queue.len()
    });
    for kind in ["mess", "info", "remote"] {
        let placed = placed(&instance, kind);
        assert_eq!(placed.len(), 4);
        assert!(placed.iter().all(|(part, number)| *part == number % 29), "{placed:?}");
    }
    let list = instance.call("qmail-qread").run().out_text();
    assert_eq!(list.matches("\tremote\ta@far.example\n").count(), 4, "{list}");
    instance.stop();

    // With another number these messages would never be looked at again, unless by chance it puts all of them
    // into the same parts.
    let moves = |other: &u64| placed(&instance, "mess").iter().any(|(part, number)| *part != number % other);
    let other = (19..29).rev().find(moves).expect("a split that is another one");
    instance.write("control/conf-split", format!("{other}\n"));
    let log = refused_start(&instance);
    assert!(log.starts_with("alert: cannot start: queue/") && log.contains("conf-split"), "{log}");
    let outcome = instance.setup("install", &[]);
    assert_eq!(outcome.code, 111);
    assert!(outcome.err_text().contains("is not where control/conf-split has it"), "{}", outcome.err_text());
    instance.write("control/conf-split", "none\n");
    let log = refused_start(&instance);
    assert!(log.starts_with("alert: cannot start: unable to read controls: control/conf-split"), "{log}");
    assert_eq!(instance.enqueue("s@src.example", &["a@b"], MESSAGE), 55);
    instance.write("control/conf-split", "29\n");
    instance.start();
    instance.stop();
    assert_eq!(placed(&instance, "mess").len(), 4);
}

#[test]
fn the_first_byte_of_conf_break_separates_a_user_from_an_extension() {
    let instance = Instance::new();
    let getpw = |local: &str| {
        let outcome = instance.call("qmail-getpw").arg(local).run();
        let fields: Vec<String> = outcome.out_text().split('\0').map(str::to_owned).collect();
        (outcome.code, fields.get(4).cloned(), fields.get(5).cloned())
    };
    let answer = |dash: &str, ext: &str| (0, Some(dash.to_owned()), Some(ext.to_owned()));
    assert_eq!(getpw("alias-Foo-x"), answer("-", "Foo-x"));
    assert_eq!(getpw("alias+Foo"), answer("-", "alias+Foo"));
    instance.write("control/conf-break", "+ is our sign\n");
    assert_eq!(getpw("alias+Foo-x+y"), answer("-", "Foo-x+y"));
    assert_eq!(getpw("alias-Foo"), answer("-", "alias-Foo"));
    assert_eq!(getpw("alias"), answer("", ""));
    instance.write("control/conf-break", "");
    assert_eq!(getpw("alias-Foo"), answer("-", "Foo"));
    fs::remove_file(instance.path("control/conf-break")).expect("conf-break");
    fs::create_dir(instance.path("control/conf-break")).expect("a directory in its place");
    assert_eq!(getpw("alias-Foo").0, 118);
}

/// FAQ 8.2
#[test]
fn every_message_goes_to_the_recipients_of_queueextra_too() {
    let mut instance = Instance::new();
    let (joe, log) = (instance.mailbox("joe"), instance.mailbox("log"));
    instance.write("control/queueextra", "# a copy of everything\nlog\n");
    assert_eq!(instance.enqueue("s@src.example", &[&format!("joe@{HOST}")], MESSAGE), 0);
    let name = instance.queue().into_iter().find(|name| name.starts_with("todo/")).expect("a message");
    let todo = fs::read(instance.path("queue").join(name)).expect("its envelope");
    let text = String::from_utf8(todo).expect("an ASCII envelope");
    assert!(text.ends_with(&format!("\0Fs@src.example\0Tlog\0Tjoe@{HOST}\0")), "{text:?}");
    // What comes in small pieces, too: the sender's end may stand anywhere.
    let mut command = instance.command("/bin/sh".as_ref());
    let script = format!(
        "{{ printf 'Fs@s'; sleep 0.1; printf 'rc.example\\0T'; sleep 0.1; printf 'joe@{HOST}\\0\\0'; }} | \
         {} 1<&0 0</dev/null",
        instance.path("bin/qmail-queue").display()
    );
    assert!(command.args(["-c", &script]).status().expect("a shell").success());
    instance.start();
    instance.wait_until_delivered();
    instance.stop();
    assert_eq!((messages(&joe).len(), messages(&log).len()), (2, 2));
    assert!(messages(&log).iter().all(|text| text.contains(&format!("\nDelivered-To: log@{HOST}\n"))));
    instance.write("control/queueextra", "a\tb\n");
    assert_eq!(instance.enqueue("s@src.example", &["joe"], MESSAGE), 55);
    assert!(instance.queue().is_empty());
}
