//! `supervise`, `svc`, `svstat` and `svok` with real processes and signals, and what goes wrong around them.

use harness::{
    Call, Outcome, Running, copy_program, installed, is_root, program, put_program, scratch, settles,
    skipped, wait_until,
};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;
use unix::signal::Signal;

/// How often two supervises race for one directory.
const RACES: usize = 1000;
/// A program that goes on until it is told to end.
const PATIENT: [&str; 2] = ["sleep", "1000"];

/// A supervise beside the test, and its service directory `service` in a directory of the test's own.
/// Both processes end with the test.
struct Supervised {
    scratch: TempDir,
    supervise: Running,
}

impl Supervised {
    /// Starts `supervise OPTIONS service PROGRAM`.
    fn start(options: &[&str], program: &[&str]) -> Supervised {
        let scratch = scratch();
        fs::create_dir(scratch.path().join("service")).expect("a service directory");
        Supervised::start_in(scratch, options, program)
    }

    fn start_in(scratch: TempDir, options: &[&str], words: &[&str]) -> Supervised {
        let mut command = Command::new(program("supervise"));
        command.args(options).arg("service").args(words);
        Supervised::start_command(scratch, &mut command)
    }

    /// Starts a command that becomes supervise. What it prints is in the file `errors`.
    fn start_command(scratch: TempDir, command: &mut Command) -> Supervised {
        let errors = fs::File::create(scratch.path().join("errors")).expect("a file for errors");
        let supervise = Running::start(command.current_dir(scratch.path()).stderr(errors));
        Supervised { scratch, supervise }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn svc(&self, options: &str) {
        let outcome = Call::ours("svc").arg(options).arg("service").within(self.scratch.path()).run();
        assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    }

    /// What svstat says, without its warnings.
    fn svstat(&self) -> String {
        let outcome = Call::ours("svstat").arg("service").within(self.scratch.path()).run();
        assert_eq!(outcome.code, 0);
        outcome.out_text()
    }

    /// What svstat says, without time and process number: `up, paused`.
    fn summary(&self) -> String {
        let line = self.svstat();
        let words = line.trim_end().split(' ').skip(1).map(|word| {
            let digits = word.trim_end_matches(',');
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            if is_number { word.trim_start_matches(|byte: char| byte.is_ascii_digit()) } else { word }
        });
        words.collect::<Vec<_>>().join(" ").replace(" pid ", "")
    }

    fn pid(&self) -> Option<i32> {
        let older = |status: Vec<u8>| status.get(16..20).and_then(<[u8]>::first_chunk).copied();
        let newer = |status: Vec<u8>| status.get(12..16).and_then(<[u8]>::first_chunk).copied();
        let read = |name: &str| fs::read(self.path(name)).ok();
        let bytes = read("service/status").and_then(older);
        let pid =
            bytes.or_else(|| read("service/supervise/status").and_then(newer)).map(i32::from_le_bytes)?;
        (pid != 0).then_some(pid)
    }

    /// Waits until the service runs, and is the program and not the child that is about to become it.
    fn wait_for_program(&self, name: &str) -> i32 {
        let mut pid = 0;
        wait_until(&format!("{name} to run"), || {
            pid = self.pid().unwrap_or(0);
            fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim_end() == name)
        });
        pid
    }

    fn wait_for_summary(&self, summary: &str) {
        let mut last = String::new();
        let reached = settles(|| {
            last = self.summary();
            last == summary
        });
        assert!(reached, "svstat says {last:?} and not {summary:?}");
    }

    fn wait_for_ending(&self, ending: &str) {
        let mut last = String::new();
        let reached = settles(|| {
            last = self.svstat();
            last.trim_end().ends_with(ending)
        });
        assert!(reached, "svstat says {last:?} and not {ending:?}");
    }

    fn wait_for_another_process_than(&self, pid: i32) {
        wait_until("a new process", || self.pid().is_some_and(|new| new != pid));
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        if self.supervise.is_alive() {
            self.supervise.signal(Signal::SIGTERM);
            self.supervise.signal(Signal::SIGCONT);
        }
        if !settles(|| !self.supervise.is_alive()) {
            kill(self.pid().unwrap_or(0), Signal::SIGKILL);
        }
    }
}

