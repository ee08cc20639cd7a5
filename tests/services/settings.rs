//! What a service directory may ask for beyond daemontools, and the tools that show it.

use harness::{Call, Outcome, Running, program, scratch, settles, wait_until};
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use unix::poll::Interest;
use unix::signal::Signal;

/// A service directory `service` with files and a supervise. Both processes end with the test.
struct Service {
    scratch: TempDir,
    supervise: Running,
}

/// Scripts are given by their commands, other files by their contents. A script can wait at the FIFO `../gate`.
fn service(run: &str, files: &[(&str, &str)]) -> Service {
    let scratch = scratch();
    unix::fifo::make(&scratch.path().join("gate")).expect("a FIFO");
    let directory = scratch.path().join("service");
    fs::create_dir(&directory).expect("a service directory");
    for (name, contents) in files.iter().chain(&[("run", run)]) {
        let is_script = ["run", "finish"].contains(name);
        let contents = if is_script { format!("#!/bin/sh\n{contents}\n") } else { (*contents).to_owned() };
        let path = directory.join(name);
        fs::write(&path, contents).expect("a file");
        let mode = if is_script { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode");
    }
    let errors = fs::File::create(scratch.path().join("errors")).expect("a file for errors");
    let mut command = Command::new(program("supervise"));
    let supervise = Running::start(command.arg("service").current_dir(scratch.path()).stderr(errors));
    let service = Service { scratch, supervise };
    wait_until("supervise", || service.call("svok", &["service"]).code == 0);
    service
}

impl Service {
    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn call(&self, name: &str, arguments: &[&str]) -> Outcome {
        Call::ours(name).args(arguments).within(self.scratch.path()).run()
    }

    /// It stays there until what is returned is dropped.
    fn wait_for_a_program_at_the_gate(&self) -> fs::File {
        let mut writer = None;
        wait_until("a program at the gate", || {
            writer = unix::fifo::open_writer(&self.path("gate")).ok();
            writer.is_some()
        });
        writer.expect("the gate, which was opened")
    }

    fn svc(&self, letters: &str) {
        let outcome = self.call("svc", &[letters, "service"]);
        assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    }

    fn wait_for_svstat_to_say(&self, remark: &str) {
        let mut last = String::new();
        let reached = settles(|| {
            last = self.call("svstat", &["service"]).out_text();
            last.trim_end().ends_with(remark)
        });
        assert!(reached, "svstat says {last:?} and not {remark:?}");
    }

    fn json(&self) -> serde_json::Value {
        let outcome = self.call("svstat", &["--json", "service"]);
        assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
        serde_json::from_slice(&outcome.out).expect("an object of JSON")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if self.supervise.is_alive() {
            let _ = self.call("svc", &["-dkx", "service"]);
        }
        settles(|| !self.supervise.is_alive());
    }
}

#[test]
fn a_service_that_keeps_ending_is_left_alone_for_longer_and_longer() {
    let service = service("echo start >>../starts; exit 1", &[("back-off", "")]);
    service.wait_for_svstat_to_say(", backing off 1 seconds");
    service.wait_for_svstat_to_say(", backing off 2 seconds");
    service.wait_for_svstat_to_say(", backing off 4 seconds");
    assert_eq!(service.read("starts").lines().count(), 3);
    let json = service.json();
    assert_eq!((json["phase"].as_str(), json["last_exit"].as_u64()), (Some("backing off"), Some(1)));
    service.svc("-u");
    service.wait_for_svstat_to_say(", backing off 1 seconds");
}

#[test]
fn the_longest_wait_may_be_given() {
    let service = service("echo start >>../starts; exit 1", &[("back-off", "1\n")]);
    wait_until("four starts", || service.read("starts").lines().count() == 4);
    service.wait_for_svstat_to_say(", backing off 1 seconds");
}

#[test]
fn finish_is_told_how_the_program_ended() {
    let service = service("read line <../gate; exit 7", &[("finish", "echo $* >>../ends")]);
    drop(service.wait_for_a_program_at_the_gate());
    wait_until("its end", || service.read("ends") == "7 0\n");
    let writer = service.wait_for_a_program_at_the_gate();
    service.svc("-k");
    wait_until("its end by a signal", || service.read("ends") == "7 0\n256 9\n");
    drop(writer);
}

#[test]
fn the_service_waits_for_its_finish() {
    let files = [("finish", "read line <../gate; exit 0"), ("timeout-finish", "0\n")];
    let service = service("exec sleep 1000", &files);
    wait_until("a process", || service.json()["pid"].is_u64());
    service.svc("-t");
    service.wait_for_svstat_to_say(", finishing");
    assert_eq!(service.call("svwait", &["-d", "-t", "0", "service"]).code, 99);
    service.svc("-d");
    drop(fs::OpenOptions::new().write(true).open(service.path("gate")).expect("a reader of the gate"));
    assert_eq!(service.call("svwait", &["-d", "-t", "30", "service"]).code, 0);
    service.wait_for_svstat_to_say(", normally up");
}

#[test]
fn a_finish_that_hangs_is_killed_with_its_children_and_the_service_comes_back() {
    let finish = "sleep 1000 & echo $! >>../children; wait";
    let files = [("finish", finish), ("timeout-finish", "300\n"), ("process-group", "")];
    let service = service("echo start >>../starts; exit 1", &files);
    wait_until("another start", || service.read("starts").lines().count() >= 2);
    let warning = "supervise: warning: finish takes too long, killing it";
    assert_eq!(service.read("errors").lines().next(), Some(warning));
    let child: i32 = service.read("children").lines().next().expect("a child").parse().expect("its number");
    wait_until("the child to be gone", || {
        let stat = fs::read_to_string(format!("/proc/{child}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z "))
    });
}

#[test]
fn a_finish_without_a_limit_of_its_own_gets_that_of_s6() {
    let files = [("finish", "exec sleep 1000"), ("timeout-finish", "soon\n")];
    let service = service("echo start >>../starts; exit 1", &files);
    wait_until("another start", || service.read("starts").lines().count() == 2);
    let warnings = ["unable to read timeout-finish: not a number", "finish takes too long, killing it"]
        .map(|text| format!("supervise: warning: {text}"));
    assert_eq!(service.read("errors").lines().take(2).collect::<Vec<_>>(), warnings);
    fs::remove_file(service.path("service/timeout-finish")).expect("the file");
    wait_until("a third start", || service.read("starts").lines().count() == 3);
}

#[test]
fn status_100_of_program_or_finish_is_final_where_that_is_asked_for() {
    for (run, files) in [
        ("echo start >>../starts; exit 100", [("final-100", "")]),
        ("echo start >>../starts; exit 1", [("finish", "exit 100")]),
    ] {
        let service = service(run, &files);
        service.wait_for_svstat_to_say("seconds, normally up, failed");
        assert_eq!(service.read("starts"), "start\n");
        let outcome = service.call("svwait", &["-u", "service"]);
        assert_eq!((outcome.code, outcome.err_text().as_str()), (100, "svwait: fatal: service has failed\n"));
        service.svc("-u");
        wait_until("another start", || service.read("starts") == "start\nstart\n");
        service.wait_for_svstat_to_say("seconds, normally up, failed");
    }
}

#[test]
fn without_such_a_file_status_100_means_nothing() {
    let service = service("echo start >>../starts; exit 100", &[]);
    wait_until("another start", || service.read("starts").lines().count() == 2);
    assert_eq!(fs::read(service.path("service/supervise/status")).expect("a status").len(), 18);
    assert!(service.json()["phase"].is_null());
}

#[test]
fn a_service_is_ready_when_it_says_so() {
    let script = "read line <../gate; echo ready >&5; exec 5>&-; exec sleep 1000";
    let service = service(script, &[("notification-fd", "5\n")]);
    let writer = service.wait_for_a_program_at_the_gate();
    assert_eq!(service.call("svwait", &["-t", "30", "service"]).code, 0);
    assert_eq!(service.call("svwait", &["-r", "-t", "0", "service"]).code, 99);
    assert_eq!(service.json()["ready"].as_bool(), Some(false));
    drop(writer);
    assert_eq!(service.call("svwait", &["-r", "-t", "30", "service"]).code, 0);
    service.wait_for_svstat_to_say(", ready");
    assert!(service.json()["ready_since"].as_u64() >= service.json()["since"].as_u64());
    service.svc("-t");
    wait_until("readiness to end", || service.json()["ready"].as_bool() == Some(false));
}

#[test]
fn a_setting_that_makes_no_sense_is_warned_of_and_hinders_nothing() {
    let service = service("exec sleep 1000", &[("back-off", "soon\n"), ("notification-fd", "1")]);
    wait_until("a process", || service.json()["pid"].is_u64());
    let warnings = "supervise: warning: unable to read back-off: not a number\n\
                    supervise: warning: unable to use notification-fd: not a descriptor above 2\n";
    assert_eq!(service.read("errors"), warnings);
}

#[test]
fn svstat_speaks_to_machines() {
    let mut service = service("exec sleep 1000", &[]);
    wait_until("a process", || service.json()["pid"].is_u64());
    let json = service.json();
    let expected =
        ["service", "supervised", "state", "paused", "want", "normally"].map(|name| json[name].to_string());
    assert_eq!(expected, ["\"service\"", "true", "\"up\"", "false", "\"up\"", "\"up\""]);
    let metrics = service.call("svstat", &["--metrics", "service", "missing"]).out_text();
    for line in [
        "# TYPE service_up gauge",
        "service_supervised{service=\"service\"} 1",
        "service_supervised{service=\"missing\"} 0",
        "service_up{service=\"service\"} 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{metrics}");
    }
    service.svc("-dx");
    service.supervise.wait();
    let json = service.json();
    assert_eq!(json["trouble"].as_str(), Some("supervise not running"));
}

