//! `qmail-local`: measured cases, and what they do not show.

use crate::fixtures::{Case, Fixtures, latin1, matches, with_sorted_recipients};
use harness::{Call, LocalDelivery, Outcome, UserHome};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Files by name: the text and mode of each that has the name.
type Files = BTreeMap<String, Vec<(Vec<u8>, u32)>>;

#[test]
fn the_measured_cases() {
    let fixtures = Fixtures::load("local");
    for case in fixtures.cases() {
        let home = UserHome::new();
        prepare(&home, case);
        let before: Vec<String> = home.files().into_iter().map(|(name, _, _)| name).collect();
        let outcome = home.deliver(&LocalDelivery {
            flags: case.list("flags"),
            local: case.bytes("local"),
            dash: case.bytes("dash"),
            ext: case.bytes("ext"),
            sender: case.bytes("sender"),
            default_delivery: case.bytes("aliasempty"),
            message: case.bytes("msg"),
        });
        home.set_mode(0o755);
        compare(&home, case, &before, &outcome);
    }
}

fn prepare(home: &UserHome, case: Case<'_>) {
    for program in ["forward", "condredirect", "bouncesaying", "except", "preline", "maildirmake"] {
        home.mail().program(program);
    }
    let bin = home.mail().path().join("bin");
    for (name, value) in case.field("files").as_object().expect("files") {
        if let Some(maildir) = name.strip_suffix('/') {
            if maildir.contains("md") || maildir.contains("Maildir") {
                home.maildir(maildir);
            } else {
                home.directory(maildir);
            }
            continue;
        }
        let text = value[0].as_str().expect("a text").replace("{bin}", &bin.to_string_lossy());
        home.file(name, latin1(&text.into()), mode(&value[1]));
    }
    home.set_mode(mode(case.field("home_mode")));
}

fn mode(value: &serde_json::Value) -> u32 {
    u32::try_from(value.as_u64().expect("a mode")).expect("a small number")
}

