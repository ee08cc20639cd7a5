//! What a crash left in the queue, in each of the states that a message can be in, and the next start.

use harness::messages;
use harness::{HOST, Instance, owner_uid, set_age, wait_until};
use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::path::PathBuf;

/// A message in the queue of an installation in which nothing runs.
struct Queued<'a> {
    instance: &'a Instance,
    number: u64,
}

impl<'a> Queued<'a> {
    /// Queues a message with that subject: it has mess, intd and todo (S4).
    fn new(instance: &'a Instance, sender: &str, recipients: &[&str], subject: &str) -> Queued<'a> {
        let before = instance.queue();
        let text = format!("Subject: {subject}\n\nbody\n");
        assert_eq!(instance.enqueue(sender, recipients, text), 0);
        let after = instance.queue();
        let todo = after.difference(&before).find_map(|name| name.strip_prefix("todo/")).expect("todo/N");
        Queued { instance, number: todo.parse().expect("a message number") }
    }

    fn path(&self, kind: &str) -> PathBuf {
        let number = self.number;
        let part = if ["intd", "todo", "bounce"].contains(&kind) {
            String::new()
        } else {
            format!("{}/", number % 23)
        };
        self.instance.path(&format!("queue/{kind}/{part}{number}"))
    }

    fn without(self, kinds: &[&str]) -> Queued<'a> {
        for kind in kinds {
            fs::remove_file(self.path(kind)).expect("a file of the message");
        }
        self
    }

    fn with(self, kind: &str, text: &str) -> Queued<'a> {
        let path = self.path(kind);
        fs::write(&path, text).expect("a file of the message");
        chown(&path, Some(owner_uid()), None).expect("its owner");
        self
    }

    /// As if nobody had touched the message for so many hours.
    fn idle_for(self, hours: u64) -> Queued<'a> {
        set_age(&self.path("mess"), hours).expect("an age");
        self
    }
}

/// B4, R8: what a power cut can leave; a bounce record that is torn is told nevertheless.
#[test]
fn every_accepted_message_is_found_by_the_next_start_and_no_other() {
    let mut instance = Instance::new();
    let (joe, wrong) = (instance.mailbox("joe"), instance.mailbox("wrong"));
    let (to_joe, to_wrong) = (format!("joe@{HOST}"), format!("wrong@{HOST}"));
    let queued = |recipient: &str, subject| Queued::new(&instance, &to_joe, &[recipient], subject);
    // Half a message, of which nobody was told that it is accepted.
    let young_s2 = queued(&to_wrong, "S2").without(&["intd", "todo"]);
    let young_s3 = queued(&to_wrong, "S3").without(&["todo"]).idle_for(35);
    queued(&to_wrong, "old S2").without(&["intd", "todo"]).idle_for(37);
    queued(&to_wrong, "old S3").without(&["todo"]).idle_for(37);
    // Accepted; the preprocessing was broken off at its beginning, in its middle and at its end.
    queued(&to_joe, "S4");
    queued(&to_joe, "S4 without intd").without(&["intd"]);
    let stale = format!("T{to_wrong}\0");
    queued(&to_joe, "S4 with half of info").with("info", "Fhal");
    queued(&to_joe, "S4 with all").with("info", "Fa@b\0").with("local", &stale).with("remote", &stale);
    queued(&to_joe, "S4 with an old bounce").with("bounce", "<old@x>:\nof another message\n\n");
    // Preprocessed.
    let bare =
        |subject| queued(&to_joe, subject).without(&["intd", "todo"]).with("info", &format!("F{to_joe}\0"));
    let done_and_left = format!("D{to_wrong}\0T{to_joe}\0");
    bare("S5").with("local", &done_and_left);
    bare("S5 with half a recipient").with("local", &format!("T{to_joe}\0T{to_wrong}"));
    bare("S5 all done").with("local", &format!("D{to_wrong}\0"));
    bare("S5 at its end");
    let bounced = bare("S5 with a bounce").with("bounce", "<gone@x>:\nno such user\n\n<torn@x>:\nhal");
    let bounced = bounced.number;
    let kept = [young_s2.path("mess"), young_s3.path("mess"), young_s3.path("intd")];

    instance.start();
    let strays = |instance: &Instance| instance.queue().len() == kept.len();
    wait_until("all but two half messages are gone", || strays(&instance));
    assert!(kept.iter().all(|path| path.exists()));
    assert_eq!(messages(&wrong), Vec::<String>::new());
    let texts = messages(&joe);
    for subject in [
        "S4",
        "S4 without intd",
        "S4 with half of info",
        "S4 with all",
        "S4 with an old bounce",
        "S5",
        "S5 with half a recipient",
    ] {
        let found = texts.iter().filter(|text| text.contains(&format!("\nSubject: {subject}\n"))).count();
        assert_eq!(found, 1, "{subject}");
    }
    let bounce = texts.iter().find(|text| text.contains("Subject: failure notice")).expect("a bounce");
    assert!(bounce.contains("<gone@x>:\nno such user\n\n<torn@x>:\nhal"), "{bounce}");
    assert_eq!(texts.len(), 8);
    assert!(instance.log().contains(&format!("bounce msg {bounced} qp ")));
    instance.stop();
}

