//! `multilog` selects, cuts, names and removes as its manual says.

use harness::{Call, Outcome, Running, assert, assert_eq, both, scratch, wait_until};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use unix::signal::Signal;

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("the directory");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect();
    names.sort();
    names
}

/// The names with `@.s` and `@.u` for those with labels, which are checked.
fn kinds(directory: &Path) -> Vec<String> {
    let kind = |name: String| match name.strip_prefix('@') {
        Some(rest) if rest.len() == 26 => {
            assert!(rest[..24].bytes().all(|byte| b"0123456789abcdef".contains(&byte)), "{name}");
            format!("@{}", &rest[24..])
        }
        _ => name,
    };
    names(directory).into_iter().map(kind).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o7777
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a file")
}

/// The contents of the finished files, oldest first.
fn finished(directory: &Path) -> Vec<String> {
    let old = names(directory).into_iter().filter(|name| name.starts_with('@'));
    old.map(|name| read(&directory.join(name))).collect()
}

fn call(program: &Path, within: &Path, script: &[&str], input: impl AsRef<[u8]>) -> Outcome {
    Call::path(program).args(script).within(within).input(input).run()
}

fn silently(program: &Path, within: &Path, script: &[&str], input: impl AsRef<[u8]>) {
    let outcome = call(program, within, script, input);
    assert_eq!((outcome.code, outcome.err_text(), outcome.out_text()), (0, String::new(), String::new()));
}

/// What goes into a log directory by this script, which comes before the directory.
fn logged(program: &Path, script: &[&str], input: impl AsRef<[u8]>) -> String {
    let scratch = scratch();
    silently(program, scratch.path(), &[script, &["./log"]].concat(), input);
    read(&scratch.path().join("log/current"))
}

fn start(program: &Path, within: &Path, script: &[&str]) -> Running {
    let errors = fs::File::create(within.join("err")).expect("a file for standard error");
    Running::start(
        Command::new(program).args(script).current_dir(within).stdin(Stdio::piped()).stderr(errors),
    )
}

fn write(logger: &mut Running, text: &str) {
    logger.child().stdin.as_mut().expect("a pipe").write_all(text.as_bytes()).expect("a logger that reads");
}

#[test]
fn without_a_script_the_input_is_read_and_forgotten() {
    both("multilog", |program| {
        let scratch = scratch();
        silently(program, scratch.path(), &[], "one\ntwo");
        silently(program, scratch.path(), &["x", "", "Z1"], "one\n");
        assert!(names(scratch.path()).is_empty());
    });
}

#[test]
fn a_new_directory_is_private_and_holds_three_files() {
    both("multilog", |program| {
        let scratch = scratch();
        silently(program, scratch.path(), &["./log"], "one\n");
        let log = scratch.path().join("log");
        assert_eq!((mode(&log), names(&log)), (0o700, vec!["current".into(), "lock".into(), "state".into()]));
        let modes = ["current", "lock", "state"].map(|name| mode(&log.join(name)));
        assert_eq!(modes, [0o744, 0o600, 0o644]);
        assert_eq!((read(&log.join("current")), read(&log.join("state"))), ("one\n".into(), String::new()));
    });
}

#[test]
fn parents_are_not_made() {
    both("multilog", |program| {
        let scratch = scratch();
        let outcome = call(program, scratch.path(), &["./a/b"], "one\n");
        let text = "multilog: fatal: unable to open directory ./a/b: file does not exist\n";
        assert_eq!((outcome.code, outcome.err_text().as_str()), (111, text));
        fs::write(scratch.path().join("file"), "").expect("a file");
        assert_eq!(call(program, scratch.path(), &["./file"], "").code, 111);
    });
}

#[test]
fn the_same_directory_twice_is_locked_the_second_time() {
    both("multilog", |program| {
        let scratch = scratch();
        let outcome = call(program, scratch.path(), &["./a", "./a"], "one\n");
        let text = "multilog: fatal: unable to lock directory ./a: temporary failure\n";
        assert_eq!((outcome.code, outcome.err_text().as_str()), (111, text));
    });
}

