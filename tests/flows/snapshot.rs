//! `qmail-queuectl snapshot` and `restore`: a queue is copied while it works, and its messages go on elsewhere.

use harness::{HOST, Instance, messages, owner_uid, settles, skipped, wait_until};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, FileTimes};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Messages of the large test.
const MANY: usize = 10_000;
/// So many are delivered before the snapshot is taken, and so many again before the queue is lost.
const BEFORE: usize = 500;

/// A message that is put into a queue in which nothing works.
struct Placed<'a> {
    instance: &'a Instance,
    number: u64,
}

impl<'a> Placed<'a> {
    fn new(instance: &'a Instance, text: &str) -> Placed<'a> {
        let pid = instance.path("queue/pid/new");
        fs::write(&pid, text).expect("a message");
        let number = fs::metadata(&pid).expect("the message").ino();
        let placed = Placed { instance, number };
        fs::rename(&pid, placed.path("mess")).expect("the message's name");
        chown(placed.path("mess"), Some(owner_uid()), Some(owner_uid())).expect("an owner");
        placed
    }

    fn path(&self, kind: &str) -> PathBuf {
        path_in(self.instance, kind, self.number)
    }

    fn with(self, kind: &str, contents: &str) -> Placed<'a> {
        let path = self.path(kind);
        fs::write(&path, contents).expect("a file of the message");
        chown(&path, Some(owner_uid()), Some(owner_uid())).expect("an owner");
        self
    }
}

fn path_in(instance: &Instance, kind: &str, number: u64) -> PathBuf {
    let part = if ["todo", "bounce"].contains(&kind) { String::new() } else { format!("{}/", number % 23) };
    instance.path(&format!("queue/{kind}/{part}{number}"))
}

/// A place for a snapshot that the owner of installations may write to.
fn place_for(instance: &Instance, name: &str) -> PathBuf {
    let place = instance.beside("backups");
    if !place.is_dir() {
        fs::create_dir(&place).expect("a place for snapshots");
        chown(&place, Some(owner_uid()), Some(owner_uid())).expect("its owner");
    }
    place.join(name)
}

/// A call of qmail-queuectl with a directory; its status, and what it printed.
fn queuectl(instance: &Instance, words: &[&str], directory: &Path, logs: &[PathBuf]) -> (i32, String) {
    let outcome = instance.call("qmail-queuectl").args(words).arg(directory).args(logs).run();
    (outcome.code, outcome.out_text() + &outcome.err_text())
}

fn snapshot(instance: &Instance, directory: &Path) -> String {
    let (code, text) = queuectl(instance, &["snapshot"], directory, &[]);
    assert_eq!(code, 0, "{text}");
    text
}

/// Restores, and gives the report, by the messages' numbers in the snapshot.
fn restore(instance: &Instance, directory: &Path, logs: &[PathBuf]) -> BTreeMap<u64, Value> {
    let outcome = instance.call("qmail-queuectl").args(["restore", "--json"]).arg(directory).args(logs).run();
    assert_eq!(outcome.code, 0, "{}", outcome.err_text());
    let lines = outcome.out_text();
    let objects = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("an object"));
    objects.map(|object| (object["message"].as_u64().expect("a number"), object)).collect()
}

fn outcomes(report: &BTreeMap<u64, Value>) -> BTreeMap<&str, usize> {
    let mut outcomes = BTreeMap::new();
    for object in report.values() {
        *outcomes.entry(object["outcome"].as_str().expect("an outcome")).or_default() += 1;
    }
    outcomes
}

/// All addresses that may get a second copy.
fn may_repeat(report: &BTreeMap<u64, Value>) -> BTreeSet<String> {
    let lists = report.values().map(|object| object["may_repeat"].as_array().expect("a list"));
    lists.flatten().map(|one| one["address"].as_str().expect("an address").to_owned()).collect()
}

/// How often each address has the message that was for it.
fn copies(maildir: &Path) -> BTreeMap<String, usize> {
    let mut copies = BTreeMap::new();
    for message in messages(maildir) {
        let to = message.lines().find_map(|line| line.strip_prefix("Delivered-To: ")).expect("Delivered-To");
        *copies.entry(to.to_owned()).or_default() += 1;
    }
    copies
}

