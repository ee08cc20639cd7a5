//! The scripts in `boot`: each starts qmail with its delivery and splogger, once it is copied to `rc`.

use harness::{HOST, Instance, Running, is_root, put_program, skipped, wait_until};
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;
use unix::signal::Signal;

/// The words that each script gives qmail-start as the default delivery.
fn deliveries() -> Vec<(&'static str, String)> {
    let agent = |words: &str| format!("|preline -f {words} \"${{SENDER:-MAILER-DAEMON}}\" -d \"$USER\"");
    let plain = [
        ("home", "./Mailbox".to_owned()),
        ("proc", "|preline procmail".to_owned()),
        ("binm1", agent("/usr/libexec/mail.local -r")),
        ("binm2", agent("/bin/mail -r")),
        ("binm3", agent("/bin/mail -f")),
    ];
    let names = ["home+df", "proc+df", "binm1+df", "binm2+df", "binm3+df"];
    let forwarding = plain.clone().map(|(_, delivery)| format!("|dot-forward .forward\n{delivery}"));
    plain.into_iter().chain(names.into_iter().zip(forwarding)).collect()
}

/// `cp boot/NAME rc`
fn copy_to_rc(instance: &Instance, name: &str) {
    let copied = instance
        .command("/bin/cp".as_ref())
        .arg(instance.path("boot").join(name))
        .arg(instance.path("rc"))
        .status();
    assert!(copied.expect("cp").success());
}

#[test]
fn each_script_starts_qmail_start_with_its_delivery_and_nothing_else_in_the_environment() {
    let instance = Instance::new();
    put_program(
        &instance.path("bin/qmail-start"),
        "#!/bin/sh\nprintf '<%s>\\n' \"$@\"; env | grep -vE '^(_|PWD|SHLVL)='\n",
    );
    let names = fs::read_dir(instance.path("boot")).expect("boot").flatten().map(|entry| entry.file_name());
    // The guide's test has the unit of systemd.
    let scripts = names.filter(|name| !name.to_string_lossy().ends_with(".service")).count();
    assert_eq!(scripts, deliveries().len());
    for (name, delivery) in deliveries() {
        copy_to_rc(&instance, name);
        let output =
            instance.command(&instance.path("rc")).env("SENDER", "x").env("PATH", "/bin:/usr/bin").output();
        let output = output.expect("rc");
        let home = instance.path("");
        let path = format!("PATH={}/bin:/bin:/usr/bin", home.display().to_string().trim_end_matches('/'));
        let expected = format!("<{delivery}>\n<splogger>\n<qmail>\n{path}\n");
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{name}: {output:?}");
    }
}

/// FAQ 7.1: qmail is started by running rc, and a TERM to qmail-send ends it.
#[test]
fn faq_7_1_a_copy_of_home_starts_qmail_which_delivers_to_mailbox() {
    let instance = Instance::new();
    copy_to_rc(&instance, "home");
    instance.alias("joe", "");
    let mut command = instance.command(&instance.path("rc"));
    let mut running =
        Running::start(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()));
    wait_until("splogger and qmail-send run", || {
        ["splogger", "qmail-send", "qmail-clean"].iter().all(|name| instance.pid_of(name).is_some())
    });
    assert_eq!(instance.enqueue("s@x.example", &[&format!("joe@{HOST}")], "Subject: by rc\n\nx\n"), 0);
    let mailbox = instance.path("alias/Mailbox");
    wait_until("the message is in the mailbox", || {
        fs::read_to_string(&mailbox).is_ok_and(|text| text.contains("\nSubject: by rc\n"))
    });
    instance.wait_until_delivered();
    running.signal(Signal::SIGTERM);
    assert_eq!(running.wait(), 0);
    wait_until("all processes have ended", || instance.processes().is_empty());
}

/// procmail, behind preline and dot-forward, as the packages have them.
#[test]
fn a_copy_of_proc_df_delivers_with_procmail_what_no_forward_file_sends_elsewhere() {
    if ["procmail", "dot-forward"].iter().any(|name| harness::installed(name).is_none()) {
        return skipped("procmail and dot-forward have to be installed");
    }
    let instance = Instance::new();
    copy_to_rc(&instance, "proc+df");
    instance.alias("joe", "");
    let alias = instance.path("alias");
    // By itself procmail would look for the home directory in the account database, and make a system mailbox.
    let rules = instance.write("alias/.procmailrc", format!(":0\n{}/by-procmail\n", alias.display()));
    let procmail = format!("#!/bin/sh\nexec /usr/bin/procmail -m {}\n", rules.display());
    put_program(&instance.path("bin/procmail"), procmail);
    let mut command = instance.command(&instance.path("rc"));
    let mut running =
        Running::start(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()));
    wait_until("qmail-send runs", || instance.pid_of("qmail-clean").is_some());
    assert_eq!(instance.enqueue("s@x.example", &[&format!("joe@{HOST}")], "Subject: by procmail\n\nx\n"), 0);
    wait_until("procmail has the message", || {
        let text = fs::read_to_string(alias.join("by-procmail")).unwrap_or_default();
        text.starts_with("From s@x.example ") && text.contains("\nSubject: by procmail\n")
    });
    instance.wait_until_delivered();
    running.signal(Signal::SIGTERM);
    assert_eq!(running.wait(), 0);
}

/// What qmail-send says reaches syslog, with the tag qmail.
#[test]
fn the_log_of_a_copy_of_home_goes_to_syslog() {
    let may = is_root()
        && Command::new("unshare").args(["-m", "true"]).status().is_ok_and(|status| status.success());
    if !may {
        return skipped("a /dev/log of the test's own needs root and mounts of its own");
    }
    let instance = Instance::new();
    copy_to_rc(&instance, "home");
    let log = instance.beside("devlog");
    let socket = UnixDatagram::bind(&log).expect("a socket");
    fs::set_permissions(&log, std::os::unix::fs::PermissionsExt::from_mode(0o666))
        .expect("a socket for everybody");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
    let uid = harness::owner_uid().to_string();
    let script = "mount -t tmpfs none /dev && ln -s \"$1\" /dev/log && mknod -m 666 /dev/null c 1 3 && \
                  exec setpriv --reuid \"$2\" --regid \"$2\" --clear-groups \"$3\"";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script, "sh"]).arg(&log).arg(&uid).arg(instance.path("rc"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut running = Running::start(&mut command);
    let mut buffer = [0; 2000];
    let mut next = || {
        let length = socket.recv(&mut buffer).expect("an entry");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let entry = next();
    assert!(entry.starts_with("<22>") && entry.contains(" qmail: "), "{entry}");
    assert!(entry.ends_with(" status: local 0/10 remote 0/20"), "{entry}");
    running.signal(Signal::SIGTERM);
    assert!(std::iter::from_fn(|| Some(next())).take(3).any(|entry| entry.ends_with(" status: exiting")));
    assert_eq!(running.wait(), 0);
}