fn kill(pid: i32, signal: Signal) {
    if pid > 0 {
        let _ = unix::process::kill(unix::process::Pid::from_raw(pid), signal);
    }
}

fn is_gone(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

fn supervise_in(directory: &Path, arguments: &[&str]) -> Outcome {
    Call::ours("supervise").args(arguments).within(directory).run()
}

#[test]
fn a_killed_service_is_started_again() {
    let service = Supervised::start(&[], &PATIENT);
    let first = service.wait_for_program("sleep");
    kill(first, Signal::SIGKILL);
    service.wait_for_another_process_than(first);
    service.wait_for_summary("up");
}

#[test]
fn the_status_file_has_23_bytes() {
    let service = Supervised::start(&[], &PATIENT);
    let pid = service.wait_for_program("sleep");
    let status = fs::read(service.path("service/status")).expect("a status file");
    let stamp =
        service.svstat().split(' ').next().and_then(|word| word.parse::<u64>().ok()).expect("a stamp");
    assert_eq!(status[..8], (stamp + (1 << 62)).to_be_bytes());
    assert_eq!(status[12..16], [0; 4]);
    assert_eq!(status[16..20], pid.to_le_bytes());
    assert_eq!(status[20..], [1, 0, b'u']);
    let mode = fs::metadata(service.path("service/status")).expect("a status file").permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    assert!(!service.path("service/status.new").exists());
}

#[test]
fn lock_and_fifo_belong_to_their_owner_alone() {
    let service = Supervised::start(&[], &PATIENT);
    service.wait_for_program("sleep");
    let lock = fs::metadata(service.path("service/lock")).expect("a lock file");
    let control = fs::metadata(service.path("service/svcontrol")).expect("a control FIFO");
    assert_eq!(lock.permissions().mode() & 0o777, 0o600);
    assert_eq!(control.permissions().mode() & 0o777, 0o600);
    assert!(control.file_type().is_fifo());
}

#[test]
fn the_program_runs_where_supervise_was_started() {
    let service = Supervised::start(&["-o"], &["sh", "-c", "pwd > here; ls /proc/$$/fd > open"]);
    wait_until("the program's answer", || service.read("open").lines().count() >= 3);
    assert_eq!(PathBuf::from(service.read("here").trim_end()), service.scratch.path());
}

#[test]
fn the_program_inherits_none_of_supervises_descriptors() {
    let service =
        Supervised::start(&["-o"], &["sh", "-c", "for f in /proc/$$/fd/*; do readlink $f; done > open"]);
    service.wait_for_summary("down, normally up");
    let open = service.read("open");
    assert!(!open.contains("service/") && !open.contains("socket:"), "{open}");
}

#[test]
fn a_script_without_an_interpreter_line_is_run_by_the_shell() {
    let scratch = scratch();
    fs::create_dir(scratch.path().join("service")).expect("a service directory");
    let script = scratch.path().join("script");
    put_program(&script, "echo \"$0 $1\" > said\n");
    let service = Supervised::start_in(scratch, &["-o"], &["./script", "word"]);
    wait_until("the script", || service.read("said") == "./script word\n");
}

#[test]
fn options_choose_how_it_starts() {
    let cases = [
        ("-d", "down, normally up"),
        ("-s", "down"),
        ("-so", "up, normally down"),
        ("-os", "down"),
        ("-sr", "up"),
        ("-o", "up"),
    ];
    for (options, summary) in cases {
        Supervised::start(&[options], &PATIENT).wait_for_summary(summary);
    }
}

#[test]
fn each_letter_of_svc_does_what_the_manual_says() {
    let service = Supervised::start(&[], &PATIENT);
    let first = service.wait_for_program("sleep");
    for (letters, summary) in [
        ("-p", "up, paused"),
        ("-c", "up"),
        ("-s", "up, normally down"),
        ("-r", "up"),
        ("-o", "up"),
        ("-u", "up"),
    ] {
        service.svc(letters);
        service.wait_for_summary(summary);
        assert_eq!(service.pid(), Some(first), "{letters} starts no other process");
    }
    service.svc("-d");
    service.wait_for_summary("down, normally up");
    service.svc("-u");
    service.wait_for_summary("up");
    for letters in ["-t", "-k", "-a", "-h", "-i"] {
        let pid = service.wait_for_program("sleep");
        service.svc(letters);
        service.wait_for_another_process_than(pid);
    }
    service.svc("-d");
    service.wait_for_summary("down, normally up");
    service.svc("-o");
    service.wait_for_summary("up");
    service.svc("-k");
    service.wait_for_summary("down, normally up");
}

#[test]
fn signals_reach_a_program_that_handles_them() {
    let script = "for s in ALRM HUP INT TERM; do trap \"echo $s >> log\" $s; done; echo ready >> log;\n\
                  while :; do sleep 0.02; done";
    let mut service = Supervised::start(&[], &["sh", "-c", script]);
    wait_until("the traps", || service.read("log") == "ready\n");
    let mut expected = String::from("ready\n");
    for (letter, name) in [("-a", "ALRM"), ("-h", "HUP"), ("-i", "INT"), ("-t", "TERM")] {
        service.svc(letter);
        expected.push_str(name);
        expected.push('\n');
        wait_until(name, || service.read("log") == expected);
    }
    service.svc("-xk");
    assert_eq!(service.supervise.wait(), 0);
}

#[test]
fn down_ends_a_paused_service() {
    let service = Supervised::start(&[], &PATIENT);
    service.wait_for_program("sleep");
    service.svc("-p");
    service.wait_for_summary("up, paused");
    service.svc("-d");
    service.wait_for_summary("down, normally up");
}

#[test]
fn one_that_ignores_term_is_up_and_wanted_down() {
    let service = Supervised::start(&[], &["sh", "-c", "trap '' TERM; exec sleep 1000"]);
    service.wait_for_program("sleep");
    service.svc("-d");
    service.wait_for_summary("up, want down");
    service.svc("-k");
    service.wait_for_summary("down, normally up");
}

#[test]
fn asked_to_exit_it_waits_for_its_service() {
    let mut service = Supervised::start(&[], &PATIENT);
    let pid = service.wait_for_program("sleep");
    service.svc("-x");
    service.svc("-s");
    service.wait_for_summary("up, normally down");
    assert!(service.supervise.is_alive());
    kill(pid, Signal::SIGTERM);
    assert_eq!(service.supervise.wait(), 0);
    assert_eq!(service.summary(), "down, want up");
    let outcome = Call::ours("svstat").arg("service").within(service.scratch.path()).run();
    assert_eq!(outcome.err_text(), "svstat: warning: supervise not running in service\n");
}

#[test]
fn started_with_x_it_ends_with_the_first_process() {
    let mut service = Supervised::start(&["-x"], &["true"]);
    assert_eq!(service.supervise.wait(), 0);
    let mut service = Supervised::start(&["-dx"], &PATIENT);
    assert_eq!(service.supervise.wait(), 0);
}

#[test]
fn between_two_starts_of_a_failing_program_svc_is_answered() {
    let service = Supervised::start(&[], &["sh", "-c", "echo started >> log; exit 1"]);
    wait_until("the wait", || service.summary() == "down, normally up, want up");
    service.svc("-d");
    service.wait_for_summary("down, normally up");
    let starts = service.read("log").lines().count();
    service.svc("-u");
    wait_until("another start", || service.read("log").lines().count() > starts);
}

#[test]
fn a_program_that_cannot_be_run_is_named_and_tried_again() {
    let service = Supervised::start(&[], &["./nowhere"]);
    wait_until("a second attempt", || service.read("errors").lines().count() >= 2);
    for line in service.read("errors").lines() {
        assert_eq!(line, "supervise: fatal: unable to run ./nowhere: file does not exist");
    }
}

#[test]
fn term_to_supervise_ends_the_service_and_then_supervise() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut service = Supervised::start(&[], &PATIENT);
        let pid = service.wait_for_program("sleep");
        service.svc("-p");
        service.wait_for_summary("up, paused");
        service.supervise.signal(signal);
        assert_eq!(service.supervise.wait(), 0);
        assert!(is_gone(pid));
        assert_eq!(service.summary(), "down, normally up");
    }
}