#[test]
fn a_partial_last_line_gets_a_newline() {
    both("multilog", |program| {
        assert_eq!(logged(program, &[], "one\ntwo"), "one\ntwo\n");
        assert_eq!(logged(program, &[], "\n\n"), "\n\n");
        assert_eq!(logged(program, &[], ""), "");
        assert_eq!(logged(program, &[], "nul \0\n"), "nul \0\n");
        let long = "x".repeat(1500);
        assert_eq!(logged(program, &[], &long), long.clone() + "\n");
        assert_eq!(logged(program, &[], &long[..1000]), "x".repeat(1000) + "\n");
    });
}

#[test]
fn t_labels_each_line_when_it_comes_first() {
    both("multilog", |program| {
        for script in [["t"], ["too"]] {
            let log = logged(program, &script, "one\n\ntwo");
            let lines: Vec<(&str, &str)> = log.lines().map(|line| line.split_at(26)).collect();
            assert_eq!(lines.iter().map(|(_, text)| *text).collect::<Vec<_>>(), ["one", "", "two"]);
            assert!(lines.iter().all(|(label, _)| label.starts_with("@4000000") && label.ends_with(' ')));
        }
        assert_eq!(logged(program, &["s5000", "t"], "one\n"), "one\n");
    });
}

#[test]
fn lines_are_selected_and_deselected_from_left_to_right() {
    both("multilog", |program| {
        let input = "apple\nbanana\ncherry\napricot\n";
        assert_eq!(logged(program, &["-a*"], input), "banana\ncherry\n");
        assert_eq!(logged(program, &["-*", "+a*"], input), "apple\napricot\n");
        assert_eq!(logged(program, &["-*", "+a*", "-*t"], input), "apple\n");
        assert_eq!(logged(program, &["+banana", "-b*", "-c*"], input), "apple\napricot\n");
        assert_eq!(logged(program, &["-"], "a\n\nb\n"), "a\nb\n");
        let scratch = scratch();
        silently(
            program,
            scratch.path(),
            &["./all", "-a*", "./some", "-*", "./none", "+banana", "./one"],
            input,
        );
        let logs =
            ["all", "some", "none", "one"].map(|name| read(&scratch.path().join(name).join("current")));
        assert_eq!(logs, [input, "banana\ncherry\n", "", "banana\n"]);
    });
}

#[test]
fn patterns_fit_whole_lines_and_a_star_ends_at_its_first_end() {
    both("multilog", |program| {
        let selected = |pattern: &str, line: &str| {
            !logged(program, &["-*", &format!("+{pattern}")], format!("{line}\n")).is_empty()
        };
        for (pattern, line) in [
            ("abc", "abc"),
            ("a*", "a"),
            ("*", ""),
            ("ab*cd*e", "abxcdye"),
            ("**", "ab*cd"),
            ("*x", "x"),
            ("[a]?", "[a]?"),
        ] {
            assert!(selected(pattern, line), "{pattern} {line}");
        }
        for (pattern, line) in
            [("abc", "abcd"), ("abc", "ab"), ("*a", "aa"), ("ab*cd*e", "abccde"), ("**", "ab"), ("", "a")]
        {
            assert!(!selected(pattern, line), "{pattern} {line}");
        }
    });
}

#[test]
fn patterns_see_the_label_and_1000_bytes_of_the_line() {
    both("multilog", |program| {
        assert!(logged(program, &["t", "-one"], "one\n").ends_with(" one\n"));
        assert_eq!(logged(program, &["t", "-* one"], "one\n"), "");
        let long = "x".repeat(1000) + "tail\n";
        assert_eq!(logged(program, &["-*x"], &long), long);
        assert_eq!(logged(program, &["-*tail"], &long), long);
        assert_eq!(logged(program, &[&format!("-{}", "x".repeat(1000))], &long), "");
        assert_eq!(logged(program, &[&format!("-{}", "x".repeat(999))], &long), long);
    });
}

