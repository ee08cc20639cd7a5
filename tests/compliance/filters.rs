//! `addcr`, `delcr`, `fixcrio`, `recordio`, `argv0` and `mconnect-io`.

use harness::{Call, assert, assert_eq, both, wait_until};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

/// Standard output of a call that must succeed and complain of nothing.
fn output(program: &Path, words: &[&str], input: &[u8]) -> Vec<u8> {
    let outcome = Call::path(program).args(words).input_file(input).run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""), "{program:?} {words:?}");
    outcome.out
}

#[test]
fn addcr_puts_a_cr_before_every_newline() {
    both("addcr", |program| {
        for (input, expected) in [
            (&b""[..], &b""[..]),
            (b"\n", b"\r\n"),
            (b"a\nb", b"a\r\nb"),
            (b"a\r\n\r\r\n", b"a\r\r\n\r\r\r\n"),
            (b"\0\n\xff", b"\0\r\n\xff"),
        ] {
            assert_eq!(output(program, &[], input), expected);
        }
    });
}

#[test]
fn delcr_takes_one_cr_away_before_a_newline() {
    both("delcr", |program| {
        for (input, expected) in [
            (&b""[..], &b""[..]),
            (b"a\r\nb\r\n", b"a\nb\n"),
            (b"a\r\r\n\rb\n", b"a\r\n\rb\n"),
            (b"end\r", b"end\r"),
            (b"\0\r\0\r\n", b"\0\r\0\n"),
        ] {
            assert_eq!(output(program, &[], input), expected);
        }
    });
}

#[test]
fn large_inputs_pass_whole() {
    let lines = b"0123456789 line\n".repeat(40_000);
    let with_cr = b"0123456789 line\r\n".repeat(40_000);
    both("addcr", |program| assert!(output(program, &[], &lines) == with_cr));
    both("delcr", |program| assert!(output(program, &[], &with_cr) == lines));
    both("fixcrio", |program| assert!(output(program, &["cat"], &lines) == with_cr));
    both("recordio", |program| {
        let outcome = Call::path(program).arg("cat").input(&lines).run();
        assert!(outcome.code == 0 && outcome.out == lines);
    });
}

#[test]
fn input_that_cannot_be_read_and_output_that_cannot_be_written_are_temporary() {
    for name in ["addcr", "delcr"] {
        both(name, |program| {
            let status = |input: &str, output: &str| {
                let output = File::options().write(true).open(output).expect("a place for output");
                let input = File::open(input).expect("a place for input");
                let mut command = Command::new(program);
                command.stdin(input).stdout(output).stderr(Stdio::null());
                command.status().expect("a program that runs").code()
            };
            let directory = harness::scratch();
            let file = directory.path().join("file");
            fs::write(&file, "text\n").expect("a file");
            assert_eq!(status("/", "/dev/null"), Some(111));
            assert_eq!(status(&file.display().to_string(), "/dev/full"), Some(111));
            assert_eq!(status("/dev/null", "/dev/full"), Some(0));
        });
    }
}

#[test]
fn a_wrong_call_gets_the_usage_line() {
    for (name, usage, wrong) in [
        ("recordio", "recordio program [ arg ... ]", &[&[][..]][..]),
        ("fixcrio", "fixcrio program [ arg ... ]", &[&[]]),
        ("argv0", "argv0 realname program [ arg ... ]", &[&[], &["sh"]]),
    ] {
        both(name, |program| {
            for words in wrong {
                let outcome = Call::path(program).args(*words).run();
                assert_eq!((outcome.code, outcome.err_text()), (100, format!("{name}: usage: {usage}\n")));
            }
        });
    }
}

#[test]
fn a_program_that_cannot_be_run_is_named() {
    for (name, words) in [
        ("recordio", &["/no/program", "x"]),
        ("fixcrio", &["/no/program", "x"]),
        ("argv0", &["/no/program", "x"]),
    ] {
        both(name, |program| {
            let outcome = Call::path(program).args(words).run();
            let expected = format!("{name}: fatal: unable to run /no/program: file does not exist\n");
            assert_eq!(outcome.code, 111);
            assert!(outcome.err_text().contains(&expected), "{}", outcome.err_text());
        });
    }
}

#[test]
fn the_status_is_that_of_the_program() {
    for name in ["recordio", "fixcrio"] {
        both(name, |program| {
            assert_eq!(Call::path(program).args(["sh", "-c", "exit 7"]).run().code, 7);
            assert_eq!(Call::path(program).args(["sh", "-c", "kill -9 $$"]).run().code, 1009);
        });
    }
}

