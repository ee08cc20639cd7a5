//! `qmail-queuectl`: an administrator changes the queue while qmail-send delivers from it.

use harness::{Call, HOST, Instance, installed, is_root, messages, owner_uid, skipped, wait_until};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::time::Duration;

/// Messages of the large test, in five equal parts.
const MANY: usize = 10_000;
/// What happens to each part: its sender's and its recipients' local part.
const PARTS: [&str; 5] = ["keep", "hold", "remove", "expire", "retry"];

/// Puts a preprocessed message with one local recipient into the queue of an installation in which nothing runs.
fn place(instance: &Instance, sender: &str, recipient: &str, text: &str) -> u64 {
    let pid = instance.path("queue/pid/new");
    fs::write(&pid, text).expect("a message");
    let number = fs::metadata(&pid).expect("the message").ino();
    let path = |kind: &str| instance.path(&format!("queue/{kind}/{}/{number}", number % 23));
    fs::rename(&pid, path("mess")).expect("the message's name");
    fs::write(path("info"), format!("F{sender}\0")).expect("info");
    fs::write(path("local"), format!("T{recipient}\0")).expect("local");
    for kind in ["mess", "info", "local"] {
        chown(path(kind), Some(owner_uid()), Some(owner_uid())).expect("an owner");
    }
    number
}

fn queuectl(instance: &Instance, words: &[&str]) -> (i32, String) {
    let outcome = instance.call("qmail-queuectl").args(words).run();
    (outcome.code, outcome.out_text() + &outcome.err_text())
}

/// A message of which deliveries fail for now until `file` is there.
fn waiting_message(instance: &mut Instance, sender: &str) -> u64 {
    let maildir = instance.mailbox("later");
    let flag = instance.path("flag");
    instance.alias("later", &format!("|test -f {} || exit 111\n{}/\n", flag.display(), maildir.display()));
    let number = place(instance, sender, &format!("later@{HOST}"), "Subject: later\n\n");
    if instance.processes().is_empty() {
        instance.start();
    }
    instance.wait_for_log("deferral");
    number
}

#[test]
fn a_held_message_waits_over_a_restart_and_goes_on_when_released() {
    let mut instance = Instance::new();
    let number = waiting_message(&mut instance, "a@src.example").to_string();
    assert_eq!(queuectl(&instance, &["hold", &number]), (0, format!("{number}: held\n")));
    assert_eq!(
        queuectl(&instance, &["retry", &number]),
        (100, format!("{number}: not changed: it is held; release it first\n"))
    );
    instance.write("flag", "");
    instance.stop();
    instance.clear_log();
    instance.start();
    let listed = queuectl(&instance, &["list", "-H"]).1;
    assert!(listed.contains(&format!("#{number} ")) && listed.contains(" held\n"), "{listed}");
    instance.signal(unix::signal::Signal::SIGALRM);
    // An order is carried out after the signal was: had it started the message, the log would say so.
    assert_eq!(queuectl(&instance, &["hold", &number]).0, 0);
    assert!(!instance.log().contains("starting delivery"), "{}", instance.log());
    assert_eq!(queuectl(&instance, &["release", &number]), (0, format!("{number}: released\n")));
    instance.wait_until_delivered();
    assert_eq!(messages(&instance.path("alias/later")).len(), 1);
}

#[test]
fn a_message_that_is_due_later_is_tried_now() {
    let mut instance = Instance::new();
    let number = waiting_message(&mut instance, "a@src.example").to_string();
    instance.write("flag", "");
    assert_eq!(queuectl(&instance, &["retry", "-h", HOST]), (0, format!("{number}: due now\n")));
    instance.wait_until_delivered();
    assert_eq!(messages(&instance.path("alias/later")).len(), 1);
}

