//! What `rblsmtpd` logs, as fail2ban's own filter reads it: a client, a DNS list and a name server that are real.

use harness::{
    Call, Outcome, Running, TcpServer, free_port, installed, program, scratch, skipped, wait_until,
};
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where Debian has the filter.
const FILTER: &str = "/etc/fail2ban/filter.d/qmail.conf";
/// Who connects. A list names the first and nobody the second.
const LISTED: &str = "127.0.0.66";
const UNKNOWN: &str = "127.0.0.67";
const LIST: &str = "bl.example";
const TEXT: &str = "listed as a test; see http://bl.example/?ip=127.0.0.66";

/// dnsmasq, which serves the list on a port of its own.
struct NameServer {
    _running: Running,
    port: u16,
}

impl NameServer {
    fn start(dnsmasq: &Path) -> NameServer {
        let port = free_port();
        let mut command = Command::new(dnsmasq);
        command.args([
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
            "--pid-file=",
        ]);
        command
            .args(["--user=", "--listen-address=127.0.0.1", "--bind-interfaces"])
            .arg(format!("--port={port}"));
        command.arg(format!("--local=/{LIST}/")).arg(format!("--txt-record=66.0.0.127.{LIST},{TEXT}"));
        let running =
            Running::start(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()));
        wait_until("the name server answers", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        NameServer { _running: running, port }
    }
}

/// What a listed and an unknown client are told, and what multilog has in the end.
fn log_of(dnsmasq: &Path, swaks: &Path, options: &[&str]) -> (Outcome, Outcome, tempfile::TempDir) {
    let directory = scratch();
    let names = NameServer::start(dnsmasq);
    let rblsmtpd = program("rblsmtpd");
    let rblsmtpd = rblsmtpd.to_str().expect("an ASCII path");
    let list = format!("-r{LIST}");
    // The greeting, and the answer to QUIT.
    let served = ["/bin/sh", "-c", "printf '220 served\\r\\n'; read quit; printf '221 bye\\r\\n'"];
    let command: Vec<&str> = [&[rblsmtpd][..], options, &[&list], &served].concat();
    let dns = format!("127.0.0.1:{}", names.port);
    let variables = [("DNSCACHEIP", dns.as_str())];
    let server = TcpServer::start(&program("tcpserver"), &["-RHl0"], "127.0.0.1", &command, &variables);
    let ask = |client: &str, last_command: &str| {
        let call = Call::path(swaks).args(["--server", "127.0.0.1", "--port", &server.port().to_string()]);
        let call = call.args(["--local-interface", client, "--helo", "client.example", "--timeout", "20"]);
        call.args(["--from", "a@src.example", "--to", "b@dst.example", "--quit-after", last_command]).run()
    };
    let (listed, unknown) = (ask(LISTED, "RCPT"), ask(UNKNOWN, "CONNECT"));
    wait_until("both connections are over", || server.log().matches("tcpserver: end ").count() == 2);
    let mut stamps =
        Call::ours("accustamp").arg("--").arg(program("multilog")).arg("t").arg(directory.path());
    stamps = stamps.input(server.log());
    let outcome = stamps.run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    (listed, unknown, directory)
}

/// What is needed, or why not.
fn needed() -> Option<(PathBuf, PathBuf, PathBuf)> {
    let found = (installed("dnsmasq"), installed("swaks"), installed("fail2ban-regex"));
    let (Some(dnsmasq), Some(swaks), Some(fail2ban)) = found else {
        skipped("dnsmasq, swaks or fail2ban is not installed");
        return None;
    };
    Some((dnsmasq, swaks, fail2ban))
}

/// The summary of fail2ban's own filter on a log, and the addresses that it would ban.
fn banned(fail2ban: &Path, log: &Path) -> (String, String) {
    let summary = Call::path(fail2ban).arg(log).arg(FILTER).run();
    assert_eq!(summary.code, 0, "{}", summary.err_text());
    let lines = summary.out_text();
    let lines = lines.lines().find(|line| line.starts_with("Lines: ")).expect("a summary").to_owned();
    let hosts = Call::path(fail2ban).args(["-o", "ip"]).arg(log).arg(FILTER).run();
    (lines, hosts.out_text())
}

#[test]
fn a_client_that_a_list_names_is_banned_by_fail2ban_and_no_other() {
    let Some((dnsmasq, swaks, fail2ban)) = needed() else { return };
    let (listed, unknown, directory) = log_of(&dnsmasq, &swaks, &["-l"]);
    assert!(listed.out_text().contains(&format!("<** 451 {TEXT}\n")), "{}", listed.out_text());
    assert!(unknown.out_text().contains("<-  220 served\n"), "{}", unknown.out_text());
    let log = fs::read_to_string(directory.path().join("current")).expect("the log");
    let lines = log.lines().count();
    let word = TEXT.replace(' ', "_");
    assert!(log.contains(&format!(" {LIST} 451 {word}\n")), "{log}");
    let expected = format!("Lines: {lines} lines, 0 ignored, 1 matched, {} missed", lines - 1);
    assert_eq!(
        banned(&fail2ban, &directory.path().join("current")),
        (expected, format!("{LISTED}\n")),
        "{log}"
    );
}

/// The original's line is the default, and the filter does not know it: it says so itself.
#[test]
fn without_the_option_the_log_is_the_originals_which_fail2ban_does_not_read() {
    let Some((dnsmasq, swaks, fail2ban)) = needed() else { return };
    let (_, _, directory) = log_of(&dnsmasq, &swaks, &[]);
    let log = fs::read_to_string(directory.path().join("current")).expect("the log");
    let line = log.lines().find(|line| line.contains(" rblsmtpd: ")).expect("a line of rblsmtpd");
    let (_, rest) = line.split_once(&format!(" rblsmtpd: {LISTED} pid ")).expect("its client");
    assert_eq!(rest.split_once(": ").map(|(_, text)| text), Some(format!("451 {TEXT}").as_str()));
    let (lines, hosts) = banned(&fail2ban, &directory.path().join("current"));
    assert!(lines.contains(", 0 matched, "), "{lines}");
    assert_eq!(hosts, "");
}
