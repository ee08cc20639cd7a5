//! `qmail-setup run`, the program behind `make run`: a supervised instance, and what an administrator does to it.

use crate::remote::Sink;
use harness::messages;
use harness::{Call, Outcome, Running, free_port, installable, installed, is_root, processes_in, scratch};
use harness::{settles, skipped, wait_until};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use unix::process::Pid;
use unix::signal::Signal;

/// Programs that are there from the first message on, because they are kept.
const KEPT: [&str; 5] = ["qmail-getpw", "qmail-local", "qmail-queue", "qmail-remote", "qmail-smtpd"];

/// What runs in an instance besides.
const PROGRAMS: [&str; 18] = [
    "accustamp",
    "accustamp",
    "accustamp",
    "cyclog",
    "cyclog",
    "cyclog",
    "qmail-clean",
    "qmail-lspawn",
    "qmail-rspawn",
    "qmail-send",
    "supervise",
    "supervise",
    "supervise",
    "supervise",
    "supervise",
    "supervise",
    "tcpserver",
    "tcpserver",
];

/// `qmail-setup run DIRECTORY PORT`, until the test ends.
struct TryOut {
    scratch: tempfile::TempDir,
    port: u16,
    setup: Running,
}

/// A call of `qmail-setup run`, from programs that anybody may read.
fn run(scratch: &Path, words: &[&str]) -> Outcome {
    let setup = installable(scratch).join("qmail-setup");
    Call::path(&setup).arg("run").arg(scratch.join("instance")).args(words).run()
}

impl TryOut {
    /// Starts it, and waits until the first message has arrived.
    fn start() -> TryOut {
        let (scratch, port) = (scratch(), free_port());
        let output = File::create(scratch.path().join("output")).expect("a file for the output");
        let mut command = Command::new(installable(scratch.path()).join("qmail-setup"));
        command.arg("run").arg(scratch.path().join("instance")).arg(port.to_string());
        command.stdin(Stdio::null()).stdout(output.try_clone().expect("the file")).stderr(output);
        let try_out = TryOut { scratch, port, setup: Running::start(&mut command) };
        let is_ready = || try_out.output().contains("\nRunning until Ctrl-C.\n");
        assert!(settles(is_ready), "it does not run: {}", try_out.output());
        try_out
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join("instance").join(name)
    }

