//! The programs that change one thing and then run another, and `readproctitle`, beside daemontools 0.76.

use harness::{Call, Outcome, Running, assert, assert_eq, both, is_root, scratch, skipped, wait_until};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Arguments, exit status, standard error.
type Case<'a> = (&'a [&'a str], i32, &'a str);

/// Calls the program with each list of arguments, in an empty directory of the test's own.
fn check(program: &Path, cases: &[Case<'_>]) {
    for (arguments, code, err) in cases {
        let scratch = scratch();
        let outcome = Call::path(program).args(*arguments).within(scratch.path()).run();
        assert_eq!((outcome.code, outcome.err_text().as_str()), (*code, *err), "{program:?} {arguments:?}");
    }
}

fn call(program: &Path, arguments: &[&str]) -> Outcome {
    Call::path(program).args(arguments).run()
}

#[test]
fn setuidgid_gives_the_user_the_group_and_no_other_group() {
    if !is_root() {
        return skipped("changing the user needs root");
    }
    let nobody = unix::account::find_user(b"nobody").expect("the user database").expect("nobody");
    both("setuidgid", |setuidgid| {
        let script = "echo $(id -u) $(id -g) $(id -G) $HOME; exit 9";
        let outcome = Call::path(setuidgid).args(["nobody", "sh", "-c", script]).env("HOME", "/kept").run();
        assert_eq!(outcome.out_text(), format!("{} {gid} {gid} /kept\n", nobody.uid, gid = nobody.gid));
        assert_eq!(outcome.code, 9);
    });
}

#[test]
fn setuidgid_says_what_is_wrong() {
    let usage = "setuidgid: usage: setuidgid account child\n";
    both("setuidgid", |setuidgid| {
        check(
            setuidgid,
            &[
                (&[], 100, usage),
                (&["root"], 100, usage),
                (&["no-such-user", "true"], 111, "setuidgid: fatal: unknown account no-such-user\n"),
                (&["", "true"], 111, "setuidgid: fatal: unknown account \n"),
                (&["-s", "true"], 111, "setuidgid: fatal: unknown account -s\n"),
            ],
        );
    });
}

#[test]
fn envuidgid_sets_two_variables_and_nothing_else() {
    let nobody = unix::account::find_user(b"nobody").expect("the user database").expect("nobody");
    both("envuidgid", |envuidgid| {
        let script = "echo $UID $GID $(id -u) $OTHER";
        let environment = [("PATH", "/usr/bin:/bin"), ("UID", "7"), ("OTHER", "kept")];
        let call = Call::path(envuidgid).args(["nobody", "sh", "-c", script]).env_clear();
        let outcome = environment.iter().fold(call, |call, (name, value)| call.env(name, value)).run();
        let expected = format!("{} {} {} kept\n", nobody.uid, nobody.gid, unix::account::real_uid());
        assert_eq!((outcome.code, outcome.out_text()), (0, expected));
    });
}

#[test]
fn envuidgid_says_what_is_wrong() {
    let usage = "envuidgid: usage: envuidgid account child\n";
    both("envuidgid", |envuidgid| {
        check(
            envuidgid,
            &[
                (&[], 100, usage),
                (&["nobody"], 100, usage),
                (&["no-such-user", "true"], 111, "envuidgid: fatal: unknown account no-such-user\n"),
                (
                    &["nobody", "./nowhere"],
                    111,
                    "envuidgid: fatal: unable to run ./nowhere: file does not exist\n",
                ),
            ],
        );
    });
}

/// Runs `env` below envdir with these files, and gives its lines in order.
fn variables(envdir: &Path, files: &[(&str, &[u8])]) -> Vec<String> {
    let scratch = scratch();
    fs::create_dir(scratch.path().join("d")).expect("a directory");
    for (name, contents) in files {
        fs::write(scratch.path().join("d").join(name), contents).expect("a file");
    }
    let outcome = Call::path(envdir)
        .args(["d", "env", "-0"])
        .within(scratch.path())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("A", "old")
        .run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    let text = outcome.out_text();
    let mut lines: Vec<String> = text.split_terminator('\0').map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn envdir_makes_variables_of_files() {
    let path = "PATH=/usr/bin:/bin";
    both("envdir", |envdir| {
        assert_eq!(variables(envdir, &[]), ["A=old", path]);
        assert_eq!(variables(envdir, &[("A", b"new")]), ["A=new", path]);
        assert_eq!(variables(envdir, &[("A", b"")]), [path]);
        assert_eq!(variables(envdir, &[("A", b"\n")]), ["A=", path]);
        assert_eq!(variables(envdir, &[("A", b" one \t \ntwo\n")]), ["A= one", path]);
        assert_eq!(variables(envdir, &[("A", b"one\0two ")]), ["A=one\ntwo", path]);
        assert_eq!(variables(envdir, &[(".hidden", b"x")]), ["A=old", path]);
        assert_eq!(variables(envdir, &[("A=B", b"c")]), ["A=B=c", path]);
        assert_eq!(variables(envdir, &[("A=B", b"")]), ["A=B", path]);
        assert_eq!(variables(envdir, &[("NONE", b"")]), ["A=old", path]);
    });
}

#[test]
fn envdir_looks_for_the_program_along_the_path_from_before() {
    both("envdir", |envdir| {
        assert_eq!(variables(envdir, &[("PATH", b"/nowhere")]), ["A=old", "PATH=/nowhere"]);
    });
}

#[test]
fn envdir_says_what_is_wrong() {
    let usage = "envdir: usage: envdir dir child\n";
    both("envdir", |envdir| {
        let missing = "envdir: fatal: unable to switch to directory missing: file does not exist\n";
        let file = "envdir: fatal: unable to switch to directory /dev/null: not a directory\n";
        check(
            envdir,
            &[
                (&[], 111, usage),
                (&["."], 111, usage),
                (&["missing", "true"], 111, missing),
                (&["/dev/null", "true"], 111, file),
                (&[".", "./nowhere"], 111, "envdir: fatal: unable to run ./nowhere: file does not exist\n"),
            ],
        );
        let scratch = scratch();
        fs::create_dir_all(scratch.path().join("d/sub")).expect("a directory");
        let outcome = Call::path(envdir).args(["d", "true"]).within(scratch.path()).run();
        assert_eq!(outcome.code, 111);
        assert_eq!(outcome.err_text(), "envdir: fatal: unable to read d/sub: is a directory\n");
    });
}

#[test]
fn setlock_keeps_the_lock_as_long_as_the_program_runs() {
    both("setlock", |setlock| {
        let scratch = scratch();
        fs::write(scratch.path().join("lock"), "kept").expect("a lock file");
        let name = setlock.to_str().expect("a path of letters");
        let taken = "setlock: fatal: unable to lock lock: temporary failure\n";
        let cases: [Case<'_>; 6] = [
            (&["lock", name, "-n", "lock", "true"], 111, taken),
            (&["-N", "lock", name, "-Nn", "lock", "true"], 111, taken),
            (&["lock", name, "-nx", "lock", "false"], 0, ""),
            (&["lock", name, "-nxX", "lock", "true"], 111, taken),
            (&["lock", name, "-n", "other", "sh", "-c", "exit 5"], 5, ""),
            (&["-n", "lock", "sh", "-c", "exit 6"], 6, ""),
        ];
        for (arguments, code, err) in cases {
            let outcome = Call::path(setlock).args(arguments).within(scratch.path()).run();
            assert_eq!((outcome.code, outcome.err_text().as_str()), (code, err), "{arguments:?}");
        }
        assert_eq!(fs::read_to_string(scratch.path().join("lock")).expect("the lock file"), "kept");
    });
}

#[test]
fn setlock_waits_for_the_lock() {
    both("setlock", |setlock| {
        let scratch = scratch();
        let path = scratch.path().join("lock");
        let held = unix::lock::try_open(&path).expect("the lock");
        let mut command = Command::new(setlock);
        let mut waiting = Running::start(command.arg(&path).args(["touch", "ran"]).current_dir(&scratch));
        let blocked = |pid: i32| {
            fs::read_to_string("/proc/locks").is_ok_and(|locks| {
                locks.lines().any(|line| line.contains("->") && line.contains(&format!(" {pid} ")))
            })
        };
        wait_until("setlock to wait", || blocked(waiting.pid()));
        assert!(!scratch.path().join("ran").exists());
        drop(held);
        assert_eq!(waiting.wait(), 0);
        assert!(scratch.path().join("ran").exists());
    });
}

#[test]
fn setlock_says_what_is_wrong() {
    let usage = "setlock: usage: setlock [ -nNxX ] file program [ arg ... ]\n";
    both("setlock", |setlock| {
        let missing = "setlock: fatal: unable to open missing/lock: file does not exist\n";
        check(
            setlock,
            &[
                (&[], 100, usage),
                (&["lock"], 100, usage),
                (&["-q", "lock", "true"], 100, &format!("setlock: illegal option -- q\n{usage}")),
                (&["missing/lock", "true"], 111, missing),
                (&["-x", "missing/lock", "false"], 0, ""),
                (
                    &["-x", "lock", "./nowhere"],
                    111,
                    "setlock: fatal: unable to run ./nowhere: file does not exist\n",
                ),
                (&[".", "true"], 111, "setlock: fatal: unable to open .: is a directory\n"),
            ],
        );
    });
}

#[test]
fn softlimit_sets_the_soft_limit_alone() {
    both("softlimit", |softlimit| {
        let limits = |options: &[&str], show: &str| {
            let before = call(Path::new("/bin/sh"), &["-c", show]).out_text();
            let after = call(softlimit, &[options, &["sh", "-c", show]].concat()).out_text();
            let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
            (lines(&before), lines(&after))
        };
        for (option, letter, show) in
            [("-o50", "n", "50"), ("-c0", "c", "0"), ("-t7", "t", "7"), ("-f5120", "f", "10")]
        {
            let script = format!("ulimit -S{letter}; ulimit -H{letter}");
            let (before, after) = limits(&[option], &script);
            assert_eq!(after, [show, before[1].as_str()]);
            let highest = [&option[..2], "99999999999999"];
            let (before, after) = limits(&highest, &script);
            assert!(after[0] == before[1] || before[1] == "unlimited");
        }
        let (before, after) = limits(&["-o", "="], "ulimit -Hn; ulimit -Sn");
        assert_eq!(after[1], before[0]);
        let (_, after) =
            limits(&["-m", "200000000", "-d", "100000000"], "ulimit -Sv; ulimit -Ss; ulimit -Sd");
        assert_eq!(after, ["195312", "195312", "97656"]);
    });
}

#[test]
fn softlimit_says_what_is_wrong() {
    let usage = "softlimit: usage: softlimit [-a allbytes] [-c corebytes] [-d databytes] [-f filebytes] \
                 [-l lockbytes] [-m membytes] [-o openfiles] [-p processes] [-r residentbytes] [-s stackbytes] \
                 [-t cpusecs] child\n";
    both("softlimit", |softlimit| {
        check(
            softlimit,
            &[
                (&[], 100, usage),
                (&["-o", "50"], 100, usage),
                (&["-q", "true"], 100, &format!("softlimit: illegal option -- q\n{usage}")),
                (&["-m"], 100, &format!("softlimit: option requires an argument -- m\n{usage}")),
                (&["-o5x", "true"], 100, usage),
                (&["-o=5", "true"], 100, usage),
                (&["-c", "-5", "true"], 100, usage),
                (
                    &["--", "./nowhere"],
                    111,
                    "softlimit: fatal: unable to run ./nowhere: file does not exist\n",
                ),
            ],
        );
    });
}

#[test]
fn pgrphack_makes_the_program_lead_its_group() {
    both("pgrphack", |pgrphack| {
        let script = "test $(ps -o pgid= -p $$) = $$ && test $(ps -o sid= -p $$) = $$ && exit 3";
        assert_eq!(call(pgrphack, &["sh", "-c", script]).code, 3);
        let name = pgrphack.to_str().expect("a path of letters");
        assert_eq!(call(pgrphack, &[name, "sh", "-c", script]).code, 3);
        check(
            pgrphack,
            &[
                (&[], 100, "pgrphack: usage: pgrphack child\n"),
                (&["./nowhere"], 111, "pgrphack: fatal: unable to run ./nowhere: file does not exist\n"),
            ],
        );
    });
}

#[test]
fn fghack_stays_until_everything_in_the_background_has_ended() {
    both("fghack", |fghack| {
        let scratch = scratch();
        let gate = scratch.path().join("gate");
        unix::fifo::make(&gate).expect("a FIFO");
        let mut command = Command::new(fghack);
        // The background process lets go of the standard descriptors, as daemons do.
        let script = "{ read line <gate; touch ended; } </dev/null >/dev/null 2>&1 & touch left; exit 4";
        let mut running = Running::start(command.args(["sh", "-c", script]).current_dir(&scratch));
        wait_until("the program to end", || scratch.path().join("left").exists());
        let mut writer = None;
        wait_until("the background", || {
            writer = unix::fifo::open_writer(&gate).ok();
            writer.is_some()
        });
        assert!(running.is_alive());
        assert!(!scratch.path().join("ended").exists());
        drop(writer);
        assert_eq!(running.wait(), 4);
        assert!(scratch.path().join("ended").exists());
    });
}

#[test]
fn fghack_reports_how_the_program_ended() {
    both("fghack", |fghack| {
        check(
            fghack,
            &[
                (&[], 100, "fghack: usage: fghack child\n"),
                (&["sh", "-c", "exit 100"], 100, ""),
                (&["sh", "-c", "kill -9 $$"], 111, "fghack: fatal: child crashed\n"),
                (&["./nowhere"], 111, "fghack: fatal: unable to run ./nowhere: file does not exist\n"),
            ],
        );
    });
}

#[test]
fn readproctitle_shows_the_end_of_its_input_in_its_command_line() {
    both("readproctitle", |readproctitle| {
        let mut command = Command::new(readproctitle);
        command.args(["errors:", "0123456789abcdef"]).stdin(Stdio::piped());
        let mut running = Running::start(&mut command);
        let mut input = running.child().stdin.take().expect("a pipe");
        let shows = |pid: i32, wanted: &str| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.ends_with(format!("\0errors:\0{wanted}\0").as_bytes())
        };
        let pid = running.pid();
        wait_until("dots", || shows(pid, "................"));
        input.write_all(b"one\0two\n").expect("room in the pipe");
        wait_until("the input", || shows(pid, ".........onetwo\n"));
        input.write_all(b"a longer line than fits\n").expect("room in the pipe");
        wait_until("the end of the input", || shows(pid, "...ne than fits\n"));
        drop(input);
        assert_eq!(running.wait(), 0);
    });
}

#[test]
fn readproctitle_says_nothing_if_there_is_no_room() {
    both("readproctitle", |readproctitle| {
        check(readproctitle, &[(&[], 100, ""), (&["title", "four"], 100, ""), (&["-x", "fives"], 0, "")]);
    });
}