fn delivered(instance: &Instance) -> usize {
    instance.log().matches(": success: ").count()
}

/// However slow the machine is, deliveries go on.
fn wait_for_deliveries(instance: &Instance, count: usize) {
    while delivered(instance) < count {
        let before = delivered(instance);
        assert!(settles(|| delivered(instance) > before), "{:?}", instance.processes());
    }
}

fn wait_until_empty(instance: &Instance) {
    while let before @ [_, ..] = instance.waiting().as_slice() {
        assert!(settles(|| instance.waiting() != before), "{before:?}\n{}", instance.log());
    }
}

/// The disk is gone with the queue, and there is a new one.
fn lose_queue(instance: &mut Instance) {
    for (pid, _) in instance.processes() {
        let _ = unix::process::kill(unix::process::Pid::from_raw(pid), unix::signal::Signal::SIGKILL);
    }
    wait_until("nothing runs", || instance.processes().is_empty());
    fs::remove_dir_all(instance.path("queue")).expect("a queue to lose");
    instance.install();
}

/// Puts `count` messages into the queue, each for an address of its own; every other one is not preprocessed.
fn fill(instance: &Instance, count: usize) -> BTreeSet<String> {
    (0..count)
        .map(|count| {
            let address = format!("any-{count}@{HOST}");
            let text = format!("Received: (qmail {count} invoked by uid 1); date\nSubject: {count}\n\nx\n");
            let placed = Placed::new(instance, &text);
            if count % 2 == 0 {
                placed.with("todo", &format!("u1\0p{count}\0Fs@src.example\0T{address}\0"));
            } else {
                placed.with("info", "Fs@src.example\0").with("local", &format!("T{address}\0"));
            }
            address
        })
        .collect()
}

fn anybody(instance: &Instance) -> PathBuf {
    let maildir = instance.mailbox("any");
    instance.alias("any-default", "./any/\n");
    maildir
}

#[test]
fn ten_thousand_messages_survive_the_loss_of_the_queue_and_the_report_has_every_second_copy() {
    let mut instance = Instance::in_memory();
    instance.write("control/concurrencylocal", "20\n");
    let maildir = anybody(&instance);
    let all = fill(&instance, MANY);
    let directory = place_for(&instance, "night");
    instance.start();
    wait_for_deliveries(&instance, BEFORE);
    let done_before = copies(&maildir);
    let text = snapshot(&instance, &directory);
    let count: usize =
        text.strip_suffix(" messages\n").and_then(|count| count.parse().ok()).expect("a count");
    wait_for_deliveries(&instance, delivered(&instance) + BEFORE);
    lose_queue(&mut instance);
    let done = copies(&maildir);
    // What began before and ended behind the snapshot may be in it or not.
    assert!(count <= MANY - done_before.len() && count >= MANY - done.len(), "{count} of {MANY}");

    instance.clear_log();
    instance.start();
    let report = restore(&instance, &directory, &[]);
    // A message whose recipient was done, and which was about to leave the queue, is left out.
    let done = outcomes(&report).remove("done").unwrap_or(0);
    assert_eq!(outcomes(&report).get("restored"), Some(&(count - done)));
    wait_until_empty(&instance);
    instance.stop();
    let copies = copies(&maildir);
    let lost: Vec<&String> = all.iter().filter(|address| !copies.contains_key(*address)).collect();
    assert_eq!(lost, Vec::<&String>::new());
    assert_eq!(copies.keys().filter(|address| !all.contains(*address)).count(), 0);
    assert!(copies.values().all(|count| *count <= 2));
    let twice: BTreeSet<String> =
        copies.into_iter().filter(|(_, count)| *count > 1).map(|(address, _)| address).collect();
    let reported = may_repeat(&report);
    let unreported: Vec<&String> = twice.difference(&reported).collect();
    assert_eq!(unreported, Vec::<&String>::new());
    // What was delivered between the snapshot and the loss, at least, is there twice: the report had something to say.
    assert!(twice.len() >= BEFORE, "{}", twice.len());

    // Everything is known by then; nothing more happens, whatever the queue has now.
    let report = restore(&instance, &directory, &[]);
    assert_eq!(outcomes(&report).get("restored before"), Some(&(count - done)));
    assert!(instance.waiting().is_empty(), "{:?}", instance.waiting());
}

