//! Programs that are kept and copy themselves: the mail is the same, and nobody depends on them.

use harness::{HOST, Instance, TcpServer, messages, put_program, wait_until};
use std::fs;
use std::io::{Read, Write};
use std::path::Path;

/// A server of mail that keeps its programs.
fn start_server(instance: &Instance, name: &str, options: &[&str]) -> TcpServer {
    instance.serve(&[&["-kHRl0"], options].concat(), name, &[])
}

/// Sends joe a message; the last reply but that to QUIT.
fn send(server: &TcpServer, subject: &str) -> String {
    let mut stream = server.connect("127.0.0.1");
    let text = format!(
        "HELO {subject}.example\r\nMAIL FROM:<>\r\nRCPT TO:<joe@{HOST}>\r\nDATA\r\nSubject: {subject}\r\n\r\nx\r\n.\r\nQUIT\r\n"
    );
    stream.write_all(text.as_bytes()).expect("a server that reads");
    let mut replies = String::new();
    // Who is turned away with words unread is reset.
    let _ = stream.read_to_string(&mut replies);
    replies.lines().rev().nth(1).unwrap_or_default().to_owned()
}

fn subjects(maildir: &Path) -> Vec<String> {
    let subject = |text: &String| {
        text.lines().find_map(|line| line.strip_prefix("Subject: ").map(str::to_owned)).expect("a subject")
    };
    let mut subjects: Vec<String> = messages(maildir).iter().map(subject).collect();
    subjects.sort();
    subjects
}

/// R7: each that is killed is replaced, and a message for which there is none is handled as ever.
#[test]
fn r7_mail_flows_whichever_of_the_kept_programs_is_killed() {
    let mut instance = Instance::in_memory();
    let maildir = instance.mailbox("joe");
    instance.start();
    let server = start_server(&instance, "qmail-smtpd", &[]);
    let mut sent = Vec::new();
    let mut deliver = |instance: &Instance, subject: &str| {
        let reply = send(&server, subject);
        assert!(reply.starts_with("250 ok "), "{subject}: {reply}");
        sent.push(subject.to_owned());
        sent.sort();
        wait_until("the message is delivered", || subjects(&maildir) == sent);
        instance.wait_until_delivered();
    };
    deliver(&instance, "first");
    for name in ["qmail-smtpd", "qmail-queue", "qmail-local", "qmail-getpw"] {
        // One that died just when it was called is missed by that message, and replaced with the next.
        deliver(&instance, &format!("{name}-is-replaced"));
        let processes = instance.processes();
        let kept = instance.pid_of(name).unwrap_or_else(|| panic!("{name} is kept: {processes:?}"));
        deliver(&instance, &format!("{name}-copies-itself"));
        assert_eq!(instance.pid_of(name), Some(kept));
        assert!(instance.kill(name));
        deliver(&instance, &format!("{name}-was-killed"));
    }
    let log = server.log();
    let count = |part: &str| log.matches(part).count();
    assert_eq!((count("tcpserver: pid "), count("tcpserver: ok ")), (13, 13), "{log}");
    wait_until("the ends of all connections are logged", || {
        server.log().matches(" status 0\n").count() == 13
    });
    drop(server);
    wait_until("what served the network has ended with it", || {
        instance.pid_of("qmail-smtpd").is_none() && instance.pid_of("qmail-queue").is_none()
    });
    instance.stop();
}

/// Whoever puts another program in the place of one of ours finds it in use at once.
#[test]
fn a_program_that_is_replaced_is_the_one_that_is_run() {
    let mut instance = Instance::in_memory();
    let maildir = instance.mailbox("joe");
    instance.start();
    let server = start_server(&instance, "qmail-smtpd", &[]);
    assert!(send(&server, "first").starts_with("250 ok "));
    wait_until("the message is delivered", || subjects(&maildir) == ["first"]);

    let replace = |name: &str, script: &str| {
        let path = instance.path("bin").join(name);
        let original = fs::read(&path).expect("the program");
        put_program(&path, script);
        (path, original)
    };
    let (queue, original) = replace("qmail-queue", "#!/bin/sh\nexit 31\n");
    assert_eq!(send(&server, "refused"), "554 mail server permanently rejected message (#5.3.0)");
    put_program(&queue, original);

    let (local, original) = replace("qmail-local", "#!/bin/sh\necho replaced; exit 0\n");
    assert!(send(&server, "swallowed").starts_with("250 ok "));
    instance.wait_for_log(" success: replaced/");
    put_program(&local, original);

    replace("qmail-getpw", "#!/bin/sh\nexit 115\n");
    assert!(send(&server, "waiting").starts_with("250 ok "));
    instance.wait_for_log(" deferral: ");
    assert_eq!(subjects(&maildir), ["first"]);

    replace("qmail-smtpd", "#!/bin/sh\necho 220 replaced; sed -n /QUIT/q; echo bye; echo\n");
    assert_eq!(send(&server, "nobody"), "bye");
    drop(server);
    instance.stop();
}