#[test]
fn an_expired_message_bounces_and_a_removed_one_does_not() {
    let mut instance = Instance::new();
    let bounces = instance.mailbox("joe");
    let number = waiting_message(&mut instance, &format!("joe@{HOST}")).to_string();
    let expected = format!("{number}: expired, the sender will be told\n");
    assert_eq!(queuectl(&instance, &["expire", "-s", &format!("JOE@{HOST}")]), (0, expected));
    instance.wait_until_delivered();
    let [bounce] = messages(&bounces).try_into().expect("one bounce");
    let reason = "The administrator of this host has ended the attempts to deliver this message.";
    assert!(bounce.contains(&format!("<later@{HOST}>:\n{reason}")), "{bounce}");

    instance.clear_log();
    let number = waiting_again(&mut instance).to_string();
    assert_eq!(queuectl(&instance, &["remove", &number]), (0, format!("{number}: removed\n")));
    instance.wait_until_delivered();
    assert_eq!(messages(&bounces).len(), 1);
    assert_eq!(messages(&instance.path("alias/later")).len(), 0);
}

/// The same message queued while qmail-send runs.
fn waiting_again(instance: &mut Instance) -> u64 {
    let before = instance.queue();
    assert_eq!(instance.enqueue(&format!("joe@{HOST}"), &[&format!("later@{HOST}")], "Subject: two\n\n"), 0);
    instance.wait_for_log("deferral");
    let after = instance.queue();
    let info = after.difference(&before).find_map(|name| name.strip_prefix("info/")).expect("info/R/N");
    info.rsplit_once('/').and_then(|(_, number)| number.parse().ok()).expect("a number")
}

#[test]
fn what_cannot_be_done_is_said_with_its_reason() {
    let mut instance = Instance::new();
    let (code, text) = queuectl(&instance, &["hold", "1"]);
    assert_eq!(code, 111, "{text}");
    assert!(text.contains("unable to reach qmail-send: it does not run"), "{text}");
    instance.start();
    assert_eq!(queuectl(&instance, &["hold", "1"]), (100, "1: not in the queue\n".into()));
    assert_eq!(queuectl(&instance, &["hold", "-a"]), (0, String::new()));
    for words in [&["hold"][..], &[], &["burn", "1"], &["list", "-o", "x"], &["list", "-z"], &["list", "x"]] {
        let (code, text) = queuectl(&instance, words);
        assert_eq!(code, 100, "{words:?}");
        assert!(text.contains("qmail-queuectl: usage: "), "{text}");
    }
}

#[test]
fn the_manager_obeys_nobody_but_root_and_itself_though_the_socket_be_open_to_all() {
    let mut instance = Instance::new();
    instance.start();
    let Some(perl) = installed("perl").filter(|_| is_root()) else {
        return skipped("another user's connection to qmail-send: needs root and perl");
    };
    for (name, mode) in [("queue", 0o755), ("queue/queuectl", 0o755), ("queue/queuectl/socket", 0o777)] {
        fs::set_permissions(instance.path(name), fs::Permissions::from_mode(mode)).expect("a mode");
    }
    // Whether it is hung up on before or after it has written is all the same.
    let script = "use IO::Socket::UNIX; $SIG{PIPE} = 'IGNORE'; \
                  my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die $!; \
                  $s->autoflush; print $s \"hold 1\\n\"; my $l = <$s>; print defined $l ? $l : 'nothing'";
    let answer = |uid: u32| {
        let mut call = Call::path(&perl).args(["-e", script]).arg(instance.path("queue/queuectl/socket"));
        call.command().uid(uid).gid(uid);
        let outcome = call.run();
        assert_eq!(outcome.code, 0, "{}", outcome.err_text());
        outcome.out_text()
    };
    assert_eq!(answer(12_345), "nothing");
    assert_eq!([answer(0), answer(owner_uid())], ["gone\n", "gone\n"]);
}

#[test]
fn who_sends_something_else_is_hung_up_on_and_mail_goes_on() {
    use std::io::{Read, Write};
    let mut instance = Instance::new();
    let maildir = instance.mailbox("joe");
    instance.start();
    for noise in [&b"hold x\n"[..], &[b'a'; 4096], b"\n", b"hold 1\nburn 2\n"] {
        let mut stream = std::os::unix::net::UnixStream::connect(instance.path("queue/queuectl/socket"))
            .expect("a connection");
        stream.write_all(noise).expect("room for it");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
        let mut answers = Vec::new();
        // What was understood before is answered.
        let ended = stream.read_to_end(&mut answers);
        assert!(
            ended.is_ok() || ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
        );
        assert!(answers.is_empty() || answers == b"gone\n", "{}", answers.escape_ascii());
    }
    assert_eq!(instance.enqueue("a@src.example", &[&format!("joe@{HOST}")], "Subject: x\n\n"), 0);
    instance.wait_until_delivered();
    assert_eq!(messages(&maildir).len(), 1);
}

