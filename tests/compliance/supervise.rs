//! `supervise dir`, `svstat`, `svok` and `setuser`, beside daemontools 0.76.
//!
//! Each of our programs has to work with the others of daemontools, so the scenarios run in all combinations.

use harness::{
    Call, Outcome, Running, Suite, assert, assert_eq, both, counting, installed, is_root, program,
    put_program, scratch, settles, skipped, wait_until,
};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The programs of one suite that talk to supervise.
#[derive(Clone, Debug)]
struct Tools {
    svc: PathBuf,
    svstat: PathBuf,
    svok: PathBuf,
}

/// Runs a scenario with supervise and tools of the reference, of each suite with the other, and with ours alone.
fn each_combination(test: impl Fn(&Path, &Tools)) {
    let tools = |find: &dyn Fn(&str) -> Option<PathBuf>| {
        Some(Tools { svc: find("svc")?, svstat: find("svstat")?, svok: find("svok")? })
    };
    let ours = |name: &str| Some(program(name));
    let reference = installed("supervise").zip(tools(&installed));
    let own = ours("supervise").zip(tools(&ours)).expect("programs that were built");
    if let Some(reference) = reference {
        counting("supervise", Suite::Reference, || test(&reference.0, &reference.1));
        test(&reference.0, &own.1);
        test(&own.0, &reference.1);
    } else {
        skipped("daemontools is not installed");
    }
    counting("supervise", Suite::Ours, || test(&own.0, &own.1));
}

/// A service directory with a `run`, called `service` in a directory of the test's own.
fn service(run: &str) -> TempDir {
    let scratch = scratch();
    fs::create_dir(scratch.path().join("service")).expect("a service directory");
    let path = scratch.path().join("service/run");
    put_program(&path, run);
    scratch
}

const PATIENT: &str = "#!/bin/sh\nexec sleep 1000\n";

/// A supervise of that directory, and the tools to talk to it. Both processes end with the test.
struct Supervised<'a> {
    scratch: TempDir,
    tools: &'a Tools,
    supervise: Running,
}

impl<'a> Supervised<'a> {
    fn start(scratch: TempDir, supervise: &Path, tools: &'a Tools) -> Supervised<'a> {
        let mut command = Command::new(supervise);
        let errors = fs::File::create(scratch.path().join("errors")).expect("a file for errors");
        command.arg("service").current_dir(scratch.path()).stderr(errors);
        let supervised = Supervised { supervise: Running::start(&mut command), scratch, tools };
        wait_until("supervise", || supervised.svok().code == 0);
        supervised
    }

    fn call(&self, program: &Path, arguments: &[&str]) -> Outcome {
        Call::path(program).args(arguments).within(self.scratch.path()).run()
    }

    fn svc(&self, options: &str) {
        let outcome = self.call(&self.tools.svc, &[options, "service"]);
        assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    }

    fn svok(&self) -> Outcome {
        self.call(&self.tools.svok, &["service"])
    }

    /// What svstat says, with `N` for numbers.
    fn svstat(&self) -> String {
        let outcome = self.call(&self.tools.svstat, &["service"]);
        assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
        without_numbers(outcome.out_text().trim_end())
    }

    fn wait_for(&self, expected: &str) {
        let mut last = String::new();
        let reached = settles(|| {
            last = self.svstat();
            last == expected
        });
        assert!(reached, "svstat says {last:?} and not {expected:?} with {:?}", self.tools);
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.scratch.path().join(name)).unwrap_or_default()
    }
}

impl Drop for Supervised<'_> {
    fn drop(&mut self) {
        let _ = self.call(&self.tools.svc, &["-dx", "service"]);
        settles(|| !self.supervise.is_alive());
    }
}

fn without_numbers(text: &str) -> String {
    let mut shown = String::new();
    for byte in text.chars() {
        match byte {
            '0'..='9' if shown.ends_with('N') => {}
            '0'..='9' => shown.push('N'),
            other => shown.push(other),
        }
    }
    shown
}

