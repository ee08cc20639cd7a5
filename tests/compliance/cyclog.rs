//! `cyclog` cuts, names and removes files as its manual says.

use harness::{Call, Running, program, scratch, wait_until};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("the directory");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o7777
}

/// Logs `input` into a new directory, and gives the contents of its files in the order of their names.
fn logged(options: &[&str], input: impl AsRef<[u8]>) -> Vec<String> {
    let directory = scratch();
    let outcome = Call::ours("cyclog").args(options).arg(directory.path()).input(input).run();
    assert_eq!((outcome.code, outcome.err_text(), outcome.out_text()), (0, String::new(), String::new()));
    let paths = names(directory.path()).into_iter().map(|name| directory.path().join(name));
    paths
        .map(|path| {
            assert_eq!(mode(&path), 0o444);
            fs::read_to_string(path).expect("a log file")
        })
        .collect()
}

fn lengths(options: &[&str], input: impl AsRef<[u8]>) -> Vec<usize> {
    logged(options, input).iter().map(String::len).collect()
}

#[test]
fn files_end_at_the_first_newline_in_the_margin() {
    let input: String = (1..=400).map(|number| format!("{number}\n")).collect();
    let files = logged(&["-s600", "-n3", "-m50"], &input);
    assert_eq!(files.iter().map(String::len).collect::<Vec<_>>(), [552, 552, 388]);
    assert_eq!(files.concat(), input);
    assert_eq!(lengths(&["-s", "600", "-n", "3", "-m", "50"], &input), [552, 552, 388]);
}

#[test]
fn input_without_newlines_is_cut_at_the_size() {
    assert_eq!(lengths(&["-s600", "-m50"], [b'x'; 1300]), [600, 600, 100]);
    assert_eq!(lengths(&[], vec![b'x'; 104_001]), [104_000, 1]);
}

#[test]
fn out_of_range_options_become_the_nearest_that_make_sense() {
    assert_eq!(lengths(&["-s1", "-m0"], [b'x'; 513]), [512, 1]);
    assert_eq!(lengths(&["-sjunk", "-m0"], [b'x'; 513]), [512, 1]);
    assert_eq!(logged(&["-n0", "-s512", "-m512"], "one\ntwo\n"), ["two\n"]);
    // The margin is limited by the size at its place on the command line.
    let line = format!("{}\n", "x".repeat(99));
    assert_eq!(lengths(&["-s600", "-m9999"], line.repeat(2)), [100, 100]);
    assert_eq!(lengths(&["-m9999", "-s600"], line.repeat(2)), [100, 100]);
    assert_eq!(lengths(&["-s600", "-m600", "-s1000"], line.repeat(9)), [500, 400]);
}

#[test]
fn at_most_so_many_files_are_kept_and_they_are_the_newest() {
    assert_eq!(logged(&["-s512", "-m512", "-n2"], "1\n2\n3\n4\n"), ["3\n", "4\n"]);
    let many: String = (0..30).map(|number| format!("{number}\n")).collect();
    assert_eq!(lengths(&["-s512", "-m512"], many).len(), 10);
}

#[test]
fn names_of_others_that_begin_with_an_at_sign_count_and_nothing_else_does() {
    let directory = scratch();
    for name in ["@foo", "@00000000000005", "@4000000037c219bf2ef02e94.s", "other", "lock"] {
        fs::write(directory.path().join(name), name).expect("a file");
    }
    let outcome = Call::ours("cyclog").arg("-n2").arg(directory.path()).input("one\n").run();
    assert_eq!(outcome.code, 0);
    let left = names(directory.path());
    let (ours, others) = left.split_first().expect("our file");
    assert_eq!(fs::read_to_string(directory.path().join(ours)).expect("our file"), "one\n");
    assert_eq!(others, ["@4000000037c219bf2ef02e94.s", "lock", "other"]);
}

#[test]
fn an_empty_input_leaves_one_empty_file() {
    assert_eq!(logged(&[], ""), [""]);
}

#[test]
fn a_partial_last_line_stays_partial_and_each_run_has_its_own_file() {
    let directory = scratch();
    for input in ["one\npart", "ial\n"] {
        assert_eq!(Call::ours("cyclog").arg(directory.path()).input(input).run().code, 0);
    }
    let contents: Vec<String> = names(directory.path())
        .iter()
        .map(|name| fs::read_to_string(directory.path().join(name)).expect("a log file"))
        .collect();
    assert_eq!(contents, ["one\npart", "ial\n"]);
}

#[test]
fn the_file_is_named_after_its_second_and_shows_what_came_before_the_next_byte_comes() {
    let directory = scratch();
    let started =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_secs();
    let mut logger = Running::start(
        Command::new(program("cyclog")).arg(directory.path()).stdin(Stdio::piped()).stderr(Stdio::null()),
    );
    wait_until("a file is there before any input", || names(directory.path()).len() == 1);
    let name = names(directory.path()).remove(0);
    let (second, suffix) = name.strip_prefix('@').expect("an at sign").split_at(14);
    assert!(suffix.is_empty() && second.parse::<u64>().expect("a number") >= started, "{name}");
    let path = directory.path().join(name);
    let mut input = logger.child().stdin.take().expect("a pipe");
    for (written, expected) in [("one\n", "one\n"), ("half", "one\nhalf")] {
        std::io::Write::write_all(&mut input, written.as_bytes()).expect("a logger that reads");
        wait_until("the input is in the file", || fs::read_to_string(&path).expect("the file") == expected);
        assert_eq!(mode(&path), 0o644);
    }
    drop(input);
    assert_eq!(logger.wait(), 0);
    assert_eq!(mode(&path), 0o444);
}

#[test]
fn misuse_and_a_missing_directory_are_told_in_the_words_of_the_manual() {
    let usage = "cyclog: usage: cyclog [ -ssize ] [ -nnum ] [ -mmargin ] [ -Rseconds ] [ -Sbytes ] [ -Dpolicy ] \
                 [ -Pseconds ] dir [ !command ]\n";
    let outcome = Call::ours("cyclog").run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (100, usage));
    let outcome = Call::ours("cyclog").args(["-x", "dir"]).run();
    assert_eq!((outcome.code, outcome.err_text()), (100, format!("cyclog: illegal option -- x\n{usage}")));
    let scratch = scratch();
    let outcome = Call::ours("cyclog").arg("none").within(scratch.path()).input("one\n").run();
    let text = "cyclog: fatal: unable to chdir to none: file does not exist\n";
    assert_eq!((outcome.code, outcome.err_text().as_str()), (111, text));
    assert!(names(scratch.path()).is_empty());
}