/// A program that does something and then runs ours does it for each message: ours is not kept in its place.
#[test]
fn what_stands_before_a_program_is_passed_each_time() {
    let mut instance = Instance::in_memory();
    let maildir = instance.mailbox("joe");
    instance.start();
    for name in ["qmail-queue", "qmail-local"] {
        let path = instance.path("bin").join(name);
        let real = path.with_extension("real");
        put_program(&real, fs::read(&path).expect("the program"));
        // A message that is none, with which it is found out whether the program knows how to copy itself, is not counted.
        let script =
            format!("#!/bin/sh\necho >>{}-$(id -u)\nexec $0.real \"$@\"\n", instance.path(name).display());
        put_program(&path, script);
    }
    let counted = |name: &str| {
        let count = instance.path(&format!("{name}-{}", harness::owner_uid()));
        fs::read(count).map_or(0, |lines| lines.len())
    };
    let server = start_server(&instance, "qmail-smtpd", &[]);
    for number in 1..=3 {
        assert!(send(&server, &format!("m{number}")).starts_with("250 ok "));
        wait_until("the message is delivered", || messages(&maildir).len() == number);
        assert!(["qmail-queue", "qmail-local"].iter().all(|name| counted(name) >= number));
    }
    drop(server);
    instance.stop();
}

/// What a rule sets for one connection, and what it makes qmail-queue, is not there in the next.
#[test]
fn each_connection_has_the_environment_of_its_rule() {
    let instance = Instance::in_memory();
    instance.mailbox("joe");
    let rules = |text: &str| {
        let database = instance.beside("rules.cdb");
        let made = harness::Call::ours("tcprules")
            .args([&database, &instance.beside("rules.tmp")])
            .input(text)
            .run();
        assert_eq!(made.code, 0, "{}", made.err_text());
        fs::set_permissions(&database, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("a mode");
        database.display().to_string()
    };
    put_program(&instance.path("bin/refuse"), "#!/bin/sh\nexit 31\n");
    let database = rules(":allow,QMAILQUEUE=\"bin/refuse\"\n");
    let server = start_server(&instance, "qmail-smtpd", &["-x", &database]);
    let relayed = |server: &TcpServer| {
        let mut stream = server.connect("127.0.0.1");
        let session = b"HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@elsewhere.example>\r\nQUIT\r\n";
        stream.write_all(session).expect("a server that reads");
        let mut replies = String::new();
        stream.read_to_string(&mut replies).expect("a server that replies");
        replies.contains("250 ok\r\n250 ok\r\n")
    };
    assert!(send(&server, "refused").starts_with("554 "));
    assert!(!relayed(&server));
    rules(":allow,RELAYCLIENT=\"\"\n");
    assert!(send(&server, "taken").starts_with("250 ok "));
    assert!(relayed(&server));
    rules(":deny\n");
    assert_eq!(send(&server, "denied"), "");
    assert!(server.logged("tcpserver: deny ").contains(":127.0.0.1:"));
}

/// A program that does not know how to copy itself is run for each connection.
#[test]
fn a_program_that_cannot_be_kept_is_run_as_without_the_option() {
    let program = harness::program("tcpserver");
    let server = TcpServer::start(
        &program,
        &["-kHRl0"],
        "127.0.0.1",
        &["sh", "-c", "echo \"$TCPREMOTEIP $A\""],
        &[("A", "b")],
    );
    for _ in 0..3 {
        let mut said = String::new();
        server.connect("127.0.0.1").read_to_string(&mut said).expect("what the program says");
        assert_eq!(said, "127.0.0.1 b\n");
    }
    assert_eq!(server.log().matches("tcpserver: ok ").count(), 3);
}

/// QMTP and QMQP, whose requests are netstrings.
#[test]
fn the_quick_protocols_are_served_by_programs_that_are_kept_too() {
    let netstring = |text: &str| format!("{}:{text},", text.len());
    let request = |number: usize, is_qmtp: bool| {
        let message = format!("{}Subject: quick-{number}\n\nx\n", if is_qmtp { "\n" } else { "" });
        let (sender, recipient) = (netstring("s@src.example"), netstring(&format!("joe@{HOST}")));
        let recipient = if is_qmtp { netstring(&recipient) } else { recipient };
        let parts = [netstring(&message), sender, recipient].concat();
        if is_qmtp { parts } else { netstring(&parts) }
    };
    let mut instance = Instance::in_memory();
    let maildir = instance.mailbox("joe");
    instance.start();
    for (at, name) in ["qmail-qmtpd", "qmail-qmqpd"].into_iter().enumerate() {
        let server = start_server(&instance, name, &[]);
        for number in [2 * at + 1, 2 * at + 2] {
            let mut stream = server.connect("127.0.0.1");
            stream.write_all(request(number, at == 0).as_bytes()).expect("a server that reads");
            stream.shutdown(std::net::Shutdown::Write).expect("an end");
            let mut reply = String::new();
            stream.read_to_string(&mut reply).expect("a server that replies");
            assert!(reply.contains(":Kok "), "{name}: {reply}");
            wait_until("the message is delivered", || messages(&maildir).len() == number);
        }
        assert!(instance.pid_of(name).is_some() && instance.pid_of("qmail-queue").is_some());
    }
    instance.stop();
}

/// Each of many connections is counted and logged as one, whichever copy serves it.
#[test]
fn connections_are_counted_and_not_copies() {
    let instance = Instance::in_memory();
    instance.mailbox("joe");
    let server = start_server(&instance, "qmail-smtpd", &["-v", "-c2"]);
    let connections = 40;
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let server = &server;
            scope.spawn(move || {
                for number in 0..connections / 4 {
                    assert!(send(server, &format!("m{thread}-{number}")).starts_with("250 ok "));
                }
            });
        }
    });
    let is_over =
        |log: &str| log.matches(" status 0\n").count() == connections && log.ends_with("status: 0/2\n");
    wait_until("the ends of all connections are logged", || is_over(&server.log()));
    let log = server.log();
    let serving: Vec<&str> =
        log.lines().filter_map(|line| line.strip_prefix("tcpserver: status: ")).collect();
    assert!(serving.iter().all(|status| ["0/2", "1/2", "2/2"].contains(status)), "{log}");
    assert_eq!(serving.last(), Some(&"0/2"), "{log}");
    let numbers = || log.lines().filter_map(|line| line.strip_prefix("tcpserver: pid ")?.split(' ').next());
    let copies: std::collections::BTreeSet<&str> = numbers().collect();
    assert_eq!(numbers().count(), connections);
    assert!(copies.len() < connections, "no copy has served two: {log}");
    // Between two lines that begin a connection with one process there is one that ends the first.
    for copy in copies {
        let lines = log.lines().filter(|line| line.split(' ').any(|word| word == copy));
        let events: Vec<&str> = lines.filter_map(|line| line.split(' ').nth(1)).collect();
        assert!(events.chunks(3).all(|events| events == ["pid", "ok", "end"]), "{events:?}\n{log}");
    }
}