#[test]
fn hangup_ends_neither_supervise_nor_its_service() {
    let mut service = Supervised::start(&[], &PATIENT);
    let pid = service.wait_for_program("sleep");
    service.supervise.signal(Signal::SIGHUP);
    service.svc("-p");
    service.wait_for_summary("up, paused");
    assert!(service.supervise.is_alive());
    assert_eq!(service.pid(), Some(pid));
}

#[test]
fn a_background_job_of_a_shell_answers_svc_but_not_the_terminal() {
    let script = "trap '' INT QUIT PIPE; exec \"$0\" service sleep 1000";
    let scratch = scratch();
    fs::create_dir(scratch.path().join("service")).expect("a service directory");
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(program("supervise"));
    let service = Supervised::start_command(scratch, &mut command);
    let pid = service.wait_for_program("sleep");
    service.supervise.signal(Signal::SIGINT);
    service.svc("-p");
    service.wait_for_summary("up, paused");
    assert_eq!(service.pid(), Some(pid));
    service.svc("-ic");
    service.wait_for_another_process_than(pid);
    let status = fs::read_to_string(format!("/proc/{}/status", service.wait_for_program("sleep")));
    let status = status.expect("the state of the process");
    let ignored =
        status.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).expect("the ignored signals");
    let ignored = u64::from_str_radix(ignored, 16).expect("a set of signals");
    for signal in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGPIPE] {
        assert_eq!(ignored & (1 << (signal as i32 - 1)), 0, "{signal} is ignored");
    }
    assert!(status.contains("SigBlk:\t0000000000000000"), "{status}");
}