#[test]
fn svstat_shows_what_svc_asked_for() {
    each_combination(|supervise, tools| {
        let mut service = Supervised::start(service(PATIENT), supervise, tools);
        service.wait_for("service: up (pid N) N seconds");
        for (letters, line) in [
            ("-p", "service: up (pid N) N seconds, paused"),
            ("-c", "service: up (pid N) N seconds"),
            ("-o", "service: up (pid N) N seconds"),
            ("-d", "service: down N seconds, normally up"),
            ("-u", "service: up (pid N) N seconds"),
            ("-t", "service: up (pid N) N seconds"),
            ("-ok", "service: down N seconds, normally up"),
        ] {
            service.svc(letters);
            service.wait_for(line);
        }
        fs::write(service.scratch.path().join("service/down"), "").expect("the file down");
        assert_eq!(service.svstat(), "service: down N seconds");
        service.svc("-u");
        service.wait_for("service: up (pid N) N seconds, normally down");
        service.svc("-dx");
        assert_eq!(service.supervise.wait(), 0);
    });
}

#[test]
fn a_service_with_a_file_down_waits_for_svc() {
    each_combination(|supervise, tools| {
        let scratch = service(PATIENT);
        fs::write(scratch.path().join("service/down"), "").expect("the file down");
        let service = Supervised::start(scratch, supervise, tools);
        assert_eq!(service.svstat(), "service: down N seconds");
        service.svc("-o");
        service.wait_for("service: up (pid N) N seconds, normally down");
    });
}

#[test]
fn when_supervise_is_gone_all_tools_say_so() {
    each_combination(|supervise, tools| {
        let mut service = Supervised::start(service(PATIENT), supervise, tools);
        service.svc("-dx");
        assert_eq!(service.supervise.wait(), 0);
        assert_eq!(service.svok(), Outcome { code: 100, out: Vec::new(), err: Vec::new() });
        assert_eq!(service.svstat(), "service: supervise not running");
        let outcome = service.call(&service.tools.svc, &["-u", "service"]);
        assert_eq!(outcome.code, 0);
        assert_eq!(outcome.err_text(), "svc: warning: unable to control service: supervise not running\n");
    });
}

#[test]
fn run_runs_in_its_directory_and_is_started_again() {
    each_combination(|supervise, tools| {
        let run = "#!/bin/sh\npwd >> ../places\nsleep 1.1\n";
        let service = Supervised::start(service(run), supervise, tools);
        wait_until("a second start", || service.read("places").lines().count() >= 2);
        let directory = service.scratch.path().join("service");
        assert!(service.read("places").lines().all(|place| Path::new(place) == directory));
    });
}

#[test]
fn the_files_are_those_of_daemontools() {
    each_combination(|supervise, tools| {
        let service = Supervised::start(service(PATIENT), supervise, tools);
        service.wait_for("service: up (pid N) N seconds");
        let directory = service.scratch.path().join("service/supervise");
        let modes = ["", "control", "lock", "ok", "status"]
            .map(|name| fs::metadata(directory.join(name)).expect(name).permissions().mode());
        assert_eq!(modes, [0o40700, 0o10600, 0o100_600, 0o10600, 0o100_644]);
        let status = fs::read(directory.join("status")).expect("a status file");
        assert_eq!(status.len(), 18);
        assert_eq!(status[..4], [0x40, 0, 0, 0]);
        assert_eq!(status[16..], [0, b'u']);
    });
}

#[test]
fn a_run_that_cannot_be_run_is_named() {
    each_combination(|supervise, tools| {
        let cases = [
            ("exec sleep 1000", 0o755, "exec format error"),
            (PATIENT, 0o644, "access denied"),
            ("#!/nowhere", 0o755, "file does not exist"),
        ];
        for (run, mode, reason) in cases {
            let scratch = service(run);
            let path = scratch.path().join("service/run");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
            let service = Supervised::start(scratch, supervise, tools);
            let line = format!("supervise: fatal: unable to start service/run: {reason}\n");
            wait_until("the complaint", || service.read("errors").starts_with(&line));
        }
    });
}