#[test]
fn what_the_log_has_is_not_delivered_again() {
    let mut instance = Instance::in_memory();
    let maildir = anybody(&instance);
    let count = 60;
    let addresses: Vec<String> = (0..count).map(|count| format!("any-{count}@{HOST}")).collect();
    // Held up until all are in the snapshot, one half of them preprocessed.
    let gate = instance.path("gate");
    let instructions = format!("|test -f {} || exit 111\n./any/\n", gate.display());
    instance.alias("any-default", &instructions);
    let (first, second) = addresses.split_at(count / 2);
    let enqueue = |addresses: &[String]| {
        for pair in addresses.chunks(2) {
            let recipients: Vec<&str> = pair.iter().map(String::as_str).collect();
            assert_eq!(instance.enqueue("s@src.example", &recipients, "Subject: x\n\nx\n"), 0);
        }
    };
    enqueue(first);
    instance.start();
    wait_until("all are deferred", || instance.log().matches(": deferral: ").count() == first.len());
    instance.stop();
    let enqueue = |addresses: &[String]| {
        for address in addresses {
            assert_eq!(instance.enqueue("s@src.example", &[address], "Subject: x\n\nx\n"), 0);
        }
    };
    enqueue(second);
    let directory = place_for(&instance, "night");
    snapshot(&instance, &directory);
    instance.write("gate", "");
    // Of the first half, every second address is delivered to later than the rest.
    instance.alias("any-3", "|exit 111\n");
    instance.start();
    instance.signal(unix::signal::Signal::SIGALRM);
    wait_until("all but one are delivered", || copies(&maildir).len() == count - 1);
    instance.stop();

    let log = instance.beside("log.old");
    fs::copy(instance.beside("log"), &log).expect("the log");
    lose_queue(&mut instance);
    instance.alias("any-3", "./any/\n");
    instance.start();
    let report = restore(&instance, &directory, &[log]);
    assert_eq!(outcomes(&report), BTreeMap::from([("done", count / 4 + count / 2 - 1), ("restored", 1)]));
    // qmail-send ended in the log, so nothing else can have been delivered.
    assert_eq!(may_repeat(&report), BTreeSet::new());
    wait_until_empty(&instance);
    let copies = copies(&maildir);
    assert_eq!(copies.len(), count);
    assert!(copies.values().all(|count| *count == 1), "{copies:?}");
    // What was decided by the log stays so without it.
    let again = restore(&instance, &directory, &[]);
    assert_eq!(
        outcomes(&again),
        BTreeMap::from([("done", count / 4 + count / 2 - 1), ("restored before", 1)])
    );
}

/// The messages of a snapshot, by number: all that is said of each.
fn parts(directory: &Path) -> BTreeMap<u64, String> {
    let text = fs::read_to_string(directory.join("messages")).expect("a snapshot");
    let parts = text.split("\nmessage ").skip(1);
    let numbered = parts.map(|part| (part.split('\n').next().expect("a number"), part));
    numbered.map(|(number, part)| (number.parse().expect("a number"), part.to_owned())).collect()
}

/// The number of a name like `todo/7` or `info/3/26`.
fn number_of(name: &str) -> u64 {
    name.rsplit('/').next().and_then(|number| number.parse().ok()).expect("a number")
}