#[test]
fn e_shows_200_bytes_of_selected_lines() {
    both("multilog", |program| {
        let scratch = scratch();
        let input = format!("{}\n{}\nshort\nhidden\n\npart", "x".repeat(200), "y".repeat(201));
        let outcome = call(program, scratch.path(), &["-h*", "e"], &input);
        let shown = format!("{}\n{}...\nshort\n\npart\n", "x".repeat(200), "y".repeat(200));
        assert_eq!((outcome.code, outcome.err_text()), (0, shown));
    });
}

#[test]
fn a_status_file_shows_the_last_selected_line() {
    both("multilog", |program| {
        let scratch = scratch();
        let file = scratch.path().join("status");
        silently(program, scratch.path(), &["=status"], "");
        assert_eq!((read(&file), mode(&file)), (String::new(), 0o600));
        silently(
            program,
            scratch.path(),
            &["-b*", "=status", "-*", "=other"],
            "first\nlonger line\nlast\nbad\n",
        );
        assert_eq!(read(&file), format!("last{}", "\n".repeat(997)));
        assert_eq!(read(&scratch.path().join("other")), "");
        silently(program, scratch.path(), &["=status"], "x".repeat(2000));
        assert_eq!(read(&file), "x".repeat(1000) + "\n");
        fs::write(&file, "z".repeat(1003)).expect("a longer file");
        silently(program, scratch.path(), &["=status"], "a\n");
        assert_eq!(read(&file), format!("a{}zz", "\n".repeat(1000)));
    });
}

#[test]
fn a_status_file_that_cannot_be_made_ends_it_before_it_reads() {
    both("multilog", |program| {
        let scratch = scratch();
        let outcome = call(program, scratch.path(), &["=a/b"], "one\n");
        let text = "multilog: fatal: unable to create a/b: file does not exist\n";
        assert_eq!((outcome.code, outcome.err_text().as_str()), (111, text));
    });
}

#[test]
fn files_end_with_a_line_in_their_last_2000_bytes() {
    both("multilog", |program| {
        let scratch = scratch();
        let input: String = (1..=3000).map(|number| format!("line {number}\n")).collect();
        silently(program, scratch.path(), &["s4096", "n100", "./log"], &input);
        let log = scratch.path().join("log");
        let mut files = finished(&log);
        assert!(files.len() > 5);
        assert!(files.iter().all(|file| (2096..=4096).contains(&file.len()) && file.ends_with('\n')));
        files.push(read(&log.join("current")));
        assert_eq!(files.concat(), input);
        let old = names(&log).into_iter().filter(|name| name.starts_with('@'));
        assert!(old.into_iter().all(|name| mode(&log.join(&name)) == 0o744 && name.ends_with(".s")));
    });
}

#[test]
fn lines_longer_than_a_file_are_split_at_its_size() {
    both("multilog", |program| {
        let scratch = scratch();
        silently(program, scratch.path(), &["s4096", "./log"], "x".repeat(10_000));
        let log = scratch.path().join("log");
        assert_eq!(finished(&log).iter().map(String::len).collect::<Vec<_>>(), [4096, 4096]);
        assert_eq!(read(&log.join("current")).len(), 10_001 - 2 * 4096);
    });
}

#[test]
fn so_many_files_are_kept_and_they_are_the_newest() {
    both("multilog", |program| {
        let scratch = scratch();
        let input: String = (1..=4000).map(|number| format!("line {number}\n")).collect();
        silently(program, scratch.path(), &["s1", "n3", "./three", "n0", "./two"], &input);
        for (name, count) in [("three", 2), ("two", 1)] {
            let log = scratch.path().join(name);
            let files = finished(&log);
            assert_eq!(files.len(), count);
            assert!(input.ends_with(&(files.concat() + &read(&log.join("current")))));
        }
    });
}