#[test]
fn a_directory_of_commands_may_be_a_link() {
    each_combination(|supervise, tools| {
        let scratch = service(PATIENT);
        let link = scratch.path().join("service/supervise");
        std::os::unix::fs::symlink(scratch.path().join("elsewhere"), link).expect("a link");
        let service = Supervised::start(scratch, supervise, tools);
        service.wait_for("service: up (pid N) N seconds");
        assert!(service.scratch.path().join("elsewhere/status").is_file());
    });
}

#[test]
fn one_supervise_a_directory() {
    each_combination(|supervise, tools| {
        let service = Supervised::start(service(PATIENT), supervise, tools);
        both("supervise", |second| {
            let outcome = service.call(second, &["service"]);
            assert_eq!(outcome.code, 111);
            let line = "supervise: fatal: unable to acquire service/supervise/lock: temporary failure\n";
            assert_eq!(outcome.err_text(), line);
        });
    });
}

#[test]
fn supervise_refuses_a_directory_that_is_not_there() {
    both("supervise", |supervise| {
        let scratch = scratch();
        let outcome = Call::path(supervise).arg("missing").within(scratch.path()).run();
        assert_eq!(outcome.code, 111);
        assert_eq!(outcome.err_text(), "supervise: fatal: unable to chdir to missing: file does not exist\n");
    });
}

#[test]
fn svok_tells_no_from_trouble() {
    both("svok", |svok| {
        let scratch = scratch();
        fs::create_dir(scratch.path().join("never")).expect("a directory");
        fs::create_dir(scratch.path().join("odd")).expect("a directory");
        fs::write(scratch.path().join("odd/supervise"), "").expect("a file");
        for (arguments, code, err) in [
            (&[] as &[&str], 100, "svok: usage: svok dir\n"),
            (&["missing"], 111, "svok: fatal: unable to chdir to missing: file does not exist\n"),
            (&["never"], 100, ""),
            (&["never", "missing"], 100, ""),
            (&["odd"], 111, "svok: fatal: unable to open odd/supervise/ok: not a directory\n"),
        ] {
            let outcome = Call::path(svok).args(arguments).within(scratch.path()).run();
            assert_eq!((outcome.code, outcome.err_text().as_str()), (code, err));
        }
    });
}

#[test]
fn svstat_says_what_it_lacks() {
    both("svstat", |svstat| {
        let scratch = service(PATIENT);
        fs::create_dir(scratch.path().join("odd")).expect("a directory");
        fs::write(scratch.path().join("odd/supervise"), "").expect("a file");
        let outcome = Call::path(svstat).args(["service", "odd"]).within(scratch.path()).run();
        assert_eq!(outcome.code, 0);
        let expected = "service: unable to open supervise/ok: file does not exist\n\
                        odd: unable to open supervise/ok: not a directory\n";
        assert_eq!(outcome.out_text(), expected);
    });
}

#[test]
fn svstat_reads_the_start_of_a_longer_status_and_no_shorter_one() {
    both("svstat", |svstat| {
        let scratch = service(PATIENT);
        let directory = scratch.path().join("service/supervise");
        fs::create_dir(&directory).expect("a directory");
        unix::fifo::make(&directory.join("ok")).expect("a FIFO");
        let _reader = unix::fifo::open_reader(&directory.join("ok")).expect("a reader");
        let svstat = || Call::path(svstat).arg("service").within(scratch.path()).run().out_text();
        assert_eq!(svstat(), "service: unable to open supervise/status: file does not exist\n");
        let label = [0x40, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0, 0];
        let status = [label.as_slice(), &[70, 0, 0, 0, 1, b'd'], &[9; 22]].concat();
        for (length, line) in [
            (0, "unable to read supervise/status: bad format"),
            (17, "unable to read supervise/status: bad format"),
            (18, "up (pid 70) 0 seconds, paused, want down"),
            (20, "up (pid 70) 0 seconds, paused, want down"),
            (40, "up (pid 70) 0 seconds, paused, want down"),
        ] {
            fs::write(directory.join("status"), &status[..length]).expect("a status file");
            assert_eq!(svstat(), format!("service: {line}\n"));
        }
    });
}