#[test]
fn fixcrio_adds_what_is_missing_in_both_directions() {
    both("fixcrio", |program| {
        let seen = output(program, &["od", "-An", "-c"], b"a\nb\r\n\r\rc");
        assert_eq!(String::from_utf8_lossy(&seen), "   a  \\r  \\n   b  \\r  \\n  \\r  \\r   c\r\n");
        assert_eq!(output(program, &["printf", "a\\nb\\r\\nc"], b""), b"a\r\nb\r\nc");
    });
}

/// The lines of one direction, and the process that they name.
fn recorded(log: &str, arrow: &str) -> (Vec<String>, String) {
    let mut pid = String::new();
    let lines = log.split_inclusive('\n').filter_map(|line| {
        let (number, rest) = line.split_once(' ').expect("a process number");
        pid = number.to_owned();
        rest.strip_prefix(arrow).map(str::to_owned)
    });
    let lines = lines.collect();
    (lines, pid)
}

#[test]
fn recordio_shows_each_line_of_both_directions() {
    both("recordio", |program| {
        let script = "cat; echo; printf end; echo $$ >pid";
        let directory = harness::scratch();
        let call = Call::path(program).args(["sh", "-c", script]).within(directory.path());
        let outcome = call.input_file("EHLO x\r\n\n\tcut").run();
        assert_eq!((outcome.code, outcome.out_text().as_str()), (0, "EHLO x\r\n\n\tcut\nend"));
        let log = outcome.err_text();
        let (into, pid) = recorded(&log, "< ");
        assert_eq!(into, ["EHLO x\r \n", " \n", "\tcut+\n", "[EOF]\n"]);
        assert_eq!(recorded(&log, "> ").0.last().map(String::as_str), Some("[EOF]\n"));
        let written = fs::read_to_string(directory.path().join("pid")).expect("the program's number");
        assert_eq!(pid, written.trim_end());
    });
}

#[test]
fn recordio_cuts_what_is_longer_than_a_packet() {
    both("recordio", |program| {
        let outcome = Call::path(program).args(["sh", "-c", "cat >/dev/null"]).input_file([b'x'; 300]).run();
        let (into, _) = recorded(&outcome.err_text(), "< ");
        assert_eq!(
            into,
            [format!("{}+\n", "x".repeat(256)), format!("{}+\n", "x".repeat(44)), "[EOF]\n".into()]
        );
    });
}

/// The reference program then loses the output: it ends when it cannot write to the program.
#[test]
fn output_is_not_lost_when_the_program_reads_no_input() {
    let lines = "x\n".repeat(100_000);
    let script = "exec <&-; sleep 1; echo out";
    let outcome = Call::ours("fixcrio").args(["sh", "-c", script]).input(&lines).run();
    assert_eq!((outcome.code, outcome.out_text().as_str()), (0, "out\r\n"));
}

#[test]
fn argv0_gives_another_name() {
    both("argv0", |program| {
        let outcome = Call::path(program).args(["sh", "-foo", "-c", "echo $0 $1", "zero", "one"]).run();
        assert_eq!((outcome.code, outcome.out_text().as_str()), (0, "zero one\n"));
        let outcome =
            Call::path(program).args(["sh", "name", "-c", "tr '\\0' ' ' </proc/$$/cmdline; :"]).run();
        assert!(outcome.out_text().starts_with("name -c "), "{}", outcome.out_text());
    });
}

#[test]
fn mconnect_io_ends_when_the_server_does_and_not_before() {
    both("mconnect-io", |program| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let stream = TcpStream::connect(address).expect("a connection");
        let (mut server, _) = listener.accept().expect("a connection");
        let directory = harness::scratch();
        let out = directory.path().join("out");
        // The shell gives the connection, its standard error, its numbers.
        let script = format!("exec {} 6<&2 7>&2", program.display());
        let mut command = Command::new("sh");
        command.args(["-c", &script]).stdin(Stdio::piped());
        command.stdout(File::create(&out).expect("a file")).stderr(std::os::fd::OwnedFd::from(stream));
        let mut child = command.spawn().expect("a shell");
        drop(command);
        child.stdin.take().expect("its input").write_all(b"HELO x\nquit\r\n").expect("two lines");
        let mut typed = [0; 15];
        server.read_exact(&mut typed).expect("the two lines");
        assert_eq!(&typed, b"HELO x\r\nquit\r\r\n");
        server.write_all(b"250 ok\r\n").expect("an answer");
        wait_until("the answer", || fs::read(&out).expect("a file") == b"250 ok\r\n");
        assert_eq!(child.try_wait().expect("a child"), None);
        server.shutdown(Shutdown::Both).expect("the end");
        assert_eq!(child.wait().expect("its end").code(), Some(0));
    });
}