/// B4: when a recipient is marked done, the record of his failure and its name are on disk.
#[test]
fn b4_a_bounce_record_is_on_disk_before_its_recipient_is_done() {
    let instance = Instance::new();
    let Some(strace) = harness::installed("strace") else {
        return harness::skipped("strace is not installed");
    };
    let trace = instance.beside("trace");
    File::create(&trace).expect("a file for the trace");
    chown(&trace, Some(owner_uid()), None).expect("its owner");
    let mut command = instance.command(&strace);
    command.args(["-f", "-y", "-e", "trace=fsync,fdatasync,write,pwrite64", "-o"]).arg(&trace);
    command.arg(instance.path("bin/qmail-start")).arg("./Maildir/");
    let log = File::create(instance.beside("send.log")).expect("a log");
    command.stdin(std::process::Stdio::null()).stdout(log).stderr(std::process::Stdio::null());
    let mut running = harness::Running::start(&mut command);
    let said =
        |part: &str| fs::read_to_string(instance.beside("send.log")).is_ok_and(|log| log.contains(part));
    if !harness::settles(|| said("status: ") || !running.is_alive()) || !running.is_alive() {
        return harness::skipped("strace cannot trace here");
    }
    assert_eq!(instance.enqueue(&format!("joe@{HOST}"), &[&format!("gone@{HOST}")], "S: x\n\nx\n"), 0);
    wait_until("the bounce", || said("bounce msg "));
    instance.signal(unix::signal::Signal::SIGTERM);
    assert_eq!(running.wait(), 0);
    let trace = fs::read_to_string(&trace).expect("the trace");
    let place = |what: &str, is_it: &dyn Fn(&str) -> bool| {
        trace.lines().position(is_it).unwrap_or_else(|| panic!("no {what}:\n{trace}"))
    };
    let record = place("record", &|line| line.contains(" write(") && line.contains("/queue/bounce/"));
    let synced = place("sync of it", &|line| line.contains("sync(") && line.contains("/queue/bounce/"));
    let named = place("sync of its name", &|line| line.contains("sync(") && line.contains("/queue/bounce>"));
    let done = place("mark", &|line| {
        (line.contains(" write(") || line.contains(" pwrite64("))
            && line.contains("/queue/local/")
            && line.contains(", \"D\", 1")
    });
    assert!(record < synced && synced < done && named < done, "{record} {synced} {named} {done}\n{trace}");
}

/// S5, L8: another qmail-queue might have let such addresses in; each program that uses them makes them harmless.
#[test]
fn s5_control_bytes_in_the_queue_reach_no_log_header_or_server() {
    let mut instance = Instance::new();
    let (rest, joe) = (instance.mailbox("rest"), format!("joe@{HOST}"));
    instance.alias("default", "./rest/\n");
    // Nobody answers there: what must not be sent is refused before anybody is asked.
    instance.write("control/smtproutes", ":127.0.0.1:1\n");
    let recipients = format!("Tx\nX-Forged: y@{HOST}\0Ta\r\nDATA@far.example\0");
    let todo = format!("u1\0p2\0Fs\nend msg 1@{HOST}\0{recipients}");
    Queued::new(&instance, "", &[&joe], "odd").with("todo", &todo);
    instance.start();
    let postmaster = instance.path("alias/Maildir");
    // Nobody can be told under such a sender's address, so the postmaster is.
    wait_until("the mail and the bounce", || messages(&rest).len() == 1 && messages(&postmaster).len() == 1);
    instance.wait_until_delivered();
    instance.stop();
    for text in messages(&rest).into_iter().chain(messages(&postmaster)) {
        let header = text.split("\n\n").next().expect("a header");
        assert!(
            !header.lines().any(|line| line.starts_with("X-Forged") || line.starts_with("end msg")),
            "{text}"
        );
        assert!(!header.contains('\r'), "{text}");
    }
    let log = instance.log();
    assert!(log.contains("from <s/end_msg_1@"), "{log}");
    assert!(log.contains(": failure: "), "{log}");
    assert!(log.bytes().all(|byte| byte == b'\n' || (0x20..0x7f).contains(&byte)));
    assert_eq!(log.matches("\nend msg ").count(), log.matches("\nnew msg ").count(), "{log}");
}