fn compare(home: &UserHome, case: Case<'_>, before: &[String], outcome: &Outcome) {
    let name = case.name();
    assert_eq!(outcome.code, case.expected_exit(), "{name}: {outcome:?}");
    let out = latin1(case.expected("out"));
    assert!(matches(&out, &outcome.out), "{name}: {}", outcome.out_text());
    assert_eq!(outcome.err, latin1(case.expected("err")), "{name}: the texts are those of the manual");
    assert_eq!(home.queue().messages(), case.expected_list("msg"), "{name}");
    let sorted = |envelopes: Vec<Vec<u8>>| -> Vec<Vec<u8>> {
        envelopes.iter().map(|envelope| with_sorted_recipients(envelope)).collect()
    };
    assert_eq!(sorted(home.queue().envelopes()), sorted(case.expected_list("env")), "{name}");
    let (left, expected) = (files_left(home, before), files_expected(case));
    assert_eq!(left.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{name}");
    for (file, texts) in &expected {
        for ((text, mode), (left_text, left_mode)) in texts.iter().zip(&left[file]) {
            assert!(matches(text, left_text), "{name}: {file}: {}", String::from_utf8_lossy(left_text));
            assert_eq!(left_mode, mode, "{name}: {file}");
        }
        assert_eq!(texts.len(), left[file].len(), "{name}: {file}");
    }
}

/// New and changed files; those in a maildir by the name of their directory.
fn files_left(home: &UserHome, before: &[String]) -> Files {
    let mut left = Files::new();
    for (name, text, mode) in home.files() {
        if before.contains(&name) {
            continue;
        }
        let name = match name.rsplit_once("/new/") {
            Some((maildir, _)) => format!("{maildir}/new/{{unique}}"),
            None => name,
        };
        left.entry(name).or_default().push((text, mode));
    }
    left
}

fn files_expected(case: Case<'_>) -> Files {
    let files = case.expected("files").as_object().expect("a table of files");
    let entry = |value: &serde_json::Value| {
        let octal = value[1].as_str().expect("a mode").trim_start_matches("0o");
        (latin1(&value[0]), u32::from_str_radix(octal, 8).expect("an octal mode"))
    };
    files
        .iter()
        .map(|(name, entries)| (name.clone(), entries.as_array().expect("files").iter().map(entry).collect()))
        .collect()
}

fn deliver_with(dot_qmail: &str) -> (UserHome, Outcome) {
    let home = UserHome::new();
    home.file(".qmail", dot_qmail, 0o600);
    let outcome = home.deliver(&LocalDelivery::default());
    (home, outcome)
}

#[test]
fn each_exit_status_of_a_program_has_its_consequence() {
    for code in [0, 1, 64, 65, 66, 70, 71, 75, 76, 77, 78, 99, 100, 111, 112, 127, 255] {
        let (home, outcome) = deliver_with(&format!("|exit {code}\n./after\n"));
        let (exit, after) = match code {
            0 => (0, true),
            99 => (0, false),
            64 | 65 | 70 | 76 | 77 | 78 | 100 | 112 => (100, false),
            _ => (111, false),
        };
        assert_eq!(outcome.code, exit, "{code}");
        assert_eq!(home.path().join("after").exists(), after, "{code}");
    }
    let (_, outcome) = deliver_with("|kill -9 $$\n");
    assert_eq!((outcome.code, outcome.err_text().as_str()), (111, "Aack, child crashed. (#4.3.0)\n"));
}

/// Cases beside the measured ones, as the manual has them.
#[test]
fn each_line_of_a_file_counts_as_it_stands_there() {
    for (text, code, out) in [
        ("#\n#", 0, "did 0+0+0\n"),
        ("#\n\n \n./mb", 0, "did 1+0+0\n"),
        ("\n./mb\n", 111, ""),
        (" \t\n./mb\n", 111, ""),
        ("|", 0, "did 0+0+1\n"),
        ("|echo a  \n", 0, "a\ndid 0+0+1\n"),
        ("|exit 99\n./no/x\n", 0, "did 0+0+1\n"),
        ("./mb\n|exit 99\n./no/x\n|exit 1\n", 0, "did 1+0+1\n"),
        ("|kill -9 $$\n./mb\n", 111, ""),
        ("./mb\n+list\n", 0, "did 1+0+0\n"),
        ("+list \n./mb\n", 111, ""),
        ("+lists\n./mb\n", 0, "did 1+0+0\n"),
        ("+list\n|true\n", 111, ""),
        ("./no/\n", 111, ""),
        (".\n", 111, ""),
        ("&a@b\n./no/x\n", 111, ""),
        ("&a@b\n|exit 100\n", 100, ""),
    ] {
        let (home, outcome) = deliver_with(text);
        assert_eq!((outcome.code, outcome.out_text().as_str()), (code, out), "{text:?}: {outcome:?}");
        drop(home);
    }
}

#[test]
fn a_program_reads_the_message_from_its_beginning_each_time() {
    let (_, outcome) = deliver_with("|head -1\n|cat >/dev/null\n|cat\n");
    assert_eq!(outcome.out_text(), "Subject: t\nSubject: t\n\nline1\ndid 0+0+3\n");
}

#[test]
fn a_program_that_fails_keeps_forwards_from_going_out() {
    let (home, outcome) = deliver_with("&a@x.example\n|exit 1\n");
    assert_eq!(outcome.code, 111);
    assert!(home.queue().messages().is_empty());
}

#[test]
fn a_refusal_of_the_queue_decides_whether_to_try_again() {
    let home = UserHome::new();
    home.file(".qmail", "&a@x.example\n", 0o600);
    for (status, exit, text) in [
        ("31", 100, "Unable to forward message: mail server permanently rejected message (#5.3.0).\n"),
        ("53", 111, "Unable to forward message: qq write error or disk full (#4.3.0).\n"),
    ] {
        let outcome = home.delivery(&LocalDelivery::default()).env("FAKEQUEUE_EXIT", status).run();
        assert_eq!((outcome.code, outcome.err_text().as_str()), (exit, text));
    }
}

/// L4: the texts and exit codes of the manual.
#[test]
fn l4_homes_and_files_that_others_may_write_are_refused() {
    let home = UserHome::new();
    let path = home.file(".qmail", "./mb\n", 0o602);
    let deliver = || {
        let outcome = home.deliver(&LocalDelivery::default());
        (outcome.code, outcome.err_text())
    };
    assert_eq!(deliver(), (111, "Uh-oh: .qmail file is writable. (#4.7.0)\n".to_owned()));
    home.set_mode(0o757);
    assert_eq!(deliver(), (111, "Uh-oh: home directory is writable. (#4.7.0)\n".to_owned()));
    home.set_mode(0o775);
    fs::set_permissions(path, fs::Permissions::from_mode(0o620)).unwrap();
    assert_eq!(deliver().0, 0, "a group is trusted");
    home.set_mode(0o1755);
    let print = LocalDelivery { flags: vec![b"-n".to_vec()], ..LocalDelivery::default() };
    let outcome = home.deliver(&print);
    assert_eq!(outcome.err_text(), "Warning: home directory is sticky.\n");
    assert_eq!(outcome.out_text(), "mbox ./mb\ndid 1+0+0\n");
    let sticky = "Home directory is sticky: user is editing his .qmail file. (#4.2.1)\n";
    assert_eq!(deliver(), (111, sticky.to_owned()));
}

/// M1: memory does not grow with the message, wherever it is delivered to.
#[test]
fn m1_a_large_message_is_not_kept_in_memory() {
    let Some(prlimit) = harness::installed("prlimit") else {
        return harness::skipped("prlimit is not installed");
    };
    let home = UserHome::new();
    home.maildir("Maildir");
    home.file(".qmail", "./Maildir/\n./mbox\n|cat >/dev/null\n&a@x.example\n", 0o600);
    let message = [b"A: b\n\n".as_slice(), &vec![b'x'; 64 << 20]].concat();
    let words = home.arguments(&LocalDelivery::default());
    let call = home.as_user(Call::path(&prlimit)).arg("--data=16777216");
    let outcome = call.arg(home.mail().program("qmail-local")).args(words).input_file(&message).run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    assert!(home.queue().messages()[0].ends_with(&message), "the forwarded message is whole");
}

/// L3: whatever stands in the address, the file is one of the user's own.
#[test]
fn l3_an_extension_leads_nowhere_but_to_files_of_the_home() {
    let home = UserHome::new();
    home.directory(".qmail-sub");
    home.file(".qmail-sub/x", "|echo wrong\n", 0o600);
    home.file(".qmail-::", "|echo dots\n", 0o600);
    for (ext, code) in
        [("sub/x", 100), ("sub/../sub/x", 100), ("/etc/passwd", 100), ("..", 0), ("sub//x", 100)]
    {
        assert_eq!(home.deliver(&LocalDelivery::to_extension(ext)).code, code, "{ext}");
    }
    // No file has such a name; an error of the system would be tried again for a week.
    for length in [247, 248, 255, 300, 900] {
        assert_eq!(home.deliver(&LocalDelivery::to_extension(&"x".repeat(length))).code, 100, "{length}");
    }
}

#[test]
fn a_file_that_cannot_be_opened_is_not_passed_over() {
    let home = UserHome::new();
    home.file(".qmail-a", "./wrong\n", 0o000);
    home.file(".qmail-default", "./default\n", 0o600);
    let outcome = home.deliver(&LocalDelivery::to_extension("a"));
    assert_eq!(outcome.code, 111);
    assert_eq!(outcome.err_text(), "Unable to open .qmail-a: access denied. (#4.3.0)\n");
}

/// L5
#[test]
fn l5_values_of_the_envelope_reach_programs_harmless() {
    let home = UserHome::new();
    home.file(".qmail", "|printf '%s' \"$SENDER\"\n", 0o600);
    let sender = b"() { :;}; echo\x07 x@y".to_vec();
    let outcome = home.deliver(&LocalDelivery { sender, ..LocalDelivery::default() });
    assert_eq!(outcome.out_text(), "_) { :;}; echo_ x@ydid 0+0+1\n");
}

#[test]
fn l7_nothing_is_delivered_as_root() {
    if !harness::is_root() {
        return harness::skipped("only root can call qmail-local as root");
    }
    let home = UserHome::new();
    let words = ["alice", "/", "alice", "", "", "v.example", "s@t", "./Mailbox"];
    let outcome = home.mail().call("qmail-local").args(words).run();
    assert_eq!(outcome.code, 111);
    assert!(outcome.err_text().contains("root"));
}

#[test]
fn a_message_that_comes_again_is_refused_in_any_case() {
    let home = UserHome::new();
    let message = b"delivered-to:\n ALICE@v.example\n\nx\n".to_vec();
    let outcome = home.deliver(&LocalDelivery { message, ..LocalDelivery::default() });
    assert_eq!(outcome.code, 100);
}

#[test]
fn an_mbox_that_is_locked_for_a_while_is_waited_for() {
    let home = UserHome::new();
    let mbox = home.file("Mailbox", "From old\n\n", 0o600);
    let locked = fs::File::options().append(true).open(&mbox).unwrap();
    locked.lock().unwrap();
    let holder = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(300));
        std::io::Write::write_all(&mut &locked, b"From between\n\n").unwrap();
    });
    assert_eq!(home.deliver(&LocalDelivery::default()).code, 0);
    holder.join().unwrap();
    let text = String::from_utf8(fs::read(mbox).unwrap()).unwrap();
    assert!(text.starts_with("From old\n\nFrom between\n\nFrom sender@s.example "), "{text}");
}

