//! A real installation, with the accounts of the mail system: what root installs, checks and starts.

use harness::{HOST, Installation, OrdinaryUser, free_port, messages, uid_of, wait_until};
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::path::PathBuf;
use unix::account;

/// The user that the test makes, and removes at its end.
const USER: &str = "suite-test-joe";

#[test]
fn an_installation_is_as_the_manual_says_and_check_names_whatever_differs() {
    let Some(installation) = Installation::new() else { return };
    assert_eq!(installation.complaints(), Vec::<String>::new());
    let qmail = account::find_group("qmail").expect("the groups").expect("the group qmail");
    for (name, owner, mode) in [
        ("", "root", 0o755),
        ("control", "root", 0o755),
        ("alias", "alias", 0o2755),
        ("queue", "qmailq", 0o750),
        ("queue/pid", "qmailq", 0o700),
        ("queue/intd", "qmailq", 0o700),
        ("queue/todo", "qmailq", 0o750),
        ("queue/bounce", "qmails", 0o700),
        ("queue/mess/22", "qmailq", 0o750),
        ("queue/info/0", "qmails", 0o700),
        ("queue/local/7", "qmails", 0o700),
        ("queue/remote", "qmails", 0o700),
        ("queue/lock", "qmailq", 0o750),
        ("queue/lock/tcpto", "qmailr", 0o644),
        ("queue/lock/sendmutex", "qmails", 0o600),
        ("queue/lock/trigger", "qmails", 0o622),
        ("bin/qmail-queue", "qmailq", 0o4711),
        ("bin/qmail-lspawn", "root", 0o700),
        ("bin/qmail-start", "root", 0o700),
        ("bin/qmail-send", "root", 0o711),
        ("bin/qmail-local", "root", 0o711),
        ("bin/qmail-inject", "root", 0o755),
        ("boot/home", "root", 0o755),
        ("boot/qmail.service", "root", 0o644),
    ] {
        let found = fs::symlink_metadata(installation.path(name)).expect(name);
        let expected = (uid_of(owner), qmail, mode);
        assert_eq!((found.uid(), found.gid(), found.mode() & 0o7777), expected, "{name}");
    }
    assert_eq!(fs::metadata(installation.path("queue/lock/tcpto")).expect("tcpto").len(), 1024);
    let trigger = fs::symlink_metadata(installation.path("queue/lock/trigger")).expect("the trigger");
    assert!(trigger.file_type().is_fifo());
    for (file, text) in
        [("me", "mail.example.org\n"), ("plusdomain", "example.org\n"), ("rcpthosts", "mail.example.org\n")]
    {
        assert_eq!(fs::read_to_string(installation.path("control").join(file)).expect(file), text);
    }

    for (name, mode) in [
        ("control", 0o775),
        ("alias", 0o755),
        ("queue", 0o755),
        ("queue/mess/3", 0o755),
        ("queue/info/0", 0o750),
        ("queue/lock/tcpto", 0o600),
        ("queue/lock/sendmutex", 0o644),
        ("queue/lock/trigger", 0o600),
        ("bin/qmail-queue", 0o711),
        ("bin/qmail-start", 0o755),
        ("bin/sendmail", 0o711),
    ] {
        let path = installation.path(name);
        let right = fs::metadata(&path).expect(name).permissions();
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("another mode");
        let text = format!("{}: has mode {mode:04o}, not {:04o}", path.display(), right.mode() & 0o7777);
        assert_eq!(installation.complaints(), [text]);
        fs::set_permissions(&path, right).expect("the right mode");
    }
    for name in [
        "users",
        "queue/todo",
        "queue/local/22",
        "queue/lock/trigger",
        "queue/lock/tcpto",
        "bin/qmail-queue",
        "bin/svc",
    ] {
        let path = installation.path(name);
        let right = fs::metadata(&path).expect(name);
        for (uid, gid, what) in [(Some(65_534), None, "user"), (None, Some(65_534), "group")] {
            chown(&path, uid, gid).expect("another owner");
            let complaints = installation.complaints();
            let (owner, group) = (right.uid(), right.gid());
            let number = if what == "user" { owner } else { group };
            let text = format!("{}: belongs to {what} 65534, not {number}", path.display());
            assert_eq!(complaints.first(), Some(&text));
            assert!(complaints.iter().all(|line| line.starts_with(&format!("{}: ", path.display()))));
            chown(&path, Some(owner), Some(group)).expect("the right owner");
            fs::set_permissions(&path, right.permissions())
                .expect("the mode, of which chown takes a bit away");
        }
    }
    let (trigger, mutex, away) = (
        installation.path("queue/lock/trigger"),
        installation.path("queue/lock/sendmutex"),
        installation.path("queue/lock/away"),
    );
    fs::rename(&trigger, &away).expect("a trigger that is away");
    assert_eq!(installation.complaints(), [format!("{}: file does not exist", trigger.display())]);
    fs::hard_link(&mutex, &trigger).expect("a file in its place");
    assert_eq!(installation.complaints(), [format!("{}: is not a named pipe", trigger.display())]);
    fs::remove_file(&trigger).and_then(|()| fs::rename(&away, &trigger)).expect("the trigger again");
    assert_eq!(installation.complaints(), Vec::<String>::new());

    // Who may read a log is the administrator's decision, who writes it is not.
    let log = installation.path("log/smtpd");
    fs::set_permissions(&log, Permissions::from_mode(0o2755)).expect("a log for everybody");
    chown(&log, None, Some(0)).expect("another group");
    assert_eq!(installation.complaints(), Vec::<String>::new());
    chown(&log, Some(0), None).expect("another owner");
    let text = format!("{}: belongs to user 0, not {}", log.display(), uid_of("qmaill"));
    assert_eq!(installation.complaints(), [text]);

    // A service that was allowed to run is as it should be.
    fs::remove_file(installation.path("service/pop3d/down")).expect("a service that is down");
    assert_eq!(installation.complaints().len(), 1);

    // Installing again mends what differs, and touches no settings.
    fs::set_permissions(installation.path("queue/todo"), Permissions::from_mode(0o700)).expect("a mode");
    fs::remove_dir(installation.path("queue/remote/5")).expect("a directory that is missing");
    fs::write(installation.path("control/rcpthosts"), "changed.example\n").expect("a setting");
    installation.must(&["install", &installation.home()]);
    assert_eq!(installation.complaints(), Vec::<String>::new());
    let setting = fs::read_to_string(installation.path("control/rcpthosts")).expect("the setting");
    assert_eq!(setting, "changed.example\n");
    assert!(!installation.path("service/pop3d/down").exists());
}