/// R7: nobody waits for a server that is gone, although copies of it that are at work still have its socket.
#[test]
fn r7_a_program_is_replaced_while_copies_of_it_are_at_work() {
    let mut instance = Instance::in_memory();
    let maildir = instance.mailbox("joe");
    instance.start();
    let server = start_server(&instance, "qmail-smtpd", &[]);
    let begin = |subject: &str| {
        let mut stream = server.connect("127.0.0.1");
        let text =
            format!("HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<joe@{HOST}>\r\nDATA\r\nSubject: {subject}\r\n\r\n");
        stream.write_all(text.as_bytes()).expect("a server that reads");
        let mut replies = String::new();
        let mut byte = [0];
        while !replies.contains("\n354 ") {
            stream.read_exact(&mut byte).expect("a server that replies");
            replies.push(char::from(byte[0]));
        }
        stream
    };
    // The first copies serve no more than this one: neither those of qmail-smtpd nor those of qmail-queue wait for calls.
    let mut busy = begin("busy");
    for name in ["qmail-smtpd", "qmail-queue"] {
        // The last one: an earlier qmail-queue lives as long as the copy that could call it. It has what it gave its copy for a moment more.
        let kept = || {
            let mut processes = instance.processes().into_iter();
            processes.rfind(|(pid, program)| program == name && harness::is_kept(*pid))
        };
        wait_until("the program is kept, and only waits", || kept().is_some());
        let (pid, _) = kept().expect("the program that is kept");
        unix::process::kill(unix::process::Pid::from_raw(pid), unix::signal::Signal::SIGKILL)
            .expect("a kill");
        let reply = send(&server, &format!("without-{name}"));
        assert!(reply.starts_with("250 ok "), "without {name}: {reply}\n{}", server.log());
    }
    busy.write_all(b"x\r\n.\r\nQUIT\r\n").expect("a server that reads");
    let mut replies = String::new();
    busy.read_to_string(&mut replies).expect("a server that replies");
    assert!(replies.contains("250 ok "), "{replies}");
    wait_until("the messages are delivered", || {
        subjects(&maildir) == ["busy", "without-qmail-queue", "without-qmail-smtpd"]
    });
    drop(server);
    instance.stop();
}