#[test]
fn names_of_25_bytes_that_begin_with_an_at_sign_count_whoever_made_them() {
    both("multilog", |program| {
        let scratch = scratch();
        let log = scratch.path().join("log");
        fs::create_dir(&log).expect("a directory");
        for name in ["@0000000000000000000000000", "@00000000000000000000000", "@foo", "other"] {
            fs::write(log.join(name), "").expect("a file");
        }
        let input = "line\n".repeat(700);
        silently(program, scratch.path(), &["s4096", "n2", "./log"], &input);
        let expected = ["@.s", "@00000000000000000000000", "@foo", "current", "lock", "other", "state"];
        let mut found = kinds(&log);
        found.sort();
        assert_eq!(found, expected);
    });
}

#[test]
fn a_closed_log_is_continued() {
    both("multilog", |program| {
        let scratch = scratch();
        silently(program, scratch.path(), &["./log"], "one\n");
        let log = scratch.path().join("log");
        fs::write(log.join("state"), "kept").expect("a state");
        silently(program, scratch.path(), &["./log"], "two\n");
        assert_eq!(
            (read(&log.join("current")), read(&log.join("state"))),
            ("one\ntwo\n".into(), "kept".into())
        );
        assert_eq!(names(&log), ["current", "lock", "state"]);
        assert_eq!(mode(&log.join("current")), 0o744);
    });
}

#[test]
fn what_was_written_so_far_counts_for_the_size() {
    both("multilog", |program| {
        let scratch = scratch();
        let lines = "line\n".repeat(419);
        silently(program, scratch.path(), &["s4096", "./log"], &lines);
        let log = scratch.path().join("log");
        assert!(finished(&log).is_empty());
        fs::write(log.join("current"), "x\n".repeat(3000)).expect("a larger file");
        silently(program, scratch.path(), &["s4096", "./log"], "new\n");
        assert_eq!(finished(&log), ["x\n".repeat(3000)]);
        assert_eq!(read(&log.join("current")), "new\n");
    });
}

/// Makes a log directory with these files, starts a run without input, and gives what is there after it.
fn repaired(program: &Path, files: &[(&str, u32)]) -> Vec<(String, String, u32)> {
    let scratch = scratch();
    let log = scratch.path().join("log");
    fs::create_dir(&log).expect("a directory");
    for (name, bits) in files {
        fs::write(log.join(name), format!("{name}\n")).expect("a file");
        fs::set_permissions(log.join(name), fs::Permissions::from_mode(*bits)).expect("a mode");
    }
    silently(program, scratch.path(), &["./log"], "");
    let found = names(&log).into_iter().zip(kinds(&log)).filter(|(name, _)| name != "lock");
    found.map(|(name, kind)| (kind, read(&log.join(&name)), mode(&log.join(&name)))).collect()
}

fn found(files: &[(&str, &str, u32)]) -> Vec<(String, String, u32)> {
    files.iter().map(|(name, text, bits)| ((*name).to_owned(), (*text).to_owned(), *bits)).collect()
}

#[test]
fn a_log_that_was_not_closed_is_set_aside_as_unfinished() {
    both("multilog", |program| {
        let fresh = [("current", "", 0o744), ("state", "", 0o644)];
        let expect = |old: &[(&str, &str, u32)]| found(&[old, &fresh].concat());
        assert_eq!(repaired(program, &[("current", 0o644)]), expect(&[("@.u", "current\n", 0o644)]));
        assert_eq!(
            repaired(program, &[("current", 0o644), ("state", 0o644), ("newstate", 0o644)]),
            expect(&[("@.u", "current\n", 0o644)])
        );
        assert_eq!(
            repaired(program, &[("previous", 0o744), ("current", 0o644)]),
            expect(&[("@.u", "previous\n", 0o744), ("@.u", "current\n", 0o644)])
        );
        assert_eq!(
            repaired(program, &[("previous", 0o744), ("processed", 0o644), ("current", 0o644)]),
            expect(&[("@.u", "previous\n", 0o744), ("@.u", "current\n", 0o644)])
        );
        assert_eq!(
            repaired(program, &[("previous", 0o744), ("processed", 0o744), ("current", 0o644)]),
            expect(&[("@.s", "processed\n", 0o744), ("@.u", "current\n", 0o644)])
        );
        assert_eq!(repaired(program, &[("previous", 0o644)]), expect(&[("@.u", "previous\n", 0o644)]));
    });
}

