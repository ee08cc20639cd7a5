//! A host without a queue: qmail-qmqpc in the place of qmail-queue.

use crate::quick_protocols::serve;
use harness::{Call, Instance, MailHome, Running, free_port, messages, skipped, wait_until};
use std::path::Path;
use std::process::{Command, Stdio};

/// A home with the programs that users call, whose qmail-queue is qmail-qmqpc.
fn null_client(servers: &str) -> MailHome {
    let home = MailHome::new([("me", &b"null.example.org\n"[..]), ("qmqpservers", servers.as_bytes())]);
    for name in ["qmail-qmqpc", "qmail-inject", "sendmail"] {
        home.program(name);
    }
    std::os::unix::fs::symlink("qmail-qmqpc", home.path().join("bin/qmail-queue")).expect("a link");
    home
}

fn send(home: &MailHome, program: &str, arguments: &[&str], message: &str) -> (i32, String) {
    let outcome = Call::path(&home.path().join("bin").join(program))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("USER", "joe")
        .args(arguments)
        .input(message)
        .run();
    (outcome.code, outcome.err_text())
}

#[test]
fn what_users_send_arrives_through_the_second_server_when_the_first_is_down() {
    let mut instance = Instance::new();
    let joe = instance.mailbox("joe");
    instance.start();
    let server = serve(&instance, "qmail-qmqpd", &[]);
    let home = null_client(&format!("[127.0.0.1]:{}\n[127.0.0.1]:{}\n", free_port(), server.port()));
    let message = "To: joe@mail.example.org\nSubject: by null client\n\n.\nbody\n";
    assert_eq!(send(&home, "qmail-inject", &[], message), (0, String::new()));
    assert_eq!(send(&home, "sendmail", &["-t"], message), (0, String::new()));
    assert_eq!(send(&home, "sendmail", &["joe@mail.example.org"], message), (0, String::new()));
    instance.wait_until_delivered();
    let messages = messages(&joe);
    assert_eq!(messages.len(), 3);
    for text in messages {
        assert!(text.starts_with("Return-Path: <joe@null.example.org>\n"), "{text}");
        assert!(text.contains("\n  by mail.example.org with QMQP; "), "{text}");
        assert!(text.ends_with("\n\n.\nbody\n"), "{text}");
        // qmail-qmqpc adds no line of its own: the servers' and the queue's there are all.
        assert_eq!(text.matches("\nReceived: ").count(), 2, "{text}");
    }
    drop(server);
    instance.stop();
}

/// Nothing is lost in silence: the user has the message still, and is told why.
#[test]
fn a_user_is_told_when_no_server_takes_the_message() {
    let home = null_client(&format!("[127.0.0.1]:{}\n", free_port()));
    let (code, err) = send(&home, "qmail-inject", &["joe@mail.example.org"], "Subject: x\n\nb\n");
    assert_eq!(code, 111);
    assert!(err.contains("connection to mail server rejected (#4.4.1)"), "{err}");
    std::fs::remove_file(home.path().join("control/qmqpservers")).expect("a control file");
    let (code, err) = send(&home, "qmail-inject", &["joe@mail.example.org"], "Subject: x\n\nb\n");
    assert_eq!(code, 111);
    assert!(err.contains("qq unable to read configuration (#4.3.0)"), "{err}");
}

/// A server whose queue is broken puts the message off, one that refuses it refuses it here.
#[test]
fn what_the_servers_queue_says_reaches_the_user() {
    let instance = Instance::new();
    for (status, code, text) in [
        ("53", 111, "mail server temporarily rejected message (#4.3.0)"),
        ("31", 100, "mail server permanently rejected message (#5.3.0)"),
    ] {
        let script = instance.beside(&format!("queue-{status}"));
        harness::put_program(
            &script,
            format!("#!/bin/sh\ncat >/dev/null\ncat <&1 >/dev/null\nexit {status}\n"),
        );
        let server = serve(&instance, "qmail-qmqpd", &[("QMAILQUEUE", script.to_str().expect("ASCII"))]);
        let home = null_client(&format!("[127.0.0.1]:{}\n", server.port()));
        let (found, err) = send(&home, "qmail-inject", &["joe@mail.example.org"], "Subject: x\n\nb\n");
        assert_eq!(found, code, "{err}");
        assert!(err.contains(text), "{err}");
    }
}

/// An independent server takes the message.
#[test]
fn qmqp_sink_takes_what_qmail_qmqpc_sends() {
    let Some(sink) = harness::installed("qmqp-sink") else {
        return skipped("qmqp-sink (Debian: postfix) is not installed");
    };
    let message = format!("Subject: x\n\n{}", "line\n".repeat(100_000));
    for recipients in [&["joe@mail.example.org"][..], &["a@x.example", "b@x.example", "c@x.example"]] {
        let answers = (0..3).find_map(|_| answer_of(&sink, recipients, &message));
        assert_eq!(answers, Some((0, String::new())));
    }
}

/// What the sender hears; nothing if the sink has crashed, as it does when somebody connects and says nothing: another
/// test may, that looks for a server on a port of its own which was this one's before.
fn answer_of(sink: &Path, recipients: &[&str], message: &str) -> Option<(i32, String)> {
    let port = free_port();
    let mut running = start_sink(sink, port);
    let home = null_client(&format!("[127.0.0.1]:{port}\n"));
    let answer = send(&home, "qmail-inject", recipients, message);
    (answer.0 == 0 || running.is_alive()).then_some(answer)
}

fn start_sink(program: &Path, port: u16) -> Running {
    let mut command = Command::new(program);
    command.arg(format!("inet:127.0.0.1:{port}")).arg("20").stdout(Stdio::null()).stderr(Stdio::null());
    let running = Running::start(&mut command);
    // It does not survive a client that says nothing, so it is not asked.
    let listening = format!(":{port:04X} 00000000:0000 0A ");
    wait_until("qmqp-sink listens", || {
        std::fs::read_to_string("/proc/net/tcp").is_ok_and(|table| table.contains(&listening))
    });
    running
}