#[test]
fn svwait_waits_for_every_directory_and_says_how_it_is_called() {
    let service = service("exec sleep 1000", &[]);
    assert_eq!(service.call("svwait", &["service", "service"]).code, 0);
    assert_eq!(service.call("svwait", &["-t0", "service", "missing"]).code, 99);
    let usage = service.call("svwait", &["-u"]);
    let text = "svwait: usage: svwait [ -udr ] [ -t seconds ] dir ...\n";
    assert_eq!((usage.code, usage.err_text().as_str()), (100, text));
    service.supervise.signal(Signal::SIGTERM);
    assert_eq!(service.call("svwait", &["-d", "-t", "0", "missing"]).code, 99);
}

#[test]
fn each_change_of_the_status_is_news_for_everybody_who_waits() {
    let service = service("exec sleep 1000", &[("down", "")]);
    let waiting = |letter: &str| {
        let mut command = Command::new(program("svwait"));
        Running::start(command.args([letter, "service"]).current_dir(service.scratch.path()))
    };
    let event = || unix::fifo::open_reader(&service.path("service/supervise/event")).expect("a FIFO");
    let has_news = |event: &fs::File| {
        unix::poll::wait_one(event.as_fd(), Interest::Read, Some(Duration::from_secs(30))).expect("a poll")
    };
    for (letter, letters) in [("-u", "-u"), ("-d", "-d"), ("-u", "-o")] {
        let mut waiters: Vec<Running> = (0..100).map(|_| waiting(letter)).collect();
        let reader = event();
        assert!(waiters.iter_mut().all(Running::is_alive));
        service.svc(letters);
        assert!(has_news(&reader));
        for waiter in &mut waiters {
            assert_eq!(waiter.wait(), 0);
        }
    }
    let reader = event();
    service.svc("-p");
    assert!(has_news(&reader));
    service.wait_for_svstat_to_say(", paused");
    service.svc("-c");
}