#[test]
fn setuser_gives_the_identity_that_setuidgid_gives() {
    let Some(setuidgid) = installed("setuidgid").filter(|_| is_root()) else {
        return skipped("this needs root and daemontools");
    };
    for account in ["nobody", "daemon", "mail", "root"] {
        let identity = |program: &Path| {
            let script = "id -u; id -g; id -G; env | sort | grep -v ^_; pwd; umask";
            Call::path(program).args([account, "sh", "-c", script]).run()
        };
        assert_eq!(identity(&setuidgid), identity(&program("setuser")));
    }
    let failure = |program: &Path| Call::path(program).args(["nobody", "/nowhere"]).run();
    let ours = failure(&program("setuser"));
    assert_eq!(failure(&setuidgid).err_text().replace("setuidgid", "setuser"), ours.err_text());
    assert_eq!(failure(&setuidgid).code, ours.code);
}

/// The newer tool of ours, which the supervise of daemontools tells nothing.
#[test]
fn svwait_and_json_work_with_either_supervise() {
    for supervise in [installed("supervise"), Some(program("supervise"))].into_iter().flatten() {
        let tools = Tools { svc: program("svc"), svstat: program("svstat"), svok: program("svok") };
        let scratch = service(PATIENT);
        fs::write(scratch.path().join("service/down"), "").expect("the file down");
        let service = Supervised::start(scratch, &supervise, &tools);
        let svwait = |letter: &str, seconds: &str| {
            service.call(&program("svwait"), &[letter, "-t", seconds, "service"]).code
        };
        assert_eq!([svwait("-d", "30"), svwait("-u", "0"), svwait("-r", "0")], [0, 99, 99]);
        service.svc("-u");
        assert_eq!([svwait("-u", "30"), svwait("-d", "0"), svwait("-r", "0")], [0, 99, 99]);
        let json = service.call(&tools.svstat, &["--json", "service"]).out_text();
        let json: serde_json::Value = serde_json::from_str(&json).expect("an object");
        assert_eq!((json["state"].as_str(), json["want"].as_str()), (Some("up"), Some("up")));
        service.svc("-d");
        assert_eq!(svwait("-d", "30"), 0);
    }
}

/// A service of the older form, for the tools of the newer one.
#[test]
fn the_newer_tools_work_on_a_service_of_the_older_form() {
    let Some((svc, svstat)) = installed("svc").zip(installed("svstat")) else {
        return skipped("daemontools is not installed");
    };
    let tools = Tools { svc, svstat, svok: installed("svok").expect("the svok of that svc") };
    let scratch = scratch();
    fs::create_dir(scratch.path().join("service")).expect("a service directory");
    let mut command = Command::new(program("supervise"));
    command.args(["service", "sleep", "1000"]).current_dir(scratch.path());
    let service = Supervised { supervise: Running::start(&mut command), scratch, tools: &tools };
    wait_until("supervise", || service.svok().code == 0);
    for (letters, line) in [
        ("-u", "service: up (pid N) N seconds"),
        ("-p", "service: up (pid N) N seconds, paused"),
        ("-c", "service: up (pid N) N seconds"),
        ("-d", "service: down N seconds, normally up"),
        ("-o", "service: up (pid N) N seconds"),
    ] {
        service.svc(letters);
        service.wait_for(line);
    }
    assert_eq!(
        fs::read(service.scratch.path().join("service/supervise/status")).expect("a status").len(),
        18
    );
    assert_eq!(fs::read(service.scratch.path().join("service/status")).expect("a status").len(), 23);
    let second = service.call(&installed("supervise").expect("the supervise of that svc"), &["service"]);
    assert_eq!(second.code, 111);
    let expected = "supervise: fatal: unable to acquire service/supervise/lock: temporary failure\n";
    assert_eq!(second.err_text(), expected);
}