#[test]
fn many_deliveries_to_one_mbox_leave_whole_messages() {
    let home = UserHome::new();
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| assert_eq!(home.deliver(&LocalDelivery::default()).code, 0));
        }
    });
    let text = fs::read_to_string(home.path().join("Mailbox")).unwrap();
    let messages: Vec<&str> = text.split_inclusive("line1\n\n").collect();
    assert_eq!(messages.len(), 12);
    assert!(
        messages.iter().all(|message| message.starts_with("From ") && message.matches("From ").count() == 1)
    );
}

#[test]
fn a_file_size_limit_leaves_an_mbox_as_it_was() {
    let home = UserHome::new();
    let mbox = home.file("Mailbox", "From old\n\n", 0o600);
    let message = [b"A: b\n\n".as_slice(), &b"x".repeat(20_000)].concat();
    let shell = "ulimit -f 8; exec \"$0\" \"$@\"";
    let call = home.as_user(Call::path(Path::new("/bin/sh"))).arg("-c").arg(shell);
    let words = home.arguments(&LocalDelivery::default());
    let outcome = call.arg(home.mail().program("qmail-local")).args(words).input_file(message).run();
    assert_eq!(outcome.code, 111, "{outcome:?}");
    assert_eq!(outcome.err_text(), "Unable to write ./Mailbox: file too big. (#4.3.0)\n");
    assert_eq!(fs::read(mbox).unwrap(), b"From old\n\n");
}