#[test]
fn svwait_outlives_a_supervise_and_a_directory_of_the_same_name() {
    let mut service = service("exec sleep 1000", &[("down", "")]);
    let wait_for_up = |service: &Service| {
        let mut command = Command::new(program("svwait"));
        Running::start(command.arg("service").current_dir(service.scratch.path()))
    };
    let start_another = |service: &mut Service| {
        let mut command = Command::new(program("supervise"));
        service.supervise = Running::start(command.arg("service").current_dir(service.scratch.path()));
        wait_until("another supervise", || service.call("svok", &["service"]).code == 0);
    };
    let mut waiter = wait_for_up(&service);
    service.supervise.signal(Signal::SIGKILL);
    service.supervise.wait();
    start_another(&mut service);
    assert!(waiter.is_alive());
    service.svc("-u");
    assert_eq!(waiter.wait(), 0);

    service.svc("-d");
    assert_eq!(service.call("svwait", &["-d", "service"]).code, 0);
    let mut waiter = wait_for_up(&service);
    service.svc("-x");
    service.supervise.wait();
    fs::rename(service.path("service"), service.path("old")).expect("another name");
    fs::create_dir(service.path("service")).expect("a directory of the old name");
    harness::put_program(&service.path("service/run"), "#!/bin/sh\nexec sleep 1000\n");
    assert!(waiter.is_alive());
    start_another(&mut service);
    assert_eq!(waiter.wait(), 0);
}