#[test]
fn trouble_with_one_message_does_not_hold_up_the_others() {
    let mut instance = Instance::new();
    let joe = instance.mailbox("joe");
    let to_joe = format!("joe@{HOST}");
    let queued = |subject| Queued::new(&instance, &to_joe, &[&to_joe], subject);
    // It goes on existing elsewhere, or the next message would have its number.
    let missing = queued("no message").path("mess");
    fs::rename(missing, instance.path("away")).expect("a message that is away");
    queued("odd records").with("todo", "u1\0p2\0Fs@x\0Xwhat\0");
    fs::create_dir(queued("a directory in the way").path("info")).expect("a directory");
    instance.write("queue/todo/not-a-number", "");
    instance.write("queue/mess/0/not-a-number", "");
    instance.write("queue/info/0/not-a-number", "");
    queued("fine");
    instance.start();
    wait_until("the sound message", || messages(&joe).len() == 1);
    instance.wait_for_log("warning: unable to stat mess/");
    instance.wait_for_log("warning: unknown record type in todo/");
    instance.wait_for_log("warning: unable to unlink info/");
    instance.stop();
}

/// A damaged record may have been a recipient: the others get the message, and it stays in the queue.
#[test]
fn a_record_that_is_none_keeps_the_message() {
    let mut instance = Instance::new();
    let joe = instance.mailbox("joe");
    let to_joe = format!("joe@{HOST}");
    let damaged = Queued::new(&instance, &to_joe, &[&to_joe], "damaged")
        .without(&["intd", "todo"])
        .with("info", &format!("F{to_joe}\0"))
        .with("local", &format!("Xwho@{HOST}\0T{to_joe}\0"));
    let local = damaged.path("local");
    instance.start();
    wait_until("the sound recipient", || messages(&joe).len() == 1);
    let name = local.strip_prefix(instance.path("queue")).expect("a file of the queue").display().to_string();
    instance.wait_for_log(&format!("warning: unknown record type in {name}!"));
    instance.wait_for_log("delivery 1: success:");
    instance.stop();
    let records = fs::read_to_string(&local).expect("the damaged file");
    assert_eq!(records, format!("Xwho@{HOST}\0D{to_joe}\0"));
    assert!(!instance.log().contains("end msg"));
}

#[test]
fn qmail_qread_says_which_message_has_lost_a_part() {
    let instance = Instance::new();
    let sound = Queued::new(&instance, "s@src.example", &["r@far.example"], "sound")
        .without(&["intd", "todo"])
        .with("info", "Fs@src.example\0")
        .with("remote", "Tr@far.example\0");
    let lost = Queued::new(&instance, "s@src.example", &["r@far.example"], "lost")
        .without(&["intd", "todo", "mess"])
        .with("info", "Fs@src.example\0");
    let outcome = instance.call("qmail-qread").run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    let text = outcome.out_text();
    let trouble = format!("warning: trouble with #{}: file does not exist\n", lost.number);
    assert_eq!(text.matches(&trouble).count(), 1, "{text}");
    let rest = text.replace(&trouble, "");
    let (start, end) = (format!("  #{}  ", sound.number), "  <s@src.example> \n\tremote\tr@far.example\n");
    assert!(rest.contains(&start) && rest.ends_with(end), "{text}");
    assert_eq!(rest.lines().count(), 2, "{text}");
    assert_eq!(instance.call("qmail-qread").arg("--json").run().out_text().lines().count(), 1);
}