#[test]
fn a_second_supervise_of_one_directory_is_refused() {
    let service = Supervised::start(&[], &PATIENT);
    let pid = service.wait_for_program("sleep");
    let second = supervise_in(service.scratch.path(), &["service", "sleep", "1000"]);
    assert_eq!(second.code, 111);
    assert_eq!(second.err_text(), "supervise: fatal: unable to acquire lock: temporary failure\n");
    assert_eq!(service.pid(), Some(pid));
    let held = Call::ours("testfilelock").arg(service.path("service/lock")).run();
    assert_eq!(held.code, 0);
}

#[test]
fn r9_of_two_that_race_for_a_directory_exactly_one_runs() {
    race_for_a_directory(&["-d", "service", "true"]);
}

#[test]
fn r9_of_two_that_race_for_a_directory_with_run_exactly_one_runs() {
    race_for_a_directory(&["-d", "service"]);
}

fn race_for_a_directory(arguments: &[&str]) {
    let scratch = scratch();
    for race in 0..RACES {
        // Every other race is for a directory that nobody has supervised yet.
        let directory = scratch.path().join("service");
        if race % 2 == 0 {
            let _ = fs::remove_dir_all(&directory);
            fs::create_dir(&directory).expect("a service directory");
        }
        let mut command = Command::new(program("supervise"));
        command.args(arguments).current_dir(scratch.path()).stderr(Stdio::null());
        let mut racers = [Running::start(&mut command), Running::start(&mut command)];
        wait_until("a loser", || racers.iter_mut().any(|racer| !racer.is_alive()));
        let loser = racers.iter_mut().position(|racer| !racer.is_alive()).expect("a loser");
        assert_eq!(racers[loser].wait(), 111, "race {race}");
        let winner = &mut racers[1 - loser];
        assert!(winner.is_alive(), "race {race}: nobody won");
        winner.signal(Signal::SIGTERM);
        assert_eq!(winner.wait(), 0, "race {race}");
    }
}