#[test]
fn svc_sends_any_signal_by_name_or_number() {
    let traps = ["USR1", "WINCH", "QUIT"].map(|name| format!("trap 'echo {name} >>../caught' {name}; "));
    let service = service(&(traps.concat() + "touch ../ready; while :; do sleep 0.05; done"), &[]);
    wait_until("the traps", || service.path("ready").exists());
    let mut expected = String::new();
    for (name, caught) in [("USR1", "USR1"), ("SIGWINCH", "WINCH"), ("3", "QUIT")] {
        let outcome = service.call("svc", &["--signal", name, "service"]);
        assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
        expected = expected + caught + "\n";
        wait_until(caught, || service.read("caught") == expected);
    }
    assert_eq!(service.call("svc", &["--signal", "STOP", "service"]).code, 0);
    service.wait_for_svstat_to_say(", paused");
    let outcome = service.call("svc", &["--signal", "NONE", "service"]);
    let text = "svc: fatal: unknown signal NONE\n";
    assert_eq!((outcome.code, outcome.err_text().as_str()), (100, text));
    service.svc("-c");
}

#[test]
fn signals_reach_the_whole_process_group_where_that_is_asked_for() {
    let script = "sleep 1000 & echo $! >../child; wait";
    let is_gone = |pid: &str| !PathBuf::from(format!("/proc/{}", pid.trim_end())).exists();
    for is_group in [true, false] {
        let files: &[(&str, &str)] = if is_group { &[("process-group", "")] } else { &[] };
        let service = service(script, files);
        wait_until("the child", || service.read("child").ends_with('\n'));
        let child = service.read("child");
        service.svc("-dk");
        assert_eq!(service.call("svwait", &["-d", "-t", "30", "service"]).code, 0);
        if is_group {
            wait_until("the child to be gone", || is_gone(&child));
        } else {
            assert!(!is_gone(&child));
            let pid = child.trim_end().parse().expect("a process number");
            unix::process::kill(unix::process::Pid::from_raw(pid), Signal::SIGKILL).expect("the child");
        }
    }
}

#[test]
fn a_service_waits_for_those_that_it_needs() {
    let service = service("exec sleep 1000", &[("wait-for", "../other\n")]);
    service.wait_for_svstat_to_say(", waiting for others");
    fs::create_dir(service.path("other")).expect("another service directory");
    fs::write(service.path("other/notification-fd"), "4\n").expect("a file");
    let script = "read line <gate; echo >&4; exec sleep 1000";
    let mut command = Command::new(program("supervise"));
    command.args(["other", "sh", "-c", script]).current_dir(service.scratch.path());
    let mut other = Running::start(&mut command);
    assert_eq!(service.call("svwait", &["-t", "30", "other"]).code, 0);
    service.wait_for_svstat_to_say(", waiting for others");
    drop(service.wait_for_a_program_at_the_gate());
    assert_eq!(service.call("svwait", &["-t", "30", "service"]).code, 0);
    assert_eq!(service.call("svwait", &["-r", "-t", "0", "other"]).code, 0);
    other.signal(Signal::SIGTERM);
    assert_eq!(other.wait(), 0);
    assert_eq!(service.call("svwait", &["-d", "-t", "0", "service"]).code, 99);
}

#[test]
fn a_service_that_waits_for_others_can_be_told_not_to() {
    let mut service = service("exec sleep 1000", &[("wait-for", "../missing\n")]);
    service.wait_for_svstat_to_say(", waiting for others");
    service.svc("-dx");
    assert_eq!(service.supervise.wait(), 0);
}

#[test]
fn a_service_directory_that_cannot_be_written_keeps_its_state_elsewhere() {
    let service = service("exec sleep 1000", &[]);
    let target = service.path("state");
    service.svc("-dx");
    wait_until("the end of supervise", || service.call("svok", &["service"]).code == 100);
    fs::remove_dir_all(service.path("service/supervise")).expect("the old state");
    std::os::unix::fs::symlink("../state", service.path("service/supervise")).expect("a link");
    let read_only = fs::Permissions::from_mode(0o555);
    fs::set_permissions(service.path("service"), read_only).expect("a directory that may only be read");
    let mut command = Command::new(program("supervise"));
    let mut supervise = Running::start(command.arg("service").current_dir(service.scratch.path()));
    assert_eq!(service.call("svwait", &["-t", "30", "service"]).code, 0);
    let names: Vec<_> = fs::read_dir(service.path("service")).expect("the directory").flatten().collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(target.join("status").exists());
    service.svc("-dx");
    assert_eq!(supervise.wait(), 0);
}