#[test]
fn the_queue_is_listed_for_people_and_for_programs() {
    let mut instance = Instance::new();
    let number = waiting_message(&mut instance, "a@src.example");
    let json = format!(
        "{{\"message\":{number},\"birth\":BIRTH,\"size\":16,\"sender\":\"a@src.example\",\"bouncing\":false,\
         \"held\":false,\"recipients\":[{{\"channel\":\"local\",\"address\":\"later@{HOST}\",\"done\":false}}]}}\n"
    );
    let birth =
        fs::metadata(instance.path(&format!("queue/info/{}/{number}", number % 23))).expect("info").mtime();
    let json = json.replace("BIRTH", &birth.to_string());
    assert_eq!(queuectl(&instance, &["list", "--json"]), (0, json.clone()));
    assert_eq!(instance.call("qmail-qread").arg("--json").run().out_text(), json);
    let text = instance.call("qmail-qread").run().out_text();
    assert_eq!(queuectl(&instance, &["list"]), (0, text.clone()));
    assert!(
        text.ends_with(&format!(" GMT  #{number}  16  <a@src.example> \n\tlocal\tlater@{HOST}\n")),
        "{text}"
    );
    for (words, count) in [
        (&["list", "-y", "1h"][..], 1),
        (&["list", "-o", "1h"], 0),
        (&["list", "-r", "@mail.example.org"], 1),
        (&["list", "-h", "far.example"], 0),
        (&["list", "-s", ""], 0),
        (&["list", "-s", "@src.example", "-H"], 0),
    ] {
        assert_eq!(queuectl(&instance, words).1.matches('#').count(), count, "{words:?}");
    }
}

/// What the log says of one message, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Starting,
    Success,
    Ordered(&'static str),
    End,
}

fn events(log: &str) -> BTreeMap<u64, Vec<Event>> {
    let mut deliveries: BTreeMap<&str, u64> = BTreeMap::new();
    let mut events: BTreeMap<u64, Vec<Event>> = BTreeMap::new();
    for line in log.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let (message, event) = match words.as_slice() {
            ["starting", "delivery", delivery, "msg", message, ..] => {
                let message = message.parse().expect("a number");
                deliveries.insert(delivery.trim_end_matches(':'), message);
                (message, Event::Starting)
            }
            ["delivery", delivery, "success:", ..] => {
                (deliveries[delivery.trim_end_matches(':')], Event::Success)
            }
            ["queuectl:", word, "msg", message] => {
                let word =
                    ["hold", "release", "retry", "expire", "remove"].into_iter().find(|known| known == word);
                (message.parse().expect("a number"), Event::Ordered(word.expect("an order")))
            }
            ["end", "msg", message] => (message.parse().expect("a number"), Event::End),
            _ => continue,
        };
        events.entry(message).or_default().push(event);
    }
    events
}

/// No delivery begins after the order, or before `until` if that comes.
fn assert_none_starts(events: &[Event], order: &'static str, until: Option<&'static str>) {
    let mut stopped = false;
    for event in events {
        match event {
            Event::Ordered(word) if *word == order => stopped = true,
            Event::Ordered(word) if Some(*word) == until => stopped = false,
            Event::Starting => assert!(!stopped, "started after {order}: {events:?}"),
            _ => {}
        }
    }
}

/// How often each recipient has the message.
fn copies(maildir: &Path) -> BTreeMap<String, usize> {
    let mut copies = BTreeMap::new();
    for message in messages(maildir) {
        let to = message
            .lines()
            .find_map(|line| line.strip_prefix("Delivered-To: "))
            .expect("Delivered-To")
            .to_owned();
        *copies.entry(to).or_default() += 1;
    }
    copies
}