#[test]
fn r4_when_no_process_can_be_made_svc_is_answered_and_u_tries_at_once() {
    let warning = "supervise: warning: unable to fork, sleeping 60 seconds: temporary failure\n";
    fail_to_fork(&PATIENT, warning);
    let warning = "supervise: warning: unable to fork for service, sleeping 60 seconds: temporary failure\n";
    fail_to_fork(&[], warning);
}

fn fail_to_fork(words: &[&str], warning: &str) {
    if !is_root() || installed("prlimit").is_none() {
        return skipped("limiting the processes of another user needs root and prlimit");
    }
    let scratch = scratch();
    let directory = scratch.path().join("service");
    fs::create_dir(&directory).expect("a service directory");
    put_program(&directory.join("run"), "#!/bin/sh\nexec sleep 1000\n");
    let nobody = unix::account::find_user(b"nobody").expect("the user database").expect("nobody");
    std::os::unix::fs::chown(&directory, Some(nobody.uid), Some(nobody.gid)).expect("nobody's directory");
    // nobody may be unable to reach the build directory.
    let copy = scratch.path().join("supervise");
    copy_program("supervise", &copy);
    let mut command = Command::new(program("setuser"));
    command.args(["nobody", "prlimit", "--nproc=0:30000", "./supervise", "service"]).args(words);
    let mut service = Supervised::start_command(scratch, &mut command);

    wait_until("a failed fork", || service.read("errors") == warning);
    service.wait_for_ending(", normally up, want up");
    service.svc("-d");
    service.wait_for_ending(", normally up");
    service.svc("-u");
    wait_until("another attempt", || service.read("errors") == warning.repeat(2));

    let pid = service.supervise.pid().to_string();
    let raise = ["nobody", "prlimit", "--nproc=30000:30000", "--pid", &pid];
    let raised = Call::ours("setuser").args(raise).run();
    assert_eq!(raised.code, 0, "{}", raised.err_text());
    service.svc("-u");
    service.wait_for_program("sleep");
    service.svc("-dx");
    assert_eq!(service.supervise.wait(), 0);
}

#[test]
fn a_status_that_cannot_be_written_stops_neither_service_nor_svc() {
    let scratch = scratch();
    fs::create_dir_all(scratch.path().join("service/status.new/full")).expect("something in the way");
    let mut service = Supervised::start_in(scratch, &[], &["sh", "-c", "echo $$ > pid; exec sleep 1000"]);
    wait_until("the service", || service.read("pid").ends_with('\n'));
    let pid: i32 = service.read("pid").trim_end().parse().expect("a process number");
    assert!(
        service
            .read("errors")
            .starts_with("supervise: warning: unable to open status.new: file already exists\n")
    );
    service.svc("-dx");
    assert_eq!(service.supervise.wait(), 0);
    assert!(is_gone(pid));
}

#[test]
fn a_full_disk_keeps_the_old_status_and_the_service() {
    let scratch = scratch();
    let directory = scratch.path().join("service");
    fs::create_dir(&directory).expect("a service directory");
    let Some(_disk) = SmallDisk::mount(&directory) else {
        return skipped("mounting a small disk needs root");
    };
    let service = Supervised::start_in(scratch, &[], &PATIENT);
    let first = service.wait_for_program("sleep");
    let mut filler = fs::File::create(directory.join("filler")).expect("a file");
    while filler.write_all(&[0; 512]).is_ok() {}
    drop(filler);

    service.svc("-s");
    let warning = "supervise: warning: unable to write status.new: out of disk space\n";
    wait_until("a warning", || service.read("errors").starts_with(warning));
    assert_eq!(service.summary(), "up");
    kill(first, Signal::SIGKILL);
    wait_until("the old process to be gone", || is_gone(first));

    fs::remove_file(directory.join("filler")).expect("room again");
    service.svc("-h");
    service.wait_for_summary("up, normally down");
    assert_ne!(service.pid(), Some(first));
}

/// A disk of three pages, gone when dropped: room for both status files and for a new one.
struct SmallDisk<'a>(&'a Path);

