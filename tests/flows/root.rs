//! The program that stays root, and how files are opened where others have a hand in them.

use harness::{
    Call, HOST, Installation, Instance, LocalDelivery, OrdinaryUser, UserHome, installed, skipped,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;

/// What a process of root's may open: the system's libraries and accounts, and what is root's decision alone.
const OF_THE_SYSTEM: [&str; 7] = ["/dev/null", "/etc/", "/lib/", "/lib64/", "/usr/lib/", "/proc/", "/run/"];

/// L9: of all that decides about a delivery, root reads the database of assignments and nothing else.
#[test]
fn l9_qmail_lspawn_reads_nothing_as_root_but_the_assignments() {
    let Some(installation) = Installation::new() else { return };
    let Some(strace) = installed("strace") else { return skipped("strace is not installed") };
    let joe = OrdinaryUser::new("suite-test-lea", installation.beside(""));
    let name = joe.account.name.clone();
    let instructions = joe.home.join(".qmail");
    fs::write(&instructions, "./Mailbox\n").expect("instructions");
    chown(&instructions, Some(joe.account.uid), Some(joe.account.gid)).expect("their owner");
    let assign = "=assigned:alias:7791:7791:/nonexistent:::\n.\n";
    fs::write(installation.path("users/assign"), assign).expect("assignments");
    assert_eq!(Call::path(&installation.path("bin/qmail-newu")).run().code, 0);
    let inject = Call::path(&installation.path("bin/qmail-inject")).args(["-a", &format!("{name}@{HOST}")]);
    assert_eq!(inject.input("Subject: t\n\nx\n").run().code, 0);
    let message = the_message(&installation.path("queue/mess"));
    let orders: String = [name.as_str(), "assigned", "nobody-at-all"]
        .iter()
        .enumerate()
        .map(|(slot, local)| {
            format!(
                "{}{message}\0s@src.example\0{local}@{HOST}\0",
                char::from(u8::try_from(slot).expect("a slot"))
            )
        })
        .collect();
    let trace = installation.beside("trace");
    // Without the paths for libraries that cargo gives its tests.
    let call = Call::path(&strace).env_clear();
    let call =
        call.args(["-f", "-e", "trace=execve,open,openat,setuid,clone,clone3,fork,vfork", "-o"]).arg(&trace);
    let outcome = call.arg(installation.path("bin/qmail-lspawn")).arg("./Mailbox").input(orders).run();
    if outcome.out.is_empty() {
        return skipped(&format!("strace does not run here: {}", outcome.err_text()));
    }
    assert!(outcome.out_text().contains("did 1+0+0"), "{}", outcome.out_text());

    let trace = fs::read_to_string(&trace).expect("the trace");
    let parents = parents(&trace);
    let (mut not_root, mut databases) = (BTreeSet::new(), 0);
    for line in trace.lines() {
        let (pid, call) = line.split_once(' ').expect("a process and a call");
        let call = call.trim_start();
        if call.starts_with("setuid(") && !call.starts_with("setuid(0)") {
            not_root.insert(pid);
        }
        // Whoever copies itself as somebody else has copies that are somebody else.
        let gave_up_root = std::iter::successors(Some(pid), |pid| parents.get(pid).copied())
            .any(|ancestor| not_root.contains(ancestor));
        if gave_up_root || !call.starts_with("open") {
            continue;
        }
        let path = call.split('"').nth(1).expect("a path");
        databases += usize::from(path.ends_with("users/cdb"));
        let is_allowed = OF_THE_SYSTEM.iter().any(|place| path.starts_with(place))
            || path == message
            || path.ends_with("/users/cdb");
        assert!(is_allowed, "root opens {path}: {line}");
    }
    assert!(databases >= 3 && not_root.len() >= 3, "{databases} {not_root:?}\n{trace}");
}

/// From whom each process of a trace was copied.
fn parents(trace: &str) -> BTreeMap<&str, &str> {
    let copies =
        ["clone", "fork"].map(|call| [format!(" {call}"), format!(" v{call}"), format!(" <... {call}")]);
    let is_copy = |line: &str| copies.iter().flatten().any(|call| line.contains(call.as_str()));
    let made = trace.lines().filter(|line| is_copy(line)).filter_map(|line| {
        let (parent, call) = line.split_once(' ')?;
        let (_, child) = call.rsplit_once("= ")?;
        child.parse::<u32>().ok().map(|_| (child, parent))
    });
    made.collect()
}

/// `R/N` of the only message.
fn the_message(mess: &Path) -> String {
    let parts = fs::read_dir(mess).expect("mess").flatten();
    let files = parts.flat_map(|part| fs::read_dir(part.path()).expect("a part of mess").flatten());
    let paths: Vec<_> = files.map(|file| file.path()).collect();
    let [path] = paths.as_slice() else { panic!("one message: {paths:?}") };
    path.strip_prefix(mess).expect("a path below mess").to_str().expect("ASCII").to_owned()
}

/// L2: no file stays open in a program that is run, and none is created where one could have been put.
#[test]
fn l2_files_are_opened_close_on_exec_and_created_exclusively() {
    let Some(strace) = installed("strace") else { return skipped("strace is not installed") };
    let instance = Instance::new();
    let trace = instance.beside("trace");
    fs::write(&trace, "").expect("a file for the trace");
    chown(&trace, Some(harness::owner_uid()), None).expect("its owner");
    let mut command = instance.command(&strace);
    command.args(["-e", "trace=open,openat,creat", "-o"]).arg(&trace).arg(instance.path("bin/qmail-queue"));
    if instance.run_queue(&mut command, b"S: x\n\nx\n", b"Fs@x\0Ta@b\0\0") != 0 {
        return skipped("strace cannot trace here");
    }
    check_opens(&fs::read_to_string(&trace).expect("the trace"), 2);

    let home = UserHome::new();
    home.maildir("Maildir");
    home.file(".qmail", "./Maildir/\n./mbox\n", 0o600);
    let trace = home.file("trace", "", 0o600);
    let delivery = LocalDelivery::default();
    let call =
        home.as_user(Call::path(&strace)).args(["-f", "-e", "trace=open,openat,creat", "-o"]).arg(&trace);
    let call = call.arg(home.mail().program("qmail-local")).args(home.arguments(&delivery));
    let outcome = call.input_file(&delivery.message).run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    // An mbox is there before the mail, and may be a link to where its owner wants it.
    let text = fs::read_to_string(&trace).expect("the trace");
    let text: String =
        text.lines().filter(|line| !line.contains("mbox\"")).map(|line| format!("{line}\n")).collect();
    check_opens(&text, 1);
}

/// Checks each call that opened something; so many files have to be among them that were created.
fn check_opens(trace: &str, created: usize) {
    let opened = trace.lines().filter(|line| line.contains("open") && !line.contains(" = -1 "));
    let mut found = 0;
    for line in opened {
        assert!(line.contains("O_CLOEXEC"), "{line}");
        if line.contains("O_CREAT") {
            assert!(line.contains("O_EXCL"), "{line}");
            found += 1;
        }
    }
    assert!(found >= created, "{trace}");
}

/// L2, L1: what is no regular file of the user's is no instruction and no mailbox, and nobody waits for it.
#[test]
fn l2_a_fifo_a_device_or_a_link_in_a_mailbox_holds_nobody_up_and_leads_nowhere() {
    let home = UserHome::new();
    let outside = home.mail().path().join("outside");
    fs::write(&outside, "as it was\n").expect("a file");
    chown(&outside, Some(harness::owner_uid()), None).expect("its owner");
    home.maildir("Maildir");
    home.file(".qmail", "./Maildir/\n", 0o600);
    for directory in ["tmp", "new"] {
        let path = home.path().join("Maildir").join(directory);
        fs::remove_dir(&path).expect("an empty directory");
        unix::fifo::make(&path).expect("a FIFO");
        let outcome = home.deliver(&LocalDelivery::default());
        assert_eq!(outcome.code, 111, "{directory}: {outcome:?}");
        fs::remove_file(&path).expect("the FIFO");
        std::os::unix::fs::symlink(&outside, &path).expect("a link");
        assert_eq!(home.deliver(&LocalDelivery::default()).code, 111, "{directory}");
        fs::remove_file(&path).expect("the link");
        home.directory(&format!("Maildir/{directory}"));
    }
    assert_eq!(fs::read(&outside).expect("the file"), b"as it was\n");
    assert_eq!(home.deliver(&LocalDelivery::default()).code, 0);
}

/// L1: root's own are the directory of the snapshot and the programs; the queue is others'.
#[test]
fn l1_root_touches_no_file_of_the_queue_as_root_when_it_copies_or_restores_it() {
    let Some(installation) = Installation::new() else { return };
    let Some(strace) = installed("strace") else { return skipped("strace is not installed") };
    for to in ["one", "two"] {
        let inject = Call::path(&installation.path("bin/qmail-inject")).args(["-a", &format!("{to}@{HOST}")]);
        assert_eq!(inject.input("Subject: t\n\nx\n").run().code, 0);
    }
    for verb in ["snapshot", "restore"] {
        let trace = installation.beside("trace");
        let call =
            Call::path(&strace).env_clear().args(["-f", "-e", "trace=%file,setresuid", "-o"]).arg(&trace);
        let call = call.arg(installation.path("bin/qmail-queuectl"));
        let outcome = call.arg(verb).arg(installation.beside("night")).run();
        let trace = fs::read_to_string(&trace).unwrap_or_default();
        if !trace.contains(" execve(") {
            return skipped(&format!("strace does not run here: {}", outcome.err_text()));
        }
        assert_eq!(outcome.code, 0, "{}", outcome.err_text());
        let (mut is_root, mut others) = (true, 0);
        for line in trace.lines().filter(|line| !line.contains(" execve(")) {
            let (_, call) = line.split_once(' ').expect("a process and a call");
            if let Some(who) = call.trim_start().strip_prefix("setresuid(-1, ") {
                is_root = who.starts_with("0,");
            }
            // The queue is the working directory.
            let names = call.split('"').skip(1).step_by(2);
            for name in names.filter(|name| !name.is_empty() && !name.starts_with('/')) {
                assert!(!is_root, "root touches {name}: {line}");
                others += 1;
            }
        }
        assert!(others > 20, "{others} in {trace}");
        if verb == "snapshot" {
            fs::remove_dir_all(installation.path("queue")).expect("a queue to lose");
            installation.must(&["install", &installation.home()]);
        }
    }
}