#[test]
fn snapshots_one_after_the_other_are_consistent_whatever_qmail_send_does_meanwhile() {
    let mut instance = Instance::in_memory();
    let maildir = anybody(&instance);
    let bounces = instance.mailbox("sender");
    let count = 400;
    for count in 0..count {
        let recipients = format!("Tany-{count}@{HOST}\0Tgone-{count}@{HOST}\0");
        let placed = Placed::new(&instance, &format!("Subject: {count}\n\nx\n"));
        placed.with("todo", &format!("u1\0p2\0Fsender@{HOST}\0{recipients}"));
    }
    let text_of = |kind: &str, part: &str| part.contains(&format!("\n{kind} "));
    instance.start();
    let mut taken = 0;
    while !instance.waiting().is_empty() {
        taken += 1;
        let accepted: BTreeSet<u64> = instance.waiting().iter().map(|name| number_of(name)).collect();
        let directory = place_for(&instance, &format!("snapshot-{taken}"));
        snapshot(&instance, &directory);
        let parts = parts(&directory);
        let log = instance.log();
        let ended: BTreeSet<u64> =
            log.lines().filter_map(|line| line.strip_prefix("end msg ")).map(number_of).collect();
        let missing: Vec<&u64> =
            accepted.iter().filter(|number| !parts.contains_key(number) && !ended.contains(number)).collect();
        assert_eq!(missing, Vec::<&u64>::new());
        for part in parts.values() {
            let is_whole = text_of("mess", part) && (text_of("todo", part) != text_of("info", part));
            assert!(is_whole && (part.ends_with("x\n") || part.contains("\nend ")), "{part}");
            // Of a failure that is over the record is there.
            assert!(!part.contains("\0Dgone-") || part.contains("\n<gone-"), "{part}");
        }
        fs::remove_dir_all(&directory).expect("a snapshot that is not needed");
    }
    instance.wait_until_delivered();
    assert!(taken > 1, "{taken}");
    assert_eq!([messages(&maildir).len(), messages(&bounces).len()], [count, count]);
}

/// Each state, as the other queue has it.
#[test]
fn done_recipients_bounces_holds_and_ages_survive_in_the_queue_of_another_home() {
    let (from, mut to) = (Instance::new(), Instance::new());
    let (joe, sender) = (to.mailbox("joe"), to.mailbox("sender"));
    let (to_joe, to_sender) = (format!("joe@{HOST}"), format!("sender@{HOST}"));
    let later = SystemTime::now() - Duration::from_secs(3 * 86_400);
    let info = format!("F{to_sender}\0");
    let queued = Placed::new(&from, "Subject: queued\n\nx\n")
        .with("todo", &format!("u1\0p2\0F{to_sender}\0T{to_joe}\0"));
    // Half of its preprocessing was done, for a recipient who was never there.
    let queued = queued.with("info", "Fhal").with("local", &format!("Tghost@{HOST}\0"));
    let held = Placed::new(&from, "Subject: held\n\nx\n")
        .with("info", &info)
        .with("local", &format!("Dghost@{HOST}\0T{to_joe}\0"))
        .with("remote", "Dghost@far.example\0");
    fs::set_permissions(held.path("info"), fs::Permissions::from_mode(0o700)).expect("a mode");
    let old = fs::File::open(held.path("info")).expect("info");
    old.set_times(FileTimes::new().set_modified(later)).expect("an age");
    let failed = Placed::new(&from, "Subject: failed\n\nx\n")
        .with("info", &info)
        .with("local", &format!("Dgone@{HOST}\0T{to_joe}\0"))
        .with("bounce", &format!("<gone@{HOST}>:\nno such user\n\n"));
    let ends = Placed::new(&from, "Subject: ends\n\nx\n")
        .with("info", &info)
        .with("bounce", "<other@x>:\nno such host\n\n");
    // Not accepted; and torn, which is said.
    Placed::new(&from, "Subject: half\n\nx\n");
    let torn = Placed::new(&from, "Subject: torn\n\nx\n").with("info", &info);
    fs::remove_file(torn.path("mess")).expect("a text to lose");
    let before = from.queue();

    let directory = place_for(&from, "night");
    let text = snapshot(&from, &directory);
    let warning =
        format!("qmail-queuectl: warning: message {} has lost its text, and is left out\n", torn.number);
    assert_eq!(text, format!("4 messages\n{warning}"));
    assert_eq!(from.queue(), before);
    assert_eq!(fs::metadata(&directory).expect("the snapshot").mode() & 0o7777, 0o700);

    // One that was there, and stays as it is.
    assert_eq!(to.enqueue(&to_sender, &[&to_joe], "Subject: own\n\nx\n"), 0);
    to.start();
    let report = restore(&to, &directory, &[]);
    assert_eq!(outcomes(&report), BTreeMap::from([("restored", 4)]));
    assert_eq!(may_repeat(&report), BTreeSet::from([to_joe.clone()]));
    for (message, bounces) in [(&queued, false), (&held, false), (&failed, true), (&ends, true)] {
        assert_eq!(
            report[&message.number]["may_bounce_again"].is_string(),
            bounces,
            "{}",
            report[&message.number]
        );
    }
    let restored = |message: &Placed<'_>| report[&message.number]["restored"].as_u64().expect("a number");
    wait_until("all but the held one", || to.waiting().len() == 1);
    let path = path_in(&to, "info", restored(&held));
    let found = fs::metadata(&path).expect("the held message");
    let seconds = later.duration_since(SystemTime::UNIX_EPOCH).expect("an age").as_secs();
    assert_eq!((found.mtime().unsigned_abs(), found.mode() & 0o7777), (seconds, 0o700));
    let subjects = |maildir: &Path| -> Vec<String> {
        let texts = messages(maildir);
        let mut subjects: Vec<String> = texts
            .iter()
            .filter_map(|text| text.lines().find_map(|line| line.strip_prefix("Subject: ")))
            .map(str::to_owned)
            .collect();
        subjects.sort();
        subjects
    };
    assert_eq!(subjects(&joe), ["failed", "own", "queued"]);
    assert_eq!(subjects(&sender), ["failure notice", "failure notice"]);
    let bounces = messages(&sender).concat();
    for part in [format!("<gone@{HOST}>:\nno such user\n"), "<other@x>:\nno such host\n".to_owned()] {
        assert_eq!(bounces.matches(&part).count(), 1, "{bounces}");
    }
    let release = to.call("qmail-queuectl").args(["release", &restored(&held).to_string()]).run();
    assert_eq!(release.code, 0, "{}", release.err_text());
    wait_until("the held one", || to.waiting().is_empty());
    assert_eq!(subjects(&joe), ["failed", "held", "own", "queued"]);
    assert!(!to.log().contains("ghost"), "{}", to.log());
    // All is delivered and gone; the queue remembers what it was given.
    assert_eq!(outcomes(&restore(&to, &directory, &[])), BTreeMap::from([("restored before", 4)]));
    to.wait_until_delivered();
    to.stop();
}