#[test]
fn a_closed_log_is_left_alone_but_for_its_mode() {
    both("multilog", |program| {
        let files = [("current", 0o744), ("newstate", 0o600), ("state", 0o600)];
        let expected =
            [("current", "current\n", 0o744), ("newstate", "newstate\n", 0o600), ("state", "state\n", 0o600)];
        assert_eq!(repaired(program, &files), found(&expected));
    });
}

#[test]
fn a_file_that_has_its_final_name_already_loses_the_old_one() {
    both("multilog", |program| {
        let scratch = scratch();
        let log = scratch.path().join("log");
        fs::create_dir(&log).expect("a directory");
        fs::write(log.join("current"), "one\n").expect("a file");
        fs::hard_link(log.join("current"), log.join("@4000000037c219bf2ef02e94.u")).expect("a second name");
        silently(program, scratch.path(), &["./log"], "two\n");
        assert_eq!(names(&log), ["@4000000037c219bf2ef02e94.u", "current", "lock", "state"]);
        assert_eq!((finished(&log).concat(), read(&log.join("current"))), ("one\n".into(), "two\n".into()));
    });
}

#[test]
fn a_processor_turns_finished_files_into_others_and_keeps_a_state() {
    both("multilog", |program| {
        let scratch = scratch();
        let input: String = (0..1200).map(|number| format!("{number}\n")).collect();
        let processor = "!tr 0-9 a-j; cat <&4 >/dev/null; echo st >&5";
        silently(program, scratch.path(), &["t", "s4096", "n100", processor, "./p1"], &input);
        let log = scratch.path().join("p1");
        let old = finished(&log);
        assert!(old.len() > 5 && old.iter().all(|file| !file.contains(|c: char| c.is_ascii_digit())));
        assert_eq!(read(&log.join("state")), "st\n");
        let mut kinds = kinds(&log);
        kinds.retain(|name| !name.starts_with('@'));
        assert_eq!(kinds, ["current", "lock", "state"]);
        assert!(
            names(&log)
                .iter()
                .filter(|name| name.starts_with('@'))
                .all(|name| mode(&log.join(name)) == 0o744)
        );
    });
}

#[test]
fn a_processor_sees_the_state_of_the_one_before_and_works_in_the_directory() {
    both("multilog", |program| {
        let scratch = scratch();
        let processor = "!cat >/dev/null; pwd; cat <&4; (cat state; echo x) >&5";
        silently(program, scratch.path(), &["s4096", "n10", processor, "./log"], "line\n".repeat(1700));
        let log = scratch.path().join("log");
        let place = format!("{}\n", fs::canonicalize(&log).expect("the directory").display());
        let seen: Vec<String> = finished(&log).iter().map(|file| file.replace(&place, "pwd ")).collect();
        assert!(seen.len() >= 3, "{seen:?}");
        assert_eq!(seen[..3], ["pwd ", "pwd x\n", "pwd x\nx\n"]);
    });
}

#[test]
fn a_processor_that_fails_is_tried_again() {
    both("multilog", |program| {
        let scratch = scratch();
        let processor = "!cat; test -f ../again || { >../again; exit 1; }";
        let outcome = call(program, scratch.path(), &["s4096", processor, "./log"], "line\n".repeat(700));
        let text = "multilog: warning: processor failed in ./log, pausing\n";
        assert_eq!((outcome.code, outcome.err_text().as_str()), (0, text));
        let log = scratch.path().join("log");
        assert_eq!(finished(&log).concat() + &read(&log.join("current")), "line\n".repeat(700));
    });
}