    fn output(&self) -> String {
        let bytes = fs::read(self.scratch.path().join("output")).expect("the output");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The log of a service as cyclog stored it, all files of it.
    fn stored_log(&self, service: &str) -> String {
        let entries = fs::read_dir(self.path("log").join(service)).expect("a log directory").flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        let texts = paths.iter().map(|path| fs::read_to_string(path).expect("an ASCII log"));
        texts.collect()
    }

    /// The address of the mailbox, from the line that proposes to write to it.
    fn mailbox(&self) -> String {
        let output = self.output();
        let address = output.lines().find_map(|line| line.split_once(" --to ")).expect("a proposal").1;
        address.to_owned()
    }

    fn processes(&self) -> Vec<(i32, String)> {
        processes_in(&self.path("bin"))
    }

    /// Those that are there whether there is mail or not.
    fn program_names(&self) -> Vec<String> {
        let names = self.processes().into_iter().map(|(_, name)| name);
        let mut names: Vec<String> = names.filter(|name| !KEPT.contains(&name.as_str())).collect();
        names.sort();
        names
    }

    fn svc(&self, letter: &str, service: &str) {
        let outcome = Call::path(&self.path("bin/svc")).arg(letter).arg(self.path(service)).run();
        assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    }

    /// What svstat says, without the path and the number of seconds.
    fn svstat(&self, service: &str) -> String {
        let path = self.path(service);
        let outcome = Call::path(&self.path("bin/svstat")).arg(&path).run();
        let line = outcome.out_text();
        let status = line.strip_prefix(&format!("{}: ", path.display())).expect("the path first");
        let (before, after) = status.split_once(" seconds").unwrap_or((status, ""));
        let (state, _) = before.rsplit_once(' ').unwrap_or((before, ""));
        format!("{state}{}", after.trim_end())
    }

    fn wait_for_svstat(&self, service: &str, what: &str, fits: impl Fn(&str) -> bool) {
        let mut last = String::new();
        let reached = settles(|| {
            last = self.svstat(service);
            fits(&last)
        });
        assert!(reached, "svstat does not say that {service} is {what} but {last:?}");
    }

    /// Sends a message to the mailbox by SMTP, and waits until it has arrived.
    fn deliver_one(&self, subject: &str) {
        let mailbox = self.mailbox();
        wait_until("the message is accepted", || {
            converse(self.port, &mailbox, subject).is_ok_and(|reply| reply.starts_with("250 ok "))
        });
        wait_until("the message arrives", || {
            let line = format!("\nSubject: {subject}\n");
            messages(&self.path("mail/Maildir")).iter().any(|text| text.contains(&line))
        });
    }

    /// Replaces the rules of smtpd.
    fn set_rules(&self, rules: &str) {
        let directory = self.path("service/smtpd");
        let outcome = Call::path(&self.path("bin/tcprules"))
            .args(["rules.cdb", "rules.tmp"])
            .within(&directory)
            .input(rules)
            .run();
        assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
        // Made by root, when the test is root's; the server belongs to somebody else.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        fs::set_permissions(directory.join("rules.cdb"), mode).expect("its mode");
    }

    /// Waits until no process of it is left.
    fn wait_until_gone(&self) {
        let gone = settles(|| self.processes().is_empty());
        assert!(gone, "{:?} are left: {}", self.processes(), self.output());
    }
}

impl Drop for TryOut {
    fn drop(&mut self) {
        if self.setup.is_alive() {
            self.setup.signal(Signal::SIGTERM);
            let _ = settles(|| !self.setup.is_alive());
        }
        for (pid, _) in self.processes() {
            kill(pid);
        }
    }
}

fn kill(pid: i32) {
    let _ = unix::process::kill(Pid::from_raw(pid), Signal::SIGKILL);
}

/// The process number in a line of svstat.
fn process_of(status: &str) -> String {
    status.chars().filter(char::is_ascii_digit).collect()
}

/// One SMTP session with one message; the last reply before QUIT, which is the first that refuses.
fn converse(port: u16, recipient: &str, subject: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut replies = BufReader::new(stream.try_clone()?);
    let commands = [
        String::new(),
        "HELO test\r\n".to_owned(),
        "MAIL FROM:<>\r\n".to_owned(),
        format!("RCPT TO:<{recipient}>\r\n"),
        "DATA\r\n".to_owned(),
        format!("Subject: {subject}\r\n\r\nbody\r\n.\r\n"),
    ];
    let mut reply = String::new();
    for command in commands {
        stream.write_all(command.as_bytes())?;
        reply.clear();
        replies.read_line(&mut reply)?;
        if !reply.starts_with(['2', '3']) {
            break;
        }
    }
    stream.write_all(b"QUIT\r\n")?;
    Ok(reply.trim_end().to_owned())
}

#[test]
fn once_shows_the_delivered_message_and_ends() {
    let (scratch, port) = (scratch(), free_port().to_string());
    for _ in 0..2 {
        let outcome = run(scratch.path(), &[&port, "once"]);
        assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""), "{}", outcome.out_text());
        let out = outcome.out_text();
        let end = "\n  Subject: the first message\n  \n  It came by SMTP through tcpserver and qmail-smtpd \
            into the queue,\n  and qmail-send had it delivered by qmail-local.\nStopped.\n";
        assert!(out.ends_with(end), "{out}");
        assert_eq!(processes_in(&scratch.path().join("instance/bin")), []);
    }
    assert_eq!(messages(&scratch.path().join("instance/mail/Maildir")).len(), 2);
}

#[test]
fn a_port_that_is_none_and_a_path_that_cannot_be_are_refused() {
    let scratch = scratch();
    for port in ["0", "65536", "smtp", ""] {
        let outcome = run(scratch.path(), &[port, "once"]);
        let text = "qmail-setup: fatal: a port is a number from 1 to 65535\n";
        assert_eq!((outcome.code, outcome.err_text().as_str()), (100, text));
    }
    let setup = installable(scratch.path()).join("qmail-setup");
    let outcome = Call::path(&setup).arg("run").arg(scratch.path().join("a:b")).run();
    assert_eq!(outcome.code, 100, "{}", outcome.err_text());
    assert!(!scratch.path().join("a:b").exists());
}