impl SmallDisk<'_> {
    fn mount(at: &Path) -> Option<SmallDisk<'_>> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=12k,mode=755", "none"]).arg(at).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then_some(SmallDisk(at))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn what_a_stranger_put_in_place_of_the_new_status_is_not_written_to() {
    let scratch = scratch();
    fs::create_dir(scratch.path().join("service")).expect("a service directory");
    fs::write(scratch.path().join("precious"), "as it was").expect("a file");
    std::os::unix::fs::symlink("../precious", scratch.path().join("service/status.new")).expect("a link");
    let service = Supervised::start_in(scratch, &[], &PATIENT);
    service.wait_for_summary("up");
    assert_eq!(service.read("precious"), "as it was");
}

#[test]
fn a_control_file_that_is_no_fifo_is_refused_and_left_alone() {
    let scratch = scratch();
    fs::create_dir(scratch.path().join("service")).expect("a service directory");
    let control = scratch.path().join("service/svcontrol");
    fs::write(&control, "").expect("a regular file");
    let outcome = supervise_in(scratch.path(), &["service", "true"]);
    assert_eq!(outcome.code, 111);
    assert_eq!(outcome.err_text(), "supervise: fatal: unable to open svcontrol: not a fifo\n");
    let outcome = Call::ours("svc").args(["-u", "service"]).within(scratch.path()).run();
    assert_eq!(outcome.code, 0);
    assert_eq!(outcome.err_text(), "svc: warning: unable to control service: not a fifo\n");
    assert_eq!(fs::read(&control).expect("the regular file"), b"");
}

#[test]
fn a_fifo_of_the_newer_kind_that_is_none_is_refused_too() {
    let scratch = scratch();
    let directory = scratch.path().join("service/supervise");
    fs::create_dir_all(&directory).expect("a service directory");
    for file in ["control", "ok"] {
        fs::write(directory.join(file), "").expect("a regular file");
        let outcome = supervise_in(scratch.path(), &["service"]);
        assert_eq!(outcome.code, 111);
        let expected = format!("supervise: fatal: unable to read service/supervise/{file}: not a fifo\n");
        assert_eq!(outcome.err_text(), expected);
        if file == "ok" {
            let outcome = Call::ours("svok").arg("service").within(scratch.path()).run();
            assert_eq!(outcome.code, 111);
            assert_eq!(outcome.err_text(), "svok: fatal: unable to open service/supervise/ok: not a fifo\n");
        }
        fs::remove_file(directory.join(file)).expect("the regular file");
    }
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let scratch = scratch();
    let missing = supervise_in(scratch.path(), &["missing", "true"]);
    assert_eq!(missing.code, 111);
    assert_eq!(missing.err_text(), "supervise: fatal: unable to chdir to missing: file does not exist\n");
    fs::create_dir_all(scratch.path().join("service/lock")).expect("a directory in place of the lock");
    let locked = supervise_in(scratch.path(), &["service", "true"]);
    assert_eq!(locked.code, 111);
    assert_eq!(locked.err_text(), "supervise: fatal: unable to open lock: is a directory\n");
}

#[test]
fn wrong_usage_is_answered_with_the_usage() {
    let usage = "supervise: usage: supervise [ -rsudox5 ] dir program args ...\n";
    for arguments in [&[] as &[&str], &["-d"], &["-ud", "--"]] {
        let outcome = Call::ours("supervise").args(arguments).run();
        assert_eq!((outcome.code, outcome.err_text().as_str()), (100, usage));
    }
    let outcome = Call::ours("supervise").args(["-q", "dir", "true"]).run();
    assert_eq!((outcome.code, outcome.err_text()), (100, format!("supervise: illegal option -- q\n{usage}")));
}