fn wait_long(instance: &Instance, what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!(
        "waited in vain: {what}\n{}",
        instance.log().lines().rev().take(50).collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn ten_thousand_messages_are_held_removed_expired_and_retried_while_they_are_delivered() {
    let mut instance = Instance::in_memory();
    instance.write("control/concurrencylocal", "20\n");
    let maildirs = PARTS.map(|part| {
        let maildir = instance.mailbox(part);
        instance.alias(&format!("{part}-default"), &format!("{}/\n", maildir.display()));
        maildir
    });
    let [keep, hold, remove, expire, retry] = &maildirs;
    // Deliveries that would be over before all orders are given could not meet them.
    instance.alias("keep-default", &format!("|sleep 0.3\n{}/\n", keep.display()));
    let bounces = instance.mailbox("bounces");
    instance.alias("expire", &format!("{}/\n", bounces.display()));
    instance.alias("remove", &format!("{}/\n", bounces.display()));
    let flag = instance.path("flag");
    let retry_instructions = format!("|test -f {} || exit 111\n{}/\n", flag.display(), retry.display());
    instance.alias("retry-default", &retry_instructions);
    let mut parts: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for count in 0..MANY {
        let part = PARTS[count % PARTS.len()];
        let recipient = format!("{part}-{count}@{HOST}");
        let number =
            place(&instance, &format!("{part}@{HOST}"), &recipient, &format!("Subject: {count}\n\n"));
        parts.entry(part).or_default().insert(number);
    }
    instance.start();
    instance.wait_for_log("success");
    let order = |verb: &str, part: &str| {
        let (code, text) = queuectl(&instance, &[verb, "-s", &format!("{part}@{HOST}")]);
        assert_eq!(code, 0, "{text}");
        let orders = text.lines().filter(|line| !line.ends_with("not in the queue")).count();
        assert!(orders > MANY / 20, "{verb} came after the deliveries: {orders}");
    };
    order("hold", "hold");
    order("remove", "remove");
    order("expire", "expire");
    order("retry", "retry");
    instance.write("flag", "");
    order("retry", "retry");
    // What was not held is finished; what was, waits.
    let waiting =
        |instance: &Instance| instance.queue().iter().filter(|name| name.starts_with("info/")).count();
    let held = queuectl(&instance, &["list", "-H"]).1.matches(" held\n").count();
    wait_long(&instance, "all but the held messages are finished", || {
        queuectl(&instance, &["retry", "-s", &format!("retry@{HOST}")]);
        waiting(&instance) == held
    });
    assert_eq!(queuectl(&instance, &["release", "-H"]).0, 0);
    wait_long(&instance, "the held messages are finished", || waiting(&instance) == 0);
    instance.wait_until_delivered();

    let once = |maildir: &Path, part: &str| {
        let copies = copies(maildir);
        assert!(copies.values().all(|count| *count == 1), "{part}: delivered twice");
        copies.len()
    };
    let full = MANY / PARTS.len();
    assert_eq!([once(keep, "keep"), once(hold, "hold"), once(retry, "retry")], [full; 3]);
    let log = instance.log();
    let events = events(&log);
    let of_part =
        |part: &str| parts[part].iter().map(|number| events.get(number).map_or(&[][..], Vec::as_slice));
    of_part("hold").for_each(|events| assert_none_starts(events, "hold", Some("release")));
    of_part("remove").for_each(|events| assert_none_starts(events, "remove", None));
    of_part("expire").for_each(|events| assert_none_starts(events, "expire", None));
    let delivered = |part: &str| of_part(part).filter(|events| events.contains(&Event::Success)).count();
    let ordered = |part: &str, word: &'static str| {
        of_part(part)
            .filter(|events| events.contains(&Event::Ordered(word)) && !events.contains(&Event::Success))
            .count()
    };
    assert_eq!(once(remove, "remove"), delivered("remove"));
    assert_eq!(delivered("remove") + ordered("remove", "remove"), full);
    assert_eq!(once(expire, "expire"), delivered("expire"));
    // Each message that expired was bounced to its sender, once, and none that was removed.
    let bounced: Vec<String> = messages(&bounces)
        .into_iter()
        .map(|bounce| {
            bounce.lines().find_map(|line| line.strip_prefix("<expire-")).expect("its recipient").to_owned()
        })
        .collect();
    assert_eq!(bounced.iter().collect::<BTreeSet<_>>().len(), bounced.len(), "bounced twice");
    assert_eq!(bounced.len(), ordered("expire", "expire"));
    assert_eq!(bounced.len() + delivered("expire"), full);
    assert!(log.lines().filter(|line| line.starts_with("end msg ")).count() >= MANY);
    wait_until("nothing is left to do", || instance.queue().is_empty());
}