#[test]
fn what_stands_in_the_way_is_named_and_ctrl_c_stops_everything() {
    let mut try_out = TryOut::start();
    let port = try_out.port.to_string();
    let again = run(try_out.scratch.path(), &[&port, "once"]);
    let text = format!("qmail-setup: fatal: an instance runs already in {}\n", try_out.path("").display());
    assert_eq!((again.code, again.err_text().replace("\n", "/\n")), (111, text));
    let elsewhere = scratch();
    let other = run(elsewhere.path(), &[&port, "once"]);
    let text = format!(
        "qmail-setup: fatal: unable to listen on 127.0.0.1 port {port} (SMTP_PORT= takes another): address already used\n"
    );
    assert_eq!((other.code, other.err_text()), (111, text));

    try_out.deliver_one("still there");
    try_out.setup.signal(Signal::SIGINT);
    assert_eq!(try_out.setup.wait(), 0);
    assert!(try_out.output().ends_with("\nStopped.\n"), "{}", try_out.output());
    assert_eq!(try_out.processes(), []);
    // The logs were written to their last lines.
    assert!(try_out.stored_log("qmail").ends_with(" status: exiting\n"));
    assert!(try_out.stored_log("smtpd").ends_with(" tcpserver: status: 0/40\n"));
}

/// The message that it has sent itself is fetched with the name and the password that it shows, and with no other.
#[test]
fn mail_is_fetched_by_pop3() {
    let Some(mpop) = installed("mpop") else { return skipped("mpop is not installed") };
    let try_out = TryOut::start();
    let output = try_out.output();
    let shown = output.lines().find_map(|line| line.strip_prefix("POP3 listens there too, port "));
    let (port, rest) = shown.and_then(|rest| rest.split_once(": user ")).expect("port and user");
    let (user, password) = rest.split_once(", password ").expect("a password");
    let got = try_out.scratch.path().join("got");
    let fetch = |password: &str| {
        let text = format!(
            "account default\nhost 127.0.0.1\nport {port}\ntls off\nauth user\nuser {user}\npassword {password}\n\
             keep on\ndelivery mbox {}\nuidls_file {}.uidls\n",
            got.display(),
            got.display()
        );
        let rc = try_out.scratch.path().join("mpoprc");
        fs::write(&rc, text).expect("a file for the reader");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(&rc, mode).expect("its mode");
        Call::path(&mpop).env("HOME", try_out.scratch.path()).arg("-C").arg(&rc).run().code
    };
    assert_ne!(fetch("wrong"), 0);
    assert!(!got.exists());
    // A message of the same second is shown the next time.
    let is_there = || fetch(password) == 0 && got.exists();
    wait_until("the message is fetched", is_there);
    let text = fs::read_to_string(&got).expect("what was fetched");
    assert!(text.contains("\nSubject: the first message\n"), "{text}");
}

#[test]
fn services_obey_svc_and_svstat_says_what_they_do() {
    let try_out = TryOut::start();
    for service in ["service/qmail", "service/smtpd"] {
        let is_up = |status: &str| status.starts_with("up (pid ") && status.ends_with(')');
        try_out.wait_for_svstat(service, "up", is_up);
        for letter in ["-h", "-a"] {
            let before = process_of(&try_out.svstat(service));
            try_out.svc(letter, service);
            // For qmail-send these are requests; tcpserver knows none, so they end it, and it is started again.
            let stays = service == "service/qmail";
            let fits = |status: &str| is_up(status) && (stays == (process_of(status) == before));
            try_out.wait_for_svstat(service, "up", fits);
        }
        try_out.svc("-p", service);
        try_out.wait_for_svstat(service, "paused", |status| status.ends_with("), paused"));
        try_out.svc("-c", service);
        try_out.wait_for_svstat(service, "up", is_up);
        let before = process_of(&try_out.svstat(service));
        try_out.svc("-t", service);
        let fits = |status: &str| is_up(status) && process_of(status) != before;
        try_out.wait_for_svstat(service, "another process", fits);
        try_out.svc("-d", service);
        try_out.wait_for_svstat(service, "down", |status| status == "down, normally up");
        try_out.svc("-u", service);
        try_out.wait_for_svstat(service, "up", is_up);
    }
    try_out.deliver_one("after all that");
}