#[test]
fn mail_goes_through_a_real_installation_and_each_program_runs_as_its_account() {
    let Some(mut installation) = Installation::new() else { return };
    let joe = OrdinaryUser::new(USER, installation.beside(""));
    let home = joe.home.clone();
    let maildir = home.join("Maildir");
    assert_eq!(joe.call(&installation.path("bin/maildirmake")).arg(&maildir).run().code, 0);
    fs::write(installation.path("control/concurrencyremote"), "0\n").expect("a setting");
    let port = free_port();
    let run = installation.path("service/smtpd/run");
    let script = fs::read_to_string(&run).expect("the script");
    let script = script.replace("HOST=0\nPORT=smtp\n", &format!("HOST=127.0.0.1\nPORT={port}\n"));
    harness::put_program(&run, script);
    installation.start("qmail");
    installation.start("smtpd");
    wait_until("smtpd answers", || TcpStream::connect(("127.0.0.1", port)).is_ok());

    // By the user, for himself; by the network, for his extension and for an alias.
    let inject = joe.call(&installation.path("bin/qmail-inject"));
    let outcome = inject.arg(format!("{USER}@{HOST}")).input("Subject: injected\n\nx\n").run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    fs::write(home.join(".qmail-ext"), "|id -un >who; id -G >>who; pwd >>who\n./Maildir/\n")
        .expect("instructions");
    chown(home.join(".qmail-ext"), Some(joe.account.uid), Some(joe.account.gid)).expect("their owner");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    // A child of qmail-lspawn on its way to qmail-local would show the name of one and the account of the other.
    wait_until("the injected message is delivered", || messages(&maildir).len() == 1);
    wait_until("qmail-smtpd runs", || installation.who_runs_what().contains_key("qmail-smtpd"));
    let running = installation.who_runs_what();
    let session = format!(
        "HELO client\r\nMAIL FROM:<s@src.example>\r\nRCPT TO:<{USER}-ext@{HOST}>\r\nRCPT TO:<postmaster@{HOST}>\r\n\
         RCPT TO:<x@elsewhere.example>\r\nDATA\r\nSubject: by SMTP\r\n\r\nx\r\n.\r\nQUIT\r\n"
    );
    stream.write_all(session.as_bytes()).expect("a session");
    let mut replies = String::new();
    stream.read_to_string(&mut replies).expect("the replies");
    // 127.0.0.1 may relay; the remote recipient is taken, and stays in the queue.
    assert_eq!(replies.matches("\n250 ok").count(), 5, "{replies}");

    let new = maildir.join("new");
    wait_until("both messages are delivered", || fs::read_dir(&new).expect("a maildir").count() == 2);
    for entry in fs::read_dir(&new).expect("a maildir").flatten() {
        let found = entry.metadata().expect("the message");
        assert_eq!((found.uid(), found.mode() & 0o777), (joe.account.uid, 0o600));
    }
    let texts = messages(&maildir);
    let injected = texts.iter().find(|text| text.contains("Subject: injected")).expect("the first message");
    assert!(injected.contains(&format!(" invoked by uid {}); ", joe.account.uid)), "{injected}");
    assert!(injected.contains(&format!("\nFrom: {USER}@{HOST}\n")), "{injected}");
    let by_smtp = texts.iter().find(|text| text.contains("Subject: by SMTP")).expect("the second message");
    assert!(by_smtp.contains(" invoked from network); "), "{by_smtp}");
    let who = format!("{USER}\n{}\n{}\n", joe.account.gid, home.display());
    assert_eq!(fs::read_to_string(home.join("who")).expect("what the program wrote"), who);
    let aliases = installation.path("alias/Maildir");
    wait_until("the alias has its copy", || messages(&aliases).len() == 1);
    assert_eq!(fs::metadata(aliases.join("new")).expect("a maildir").uid(), uid_of("alias"));

    for (program, account) in [
        ("supervise", "root"),
        ("qmail-lspawn", "root"),
        ("qmail-send", "qmails"),
        ("qmail-rspawn", "qmailr"),
        ("qmail-clean", "qmailq"),
        ("tcpserver", "qmaild"),
        ("qmail-smtpd", "qmaild"),
        ("accustamp", "qmaill"),
        ("cyclog", "qmaill"),
    ] {
        assert_eq!(running.get(program).map(String::as_str), Some(account), "{program}: {running:?}");
    }
    for (program, account) in &running {
        // The qmail-local that qmail-lspawn keeps delivers nothing itself: each copy becomes a user first.
        let may_be_root = ["supervise", "qmail-lspawn", "qmail-local"].contains(&program.as_str());
        assert!(may_be_root || account != "root", "{program} runs as root");
    }
    // The message to elsewhere waits. Root may hold it, and nobody else may even look.
    let queuectl = installation.path("bin/qmail-queuectl");
    for words in [&["list"][..], &["remove", "-a"]] {
        let outcome = joe.call(&queuectl).args(words).run();
        assert_eq!((outcome.code, outcome.out_text().as_str()), (100, ""));
        assert!(
            outcome.err_text().ends_with(" only root and qmails may control the queue\n"),
            "{}",
            outcome.err_text()
        );
    }
    let held = harness::Call::path(&queuectl).args(["hold", "-h", "elsewhere.example"]).run();
    assert_eq!((held.code, held.out_text().ends_with(": held\n")), (0, true), "{}", held.err_text());
    assert_eq!(installation.complaints(), Vec::<String>::new());
    installation.stop();
    for (service, line) in [("qmail", " status: exiting\n"), ("smtpd", " tcpserver: status: 0/40\n")] {
        let entries =
            fs::read_dir(installation.path("log").join(service)).expect("a log directory").flatten();
        let files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        assert!(!files.is_empty());
        for file in &files {
            assert_eq!(fs::metadata(file).expect("a log file").uid(), uid_of("qmaill"), "{}", file.display());
        }
        let texts = files.iter().map(|file| fs::read_to_string(file).expect("an ASCII log"));
        assert!(texts.collect::<String>().contains(line), "{service}");
    }
}