#[test]
fn without_qmail_send_messages_are_found_at_its_next_start_and_those_that_are_there_are_not_doubled() {
    let mut instance = Instance::new();
    let maildir = anybody(&instance);
    let all = fill(&instance, 10);
    let directory = place_for(&instance, "night");
    assert_eq!(snapshot(&instance, &directory), "10 messages\n");
    // The queue that it was taken of has them all.
    let report = restore(&instance, &directory, &[]);
    assert_eq!(outcomes(&report), BTreeMap::from([("present", 10)]));
    assert_eq!(may_repeat(&report), BTreeSet::new());
    // When they are delivered they are not restored either.
    instance.start();
    wait_until_empty(&instance);
    assert_eq!(outcomes(&restore(&instance, &directory, &[])), BTreeMap::from([("present", 10)]));
    instance.stop();
    let take = |maildir: &Path| {
        let taken = copies(maildir);
        fs::remove_dir_all(maildir.join("new")).expect("new");
        fs::create_dir(maildir.join("new")).expect("new");
        chown(maildir.join("new"), Some(owner_uid()), Some(owner_uid())).expect("its owner");
        taken
    };
    assert_eq!(take(&maildir).values().sum::<usize>(), 10);

    lose_queue(&mut instance);
    let (code, text) = queuectl(&instance, &["restore"], &directory, &[]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(text.matches(": restored as ").count(), 10);
    assert_eq!(text.matches(": may be delivered twice to any-").count(), 10);
    assert!(
        text.ends_with("info: qmail-send cannot be reached; it finds the messages when it starts\n"),
        "{text}"
    );
    instance.start();
    wait_until_empty(&instance);
    let copies = copies(&maildir);
    assert_eq!(copies.keys().cloned().collect::<BTreeSet<_>>(), all);
    assert!(copies.values().all(|count| *count == 1));
}

#[test]
fn what_is_no_whole_snapshot_is_refused_and_nothing_is_overwritten() {
    let instance = Instance::new();
    fill(&instance, 4);
    let directory = place_for(&instance, "night");
    snapshot(&instance, &directory);
    let file = directory.join("messages");
    let whole = fs::read(&file).expect("the snapshot");
    let (code, text) = queuectl(&instance, &["snapshot"], &directory, &[]);
    assert_eq!(code, 100);
    let path = file.display();
    assert_eq!(
        text,
        format!("qmail-queuectl: fatal: unable to create {path}: there is a snapshot already\n")
    );
    assert_eq!(fs::read(&file).expect("the snapshot"), whole);

    let before = instance.queue();
    let damaged = format!("qmail-queuectl: fatal: unable to read {path}: it is damaged, or no snapshot\n");
    for length in [0, 10, whole.len() / 2, whole.len() - 1] {
        fs::write(&file, &whole[..length]).expect("a piece");
        assert_eq!(queuectl(&instance, &["restore"], &directory, &[]), (100, damaged.clone()), "{length}");
    }
    fs::rename(&file, directory.join("unfinished")).expect("another name");
    let name = directory.display();
    let unfinished = format!("qmail-queuectl: fatal: unable to use {name}: the snapshot is unfinished\n");
    assert_eq!(queuectl(&instance, &["restore"], &directory, &[]), (100, unfinished));
    assert_eq!(instance.queue(), before);
    // What was broken off is done anew.
    snapshot(&instance, &directory);
    assert_eq!(fs::read(&file).expect("the snapshot").len(), whole.len());
    assert!(!directory.join("unfinished").exists());

    let open = place_for(&instance, "open");
    assert_eq!(
        instance.command(Path::new("/bin/mkdir")).arg("-m755").arg(&open).status().expect("mkdir").code(),
        Some(0)
    );
    let (code, text) = queuectl(&instance, &["snapshot"], &open, &[]);
    assert_eq!(code, 100);
    assert!(text.ends_with("that nobody else can read: mode 0700\n"), "{text}");
    let (code, text) = queuectl(&instance, &["restore"], &open, &[]);
    let path = open.join("messages");
    assert_eq!(
        (code, text),
        (111, format!("qmail-queuectl: fatal: unable to open {}: file does not exist\n", path.display()))
    );
    for words in [&["snapshot", "--json"][..], &["restore", "--json", "--json"], &["snapshot", "x"]] {
        let (code, text) = queuectl(&instance, words, &open, &[]);
        assert_eq!(code, 100, "{words:?}");
        assert!(text.contains("qmail-queuectl: usage: "), "{text}");
    }
}

/// An installation that has lost its queue of four messages, and has a snapshot of it.
struct Lost {
    instance: Instance,
    maildir: PathBuf,
    /// Who is to get one of them.
    all: BTreeSet<String>,
    directory: PathBuf,
}

impl Lost {
    fn after_a_snapshot() -> Lost {
        let mut instance = Instance::new();
        let maildir = anybody(&instance);
        let all = fill(&instance, 4);
        let directory = place_for(&instance, "night");
        snapshot(&instance, &directory);
        lose_queue(&mut instance);
        Lost { instance, maildir, all, directory }
    }
}

/// Restores as a run that is killed when it has noted its messages: the end of their long names, and the messages in the order
/// of the snapshot.
fn restore_but_for_names<'a>(instance: &'a Instance, directory: &Path) -> (String, Vec<Placed<'a>>) {
    let report = restore(instance, directory, &[]);
    let record = fs::read_dir(instance.path("queue/queuectl"))
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .find_map(|name| name.strip_prefix("restored.").map(str::to_owned))
        .expect("a record");
    let unnamed = |from: &u64| {
        let number = report[from]["restored"].as_u64().expect("a number");
        let paths = ["todo", "info"].map(|kind| path_in(instance, kind, number));
        let path = paths.into_iter().find(|path| path.exists()).expect("its last file");
        fs::rename(&path, format!("{}.{record}", path.display())).expect("the long name");
        Placed { instance, number }
    };
    let restored = report.keys().map(unnamed).collect();
    (record, restored)
}