#[test]
fn svc_and_svstat_go_on_after_a_directory_that_is_missing() {
    let service = Supervised::start(&[], &PATIENT);
    service.wait_for_program("sleep");
    let within = service.scratch.path();
    let outcome = Call::ours("svc").args(["-p", "missing", "service"]).within(within).run();
    assert_eq!(outcome.code, 0);
    assert_eq!(outcome.err_text(), "svc: warning: unable to chdir to missing: file does not exist\n");
    service.wait_for_summary("up, paused");
    let outcome = Call::ours("svstat").args(["missing", "service"]).within(within).run();
    assert_eq!(outcome.code, 0);
    assert_eq!(outcome.err_text(), "svstat: warning: unable to chdir to missing: file does not exist\n");
    assert_eq!(outcome.out_text(), service.svstat());
}

#[test]
fn svc_says_that_nobody_listens() {
    let mut service = Supervised::start(&["-d"], &PATIENT);
    service.wait_for_summary("down, normally up");
    service.svc("-x");
    assert_eq!(service.supervise.wait(), 0);
    let outcome = Call::ours("svc").args(["-u", "service"]).within(service.scratch.path()).run();
    assert_eq!(outcome.code, 0);
    assert_eq!(outcome.err_text(), "svc: warning: unable to control service: device not configured\n");
}

#[test]
fn svc_does_not_wait_for_a_supervise_that_stands_still() {
    let service = Supervised::start(&[], &PATIENT);
    service.wait_for_program("sleep");
    service.supervise.signal(Signal::SIGSTOP);
    let mut control = unix::fifo::open_writer(&service.path("service/svcontrol")).expect("the control FIFO");
    while control.write(&[b'?'; 4096]).is_ok() {}
    let outcome = Call::ours("svc").args(["-p", "service"]).within(service.scratch.path()).run();
    assert_eq!(outcome.code, 0);
    assert_eq!(outcome.err_text(), "svc: warning: error writing commands to service: temporary failure\n");
}

#[test]
fn bytes_that_are_no_commands_hold_up_none_that_are() {
    let service = Supervised::start(&[], &PATIENT);
    service.wait_for_program("sleep");
    let mut control = unix::fifo::open_writer(&service.path("service/svcontrol")).expect("the control FIFO");
    control.write_all(b"?\0zp\xff\n").expect("a write to the control FIFO");
    service.wait_for_summary("up, paused");
}

#[test]
fn svstat_names_a_status_that_it_cannot_read() {
    let scratch = scratch();
    for (name, status) in [("none", None), ("short", Some(22)), ("long", Some(24))] {
        fs::create_dir(scratch.path().join(name)).expect("a service directory");
        if let Some(length) = status {
            fs::write(scratch.path().join(name).join("status"), vec![0x40; length]).expect("a status file");
        }
    }
    let outcome = Call::ours("svstat").args(["none", "short", "long"]).within(scratch.path()).run();
    assert_eq!(outcome.code, 0);
    let expected = "svstat: warning: unable to read status in none: file does not exist\n\
                    svstat: warning: unable to read status in short: bad format\n";
    assert_eq!(outcome.err_text(), expected);
    let seconds = u64::from_be_bytes([0x40; 8]) - (1 << 62);
    assert_eq!(outcome.out_text(), format!("{seconds} up pid 1077952576, paused\n"));
}