#[test]
fn only_one_can_log_into_a_directory_at_a_time() {
    both("multilog", |program| {
        let scratch = scratch();
        let mut logger = start(program, scratch.path(), &["./log"]);
        write(&mut logger, "one\n");
        let current = scratch.path().join("log/current");
        wait_until("the line is in the log", || current.exists() && read(&current) == "one\n");
        assert_eq!(mode(&current), 0o644);
        let outcome = call(program, scratch.path(), &["./log"], "two\n");
        let text = "multilog: fatal: unable to lock directory ./log: temporary failure\n";
        assert_eq!((outcome.code, outcome.err_text().as_str()), (111, text));
        drop(logger.child().stdin.take());
        assert_eq!((logger.wait(), mode(&current)), (0, 0o744));
    });
}

#[test]
fn term_between_lines_ends_it_at_once() {
    both("multilog", |program| {
        let scratch = scratch();
        let mut logger = start(program, scratch.path(), &["./log"]);
        write(&mut logger, "one\n");
        let current = scratch.path().join("log/current");
        wait_until("the line is in the log", || current.exists() && read(&current) == "one\n");
        logger.signal(Signal::SIGTERM);
        wait_until("multilog ended", || !logger.is_alive());
        assert_eq!((logger.wait(), read(&current), mode(&current)), (0, "one\n".into(), 0o744));
    });
}

#[test]
fn term_within_a_line_waits_for_its_rest_and_leaves_what_follows_in_the_pipe() {
    both("multilog", |program| {
        let scratch = scratch();
        // That e shows the first line says that all was read, which is one write to the pipe.
        let mut logger = start(program, scratch.path(), &["e", "./log"]);
        write(&mut logger, "one\ntw");
        let shown = scratch.path().join("err");
        wait_until("the first line is shown", || read(&shown) == "one\n");
        // What comes before the signal is handled would be read together with it.
        logger.signal(Signal::SIGTERM);
        std::thread::sleep(std::time::Duration::from_millis(300));
        write(&mut logger, "o\nthree\n");
        wait_until("multilog ended", || !logger.is_alive());
        assert_eq!(logger.wait(), 0);
        let current = scratch.path().join("log/current");
        assert_eq!((read(&current), mode(&current)), ("one\ntwo\n".into(), 0o744));
    });
}

#[test]
fn alarm_ends_the_current_file_unless_it_is_empty() {
    both("multilog", |program| {
        let scratch = scratch();
        let mut logger = start(program, scratch.path(), &["./log", "-*", "./empty"]);
        write(&mut logger, "one\npart");
        let log = scratch.path().join("log");
        wait_until("the line is in the log", || {
            log.join("current").exists() && read(&log.join("current")) == "one\n"
        });
        logger.signal(Signal::SIGALRM);
        wait_until("the file is finished", || finished(&log) == ["one\n"]);
        write(&mut logger, "ial\n");
        wait_until("the next one is begun", || read(&log.join("current")) == "partial\n");
        assert!(finished(&scratch.path().join("empty")).is_empty());
        drop(logger.child().stdin.take());
        assert_eq!(logger.wait(), 0);
    });
}

#[test]
fn input_that_cannot_be_read_is_the_end_of_the_input() {
    both("multilog", |program| {
        let scratch = scratch();
        let outcome = Call::path(Path::new("/bin/sh"))
            .args(["-c", "\"$0\" ./log </"])
            .arg(program)
            .within(scratch.path())
            .run();
        assert_eq!((outcome.code, outcome.err_text()), (0, String::new()));
        assert_eq!(mode(&scratch.path().join("log/current")), 0o744);
    });
}