/// Everybody has one copy, no long name is left, and there is nothing more to restore.
fn is_restored_once(
    instance: &Instance,
    directory: &Path,
    record: &str,
    copies: &BTreeMap<String, usize>,
    all: &BTreeSet<String>,
) {
    assert_eq!(copies.keys().cloned().collect::<BTreeSet<_>>(), *all);
    assert!(copies.values().all(|count| *count == 1), "{copies:?}");
    assert!(!instance.queue().iter().any(|name| name.ends_with(record)), "{:?}", instance.queue());
    assert_eq!(
        outcomes(&restore(instance, directory, &[])),
        BTreeMap::from([("restored before", all.len())])
    );
}

/// Makes files where new messages are made until one has this number, and takes that one away: the next file gets it. The others
/// stay. Whether the file system gives numbers again so soon.
fn make_next(instance: &Instance, number: u64) -> bool {
    let is_it = |count: u32| {
        let path = instance.path(&format!("queue/pid/holder{count}"));
        fs::write(&path, "").expect("a file");
        let is_it = fs::metadata(&path).expect("the file").ino() == number;
        if is_it {
            fs::remove_file(&path).expect("the file that goes");
        }
        is_it
    };
    (0..5000).any(is_it)
}

/// As below, and the first message that is restored anew would be given the number with which another one waits for its name.
#[test]
fn a_number_that_waits_for_its_name_is_not_given_to_a_message_that_is_restored_anew() {
    let Lost { mut instance, maildir, all, directory } = Lost::after_a_snapshot();
    let (record, restored) = restore_but_for_names(&instance, &directory);
    for collected in [0, 2] {
        fs::remove_file(restored[collected].path("mess")).expect("a text to collect");
    }
    // The first one's file goes before its new text is made, and its inode is not to be taken for that.
    let long = ["todo", "info"].map(|kind| format!("{}.{record}", restored[0].path(kind).display()));
    let long = long.iter().find(|path| Path::new(path).exists()).expect("a file with a long name");
    fs::hard_link(long, instance.path("queue/pid/holder")).expect("another name for it");
    if !make_next(&instance, restored[2].number) {
        return skipped(
            "a restored message with another's number: this file system gives none a second time so soon",
        );
    }

    let second = restore(&instance, &directory, &[]);
    assert_eq!(outcomes(&second), BTreeMap::from([("restored", 2), ("restored before", 2)]));
    instance.start();
    wait_until_empty(&instance);
    instance.stop();
    is_restored_once(&instance, &directory, &record, &copies(&maildir), &all);
}