#[test]
fn a_damaged_status_is_named_and_the_other_directories_are_answered() {
    let mut services: Vec<Supervised> = [&PATIENT as &[&str], &[]]
        .map(|words| {
            let scratch = scratch();
            fs::create_dir(scratch.path().join("service")).expect("a service directory");
            put_program(&scratch.path().join("service/run"), "#!/bin/sh\nexec sleep 1000\n");
            Supervised::start_in(scratch, &[], words)
        })
        .into();
    let names = services.iter().map(|service| service.path("service").into_os_string());
    let names: Vec<String> = names.map(|name| name.into_string().expect("letters")).collect();
    for service in &services {
        service.wait_for_program("sleep");
    }
    let both = |options: &[&str]| Call::ours("svstat").args(options).args(&names).run();
    let whole = both(&[]).out_text();
    let lines: Vec<&str> = whole.lines().collect();
    assert!(lines[0].contains(" up pid ") && lines[1].contains(": up (pid "), "{whole}");

    fs::write(services[0].path("service/status"), "short").expect("a damaged status");
    let damaged = both(&[]);
    assert_eq!(damaged.code, 0);
    assert!(damaged.out_text().starts_with(&format!("{}: up (pid ", names[1])), "{}", damaged.out_text());
    let expected = format!("svstat: warning: unable to read status in {}: bad format\n", names[0]);
    assert_eq!(damaged.err_text(), expected);

    fs::write(services[1].path("service/supervise/status"), "").expect("a damaged status");
    let bad = format!("{}: unable to read supervise/status: bad format\n", names[1]);
    let damaged = both(&[]);
    assert_eq!((damaged.code, damaged.out_text(), damaged.err_text()), (0, bad, expected));
    let json = both(&["--json"]).out_text();
    assert_eq!(json.lines().filter(|line| line.contains("bad format")).count(), 2, "{json}");
    assert_eq!(json.lines().count(), 2);
    let metrics = both(&["--metrics"]).out_text();
    assert_eq!(metrics.lines().filter(|line| line.ends_with("} 0")).count(), 2, "{metrics}");
    assert!(!metrics.contains("service_up"), "{metrics}");

    for service in &mut services {
        // The next change puts a whole one in its place.
        service.svc("-p");
        service.wait_for_ending(", paused");
        service.svc("-dx");
        assert_eq!(service.supervise.wait(), 0);
    }
}

#[test]
fn svok_knows_both_kinds_of_directory() {
    let mut service = Supervised::start(&["-d"], &PATIENT);
    service.wait_for_summary("down, normally up");
    let svok = |service: &Supervised| Call::ours("svok").arg(service.path("service")).run();
    assert_eq!(svok(&service).code, 0);
    service.svc("-x");
    service.supervise.wait();
    assert_eq!(svok(&service), Outcome { code: 100, out: Vec::new(), err: Vec::new() });
}

#[test]
fn the_older_form_takes_commands_from_both_fifos() {
    let service = Supervised::start(&[], &PATIENT);
    service.wait_for_program("sleep");
    for (control, letter, summary) in [
        ("service/supervise/control", "p", "up, paused"),
        ("service/svcontrol", "c", "up"),
        ("service/supervise/control", "d", "down, normally up"),
        ("service/svcontrol", "u", "up"),
    ] {
        let mut control = unix::fifo::open_writer(&service.path(control)).expect("a control FIFO");
        control.write_all(letter.as_bytes()).expect("room in the FIFO");
        service.wait_for_summary(summary);
    }
}

#[test]
fn the_older_form_keeps_to_its_own_files_if_told_to() {
    let service = Supervised::start(&["-5"], &PATIENT);
    service.wait_for_program("sleep");
    assert!(!service.path("service/supervise").exists());
    service.svc("-d");
    service.wait_for_summary("down, normally up");
    assert_eq!(service.read("errors"), "");
}

#[test]
fn the_older_form_warns_of_a_supervise_of_the_newer_one_and_leaves_its_files_alone() {
    let scratch = scratch();
    fs::create_dir_all(scratch.path().join("service/supervise")).expect("a service directory");
    let lock = unix::lock::try_open(&scratch.path().join("service/supervise/lock")).expect("the lock");
    let service = Supervised::start_in(scratch, &[], &PATIENT);
    service.wait_for_program("sleep");
    let warning = "supervise: warning: unable to acquire service/supervise/lock: temporary failure\n";
    assert_eq!(service.read("errors"), warning);
    assert!(!service.path("service/supervise/status").exists());
    service.wait_for_summary("up");
    drop(lock);
}

#[test]
fn svstat_shows_a_service_of_the_older_form_whose_supervise_was_killed() {
    let mut service = Supervised::start(&[], &PATIENT);
    let pid = service.wait_for_program("sleep");
    service.supervise.signal(Signal::SIGKILL);
    service.supervise.wait();
    assert_eq!(service.summary(), "up");
    kill(pid, Signal::SIGKILL);
}