/// R7
#[test]
fn r7_a_killed_process_is_replaced_and_mail_goes_on() {
    let try_out = TryOut::start();
    // The mailbox has the first message a moment before its qmail-local ends.
    assert!(settles(|| try_out.program_names() == PROGRAMS), "{:?}", try_out.program_names());
    let all = try_out.program_names();
    let victims: Vec<String> = try_out.processes().into_iter().map(|(_, name)| name).collect();
    for (number, victim) in victims.iter().enumerate() {
        // Services that a killed supervise left behind were replaced: look for one that lives now.
        let of_that_name = || -> Vec<i32> {
            let processes = try_out.processes().into_iter();
            processes.filter(|(_, name)| name == victim).map(|(pid, _)| pid).collect()
        };
        let before = of_that_name();
        let pid = before[number % before.len()];
        kill(pid);
        let mut now = Vec::new();
        let replaced = settles(|| {
            now = try_out.program_names();
            now == all && !of_that_name().contains(&pid)
        });
        assert!(replaced, "after the death of {victim} there run {now:?}\n{}", try_out.output());
        try_out.deliver_one(&format!("after the death of {victim} {number}"));
    }
    let logged = || try_out.stored_log("qmail").matches(" success: did_1+0+0/\n").count();
    let before = logged();
    try_out.deliver_one("the last one");
    wait_until("its delivery is logged", || logged() > before);
}

#[test]
fn mail_for_others_goes_where_smtproutes_says_and_only_for_clients_that_may_relay() {
    let try_out = TryOut::start();
    if let Some(sink) = Sink::start(&[]) {
        fs::write(try_out.path("control/smtproutes"), format!(":127.0.0.1:{}\n", sink.port))
            .expect("smtproutes");
        let reply = converse(try_out.port, "someone@dest.example", "relayed").expect("a session");
        assert!(reply.starts_with("250 ok "), "{reply}");
        let received = String::from_utf8(sink.received()).expect("an ASCII message");
        assert!(received.contains("X-Rcpt-Args: <someone@dest.example>\n"), "{received}");
        assert!(received.contains("\nSubject: relayed\n"), "{received}");
    }
    let refused = "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)";
    try_out.set_rules("127.0.0.1:allow,RELAYCLIENT=\"\"\n:allow\n");
    match installed("swaks") {
        None => skipped("swaks is not installed"),
        Some(swaks) => {
            let send = |from: &str, to: &str| {
                let server = format!("127.0.0.1:{}", try_out.port);
                let call = Call::path(&swaks).args(["--server", &server, "--local-interface", from]);
                call.args(["--helo", "client", "--from", "s@src.example", "--to", to]).run()
            };
            let outcome = send("127.0.0.9", "someone@dest.example");
            assert_eq!(outcome.code, 24, "swaks says that no recipient was accepted");
            assert!(outcome.out_text().contains(refused), "{}", outcome.out_text());
            assert_eq!(send("127.0.0.9", &try_out.mailbox()).code, 0);
        }
    }
    try_out.set_rules(":allow\n");
    let reply = converse(try_out.port, "someone@dest.example", "refused").expect("a session");
    assert_eq!(reply, refused);
    try_out.deliver_one("for us");
}

#[test]
fn nothing_is_left_when_it_is_killed_itself() {
    let mut try_out = TryOut::start();
    assert!(!try_out.processes().is_empty());
    try_out.setup.signal(Signal::SIGKILL);
    assert_eq!(try_out.setup.wait(), 1009);
    try_out.wait_until_gone();
}

#[test]
fn root_gives_itself_up() {
    if !is_root() {
        return skipped("the test is not run by root");
    }
    let try_out = TryOut::start();
    for (pid, name) in try_out.processes() {
        use std::os::unix::fs::MetadataExt;
        let owner = fs::metadata(format!("/proc/{pid}")).map(|metadata| metadata.uid());
        assert!(owner.is_ok_and(|uid| uid != 0), "{name} runs as root");
    }
}