/// A run was killed when it had noted its messages, and the next one comes days later: what is still there gets its name;
/// what was collected, and its number used again, is restored anew, and the other message is left alone.
#[test]
fn a_number_that_waited_too_long_and_is_anothers_by_now_is_left_to_the_other() {
    let Lost { mut instance, maildir, all, directory } = Lost::after_a_snapshot();
    let (record, restored) = restore_but_for_names(&instance, &directory);
    let is_preprocessed = |placed: &&Placed<'_>| placed.path("local").exists();
    let collected = restored.iter().find(|placed| !is_preprocessed(placed)).expect("one of todo");
    fs::remove_file(collected.path("mess")).expect("a text to collect");
    let reused = restored.iter().find(is_preprocessed).expect("one of info");
    let others = format!("other@{HOST}");
    let reused = Placed { instance: &instance, number: reused.number };
    // The same file, which is what qmail-queue would have been given.
    fs::write(reused.path("mess"), "Subject: other\n\nx\n").expect("another text");
    let reused = reused.with("info", "Fs@src.example\0").with("local", &format!("T{others}\0"));
    let info = fs::read(reused.path("info")).expect("info");

    let second = restore(&instance, &directory, &[]);
    assert_eq!(outcomes(&second), BTreeMap::from([("restored", 2), ("restored before", 2)]));
    assert_eq!(fs::read(reused.path("info")).expect("info"), info);
    let other = instance.mailbox("other");
    instance.start();
    wait_until_empty(&instance);
    instance.stop();
    is_restored_once(&instance, &directory, &record, &copies(&maildir), &all);
    assert_eq!(messages(&other).len(), 1);
}