/// R1
#[test]
fn r1_a_full_disk_delays_mail_and_leaves_nothing_in_a_mailbox() {
    if !harness::is_root() {
        return harness::skipped("only root can mount a small file system");
    }
    let home = UserHome::new();
    let disk = home.directory("disk");
    let Some(_mounted) = Mounted::small(&disk) else {
        return harness::skipped("no tmpfs can be mounted here");
    };
    home.maildir("disk/Maildir");
    let deliver = |mailbox: &str, size: usize| {
        let message = [b"A: b\n\n".as_slice(), &b"x".repeat(size)].concat();
        let default_delivery = mailbox.as_bytes().to_vec();
        let outcome = home.deliver(&LocalDelivery { message, default_delivery, ..LocalDelivery::default() });
        (outcome.code, outcome.err_text())
    };
    let full = (111, "Temporary error on maildir delivery. (#4.3.0)\n".to_owned());
    assert_eq!(deliver("./disk/Maildir/", 1_000_000), full);
    assert!(home.files().is_empty(), "{:?}", home.files());
    let full = (111, "Unable to write ./disk/mbox: out of disk space. (#4.3.0)\n".to_owned());
    assert_eq!(deliver("./disk/mbox", 1_000_000), full);
    assert_eq!(fs::read(disk.join("mbox")).unwrap(), b"");
    for mailbox in ["./disk/Maildir/", "./disk/mbox"] {
        assert_eq!(deliver(mailbox, 1_000).0, 0, "once there is room, mail comes in");
    }
}

