//! The service directories of the optional network programs, as they are installed.

use harness::{Instance, Running, free_port, wait_until};
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Stdio;

/// Starts a service by its own `run`, on a port of the loopback address.
fn start(instance: &Instance, service: &str) -> (Running, u16) {
    let port = free_port();
    let name = format!("service/{service}/run");
    let text = fs::read_to_string(instance.path(&name)).expect("a run file");
    let changed = |line: &str| match line.split_once('=') {
        Some(("HOST", _)) => "HOST=127.0.0.1".to_owned(),
        Some(("PORT", _)) => format!("PORT={port}"),
        Some(("CHECK", _)) => "CHECK=false".to_owned(),
        _ => line.to_owned(),
    };
    let lines: Vec<String> = text.lines().map(changed).collect();
    fs::write(instance.path(&name), lines.join("\n") + "\n").expect("a run file");
    let mut command = instance.command(&instance.path(&name));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let running = Running::start(&mut command);
    wait_until("the service listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    (running, port)
}

/// Everything that the service answers to these bytes.
fn talk(port: u16, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write)).expect("a server that reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn each_optional_service_works_as_it_is_installed() {
    let instance = Instance::new();
    let (_qmtpd, port) = start(&instance, "qmtpd");
    // A client on this host may send anywhere.
    assert!(talk(port, b"3:\nx\n,3:s@x,19:15:x@there.example,,").contains(":Kok "));
    let (_qmqpd, port) = start(&instance, "qmqpd");
    assert!(talk(port, b"30:2:x\n,3:s@x,15:x@there.example,,").contains(":Kok "));
    let (_pop3d, port) = start(&instance, "pop3d");
    let answer = talk(port, b"USER joe\r\nPASS x\r\n");
    assert!(answer.starts_with("+OK <") && answer.contains("@mail.example.org>\r\n"), "{answer}");
    assert!(answer.ends_with("+OK \r\n-ERR authorization failed\r\n"), "{answer}");
    assert_eq!(instance.queue().iter().filter(|name| name.starts_with("todo/")).count(), 2);
}

/// What the source tree has for a service is what is installed, and every server of the network has its log and its rules.
#[test]
fn each_service_has_its_log_and_each_server_its_rules() {
    let instance = Instance::new();
    let templates =
        fs::read_dir(harness::source_tree().join("service-templates")).expect("the templates").flatten();
    let names: Vec<String> = templates
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().expect("an ASCII name"))
        .collect();
    for service in ["qmail", "smtpd", "qmtpd", "qmqpd", "pop3d"] {
        assert!(names.iter().any(|name| name == service), "{service} is not in {names:?}");
    }
    for name in names {
        let mut files = vec!["run", "log/run"];
        // qmail itself listens nowhere.
        files.extend((name != "qmail").then_some(["rules", "rules.cdb"]).into_iter().flatten());
        for file in files {
            assert!(instance.path(&format!("service/{name}/{file}")).is_file(), "{name}/{file}");
        }
        assert!(instance.path(&format!("log/{name}")).is_dir(), "{name}");
    }
}

#[test]
fn optional_services_are_down_until_somebody_wants_them() {
    let instance = Instance::new();
    for service in ["qmtpd", "qmqpd", "pop3d"] {
        assert!(instance.path(&format!("service/{service}/down")).exists());
        assert!(instance.path(&format!("service/{service}/rules.cdb")).exists());
        assert!(instance.path(&format!("log/{service}")).is_dir());
    }
    for service in ["qmail", "smtpd"] {
        assert!(!instance.path(&format!("service/{service}/down")).exists());
    }
    fs::remove_file(instance.path("service/qmtpd/down")).expect("the file down");
    instance.install();
    assert!(!instance.path("service/qmtpd/down").exists());
    assert!(instance.path("service/qmqpd/down").exists());
}

/// Whoever may connect by QMQP may send anywhere, so strangers may not.
#[test]
fn strangers_may_not_use_qmqp() {
    let instance = Instance::new();
    for (address, text) in [
        ("192.0.2.1", "deny connection"),
        ("2001:db8::1", "deny connection"),
        ("127.0.0.1", "allow connection"),
    ] {
        let rules = instance.path("service/qmqpd/rules.cdb");
        let outcome = instance.call("tcprulescheck").arg(rules).env("TCPREMOTEIP", address).run();
        assert!(outcome.out_text().contains(text), "{address}: {}", outcome.out_text());
    }
}