/// R2: the file counts as not written, and so does one whose directory is not on disk.
#[test]
fn r2_a_failed_fsync_is_a_failed_delivery_that_leaves_nothing() {
    let Some(strace) = harness::installed("strace") else {
        return harness::skipped("strace is not installed");
    };
    let home = UserHome::new();
    home.maildir("Maildir");
    home.file(".qmail-maildir", "./Maildir/\n", 0o600);
    home.file(".qmail-mbox", "./Mailbox\n", 0o600);
    let deliver = |ext: &str, failing: u32| {
        let delivery = LocalDelivery::to_extension(ext);
        let inject = format!("inject=fsync:error=EIO:when={failing}");
        let call =
            home.as_user(Call::path(&strace)).args(["-f", "-o", "/dev/null", "-e", "trace=fsync", "-e"]);
        let call = call.arg(inject).arg(home.mail().program("qmail-local")).args(home.arguments(&delivery));
        call.input_file(&delivery.message).run()
    };
    if deliver("maildir", 99).code != 0 {
        return harness::skipped("strace cannot trace here");
    }
    let whole = home.files();
    for failing in [1, 2] {
        assert_eq!(deliver("maildir", failing).code, 111);
        assert_eq!(home.files(), whole, "fsync {failing}");
    }
    for failing in [1, 2] {
        let outcome = deliver("mbox", failing);
        assert_eq!(outcome.err_text(), "Unable to write ./Mailbox: input/output error. (#4.3.0)\n");
        assert_eq!(outcome.code, 111);
        assert_eq!(fs::read(home.path().join("Mailbox")).unwrap(), b"");
    }
}

/// A file system of 256 KB, gone at the end of the test.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    fn small(place: &'a Path) -> Option<Mounted<'a>> {
        let status = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256k,mode=755,uid=65534,gid=65534", "tmpfs"])
            .arg(place)
            .stderr(std::process::Stdio::null())
            .status();
        status.is_ok_and(|status| status.success()).then_some(Mounted(place))
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn a_maildir_gives_each_message_a_name_of_its_own() {
    let home = UserHome::new();
    home.maildir("Maildir");
    home.file(".qmail", "./Maildir/\n./Maildir/\n./Maildir/\n", 0o600);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(home.deliver(&LocalDelivery::default()).code, 0));
        }
    });
    let files = home.files();
    assert_eq!(files.iter().filter(|(name, _, _)| name.starts_with("Maildir/new/")).count(), 24);
    assert!(files.iter().all(|(name, _, mode)| !name.starts_with("Maildir/tmp") && *mode == 0o600));
}

#[test]
fn wrong_arguments_are_permanent() {
    let home = UserHome::new();
    for words in [&["a", "relative", "a", "", "", "h", "s", "./M"][..], &["a"], &["-x"]] {
        let outcome = home.call("qmail-local", "").args(words).run();
        assert_eq!(outcome.code, 100, "{words:?}");
        assert!(outcome.err_text().contains("qmail-local: usage: qmail-local [ -nN ] user homedir"));
    }
    let missing = ["a", "/no/such/home", "a", "", "", "h", "s", "./M"];
    let outcome = home.call("qmail-local", "").args(missing).run();
    assert_eq!(outcome.err_text(), "Unable to switch to /no/such/home: file does not exist. (#4.3.0)\n");
    assert_eq!(outcome.code, 111);
}

#[test]
fn a_message_in_a_pipe_cannot_be_delivered() {
    let home = UserHome::new();
    let words = home.arguments(&LocalDelivery::default());
    let outcome = home.as_user(home.mail().call("qmail-local")).args(words).input("x\n").run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (111, "Unable to rewind message. (#4.3.0)\n"));
}

#[test]
fn no_message_is_not_an_empty_message() {
    let home = UserHome::new();
    let shell = "exec \"$0\" \"$@\" <&-";
    let call = home.as_user(Call::path(Path::new("/bin/sh"))).arg("-c").arg(shell);
    let words = home.arguments(&LocalDelivery::default());
    let outcome = call.arg(home.mail().program("qmail-local")).args(words).run();
    let text = "Unable to read message: file descriptor not open. (#4.3.0)\n";
    assert_eq!((outcome.code, outcome.err_text().as_str()), (111, text));
    assert!(home.files().is_empty());
}
