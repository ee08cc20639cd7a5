//! A service that logs 200 MB while its disk is full from time to time: no line is lost, or as many as the log says.

use crate::disk::FullDisk;
use harness::{Running, program, wait_until};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use unix::descriptor;

/// Lines of 200 bytes.
const COUNT: usize = 1_000_000;
const FILLER: usize = 191;
/// How often the disk is full.
const TIMES: usize = 4;

/// Room for all of it, with the longest stamps.
fn disk() -> Option<FullDisk> {
    FullDisk::of("300m")
}

/// A pipe with lines that are numbered from 0.
struct Service {
    pipe: File,
    sent: usize,
    filler: String,
}

impl Service {
    /// A service, and what its logger reads.
    fn new() -> (Service, Stdio) {
        let (reader, writer) = descriptor::pipe().expect("a pipe");
        let service = Service { pipe: File::from(writer), sent: 0, filler: "x".repeat(FILLER) };
        (service, Stdio::from(reader))
    }

    fn send(&mut self, count: usize) {
        let mut text = Vec::with_capacity(count * (FILLER + 9));
        for number in self.sent..self.sent + count {
            writeln!(text, "{number:07} {}", self.filler).expect("memory");
        }
        self.pipe.write_all(&text).expect("a logger that reads");
        self.sent += count;
    }
}

/// One or two programs that are a logger together, the last of which keeps the files.
struct Logger(Vec<Running>);

impl Logger {
    /// Runs programs of ours, each with its words, in a row of pipes.
    fn start(disk: &FullDisk, mut input: Stdio, programs: &[&[&str]]) -> Logger {
        let path = format!("{}:/usr/bin:/bin", harness::programs().display());
        let errors = File::create(disk.error_file()).expect("a file for standard error");
        let (last, others) = programs.split_last().expect("a logger");
        let command = |words: &[&str], input: Stdio| {
            let mut command = Command::new(program(words[0]));
            let errors = errors.try_clone().expect("the file for standard error");
            command
                .args(&words[1..])
                .current_dir(disk.place())
                .env("PATH", &path)
                .stdin(input)
                .stderr(errors);
            command
        };
        let mut running = Vec::new();
        for words in others {
            let mut one = Running::start(command(words, input).stdout(Stdio::piped()));
            input = Stdio::from(one.child().stdout.take().expect("a pipe"));
            running.push(one);
        }
        running.push(Running::start(&mut command(last, input)));
        Logger(running)
    }

    /// After the end of the input.
    fn ends_well(mut self) {
        assert!(self.0.iter_mut().all(|program| program.wait() == 0));
    }
}

/// Bytes in the log.
fn logged(directory: &Path) -> u64 {
    let sizes = fs::read_dir(directory).expect("the log").map(|entry| {
        // It may have been renamed meanwhile.
        entry.expect("an entry").metadata().map_or(0, |metadata| metadata.len())
    });
    sizes.sum()
}

/// Goes through what `cyclog-read` shows of the log, without the stamps of `stamp` bytes; the lines from 0 on have
/// to be there, but for those that are said to be dropped. The number of lines, and of gaps among them.
fn read_all(directory: &Path, stamp: usize) -> (usize, usize) {
    let mut reader =
        Running::start(Command::new(program("cyclog-read")).arg(directory).stdout(Stdio::piped()));
    let mut shown = BufReader::with_capacity(1 << 16, reader.child().stdout.take().expect("a pipe"));
    let filler = "x".repeat(FILLER);
    let (mut next, mut gaps, mut line, mut torn) = (0, 0, String::new(), false);
    loop {
        line.clear();
        if shown.read_line(&mut line).expect("text") == 0 {
            break;
        }
        if let Some(count) = line.strip_suffix(" lines dropped: out of disk space\n") {
            // A line of cyclog's own has no stamp.
            let count = count.rsplit(' ').next().expect("a number");
            next += count.parse::<usize>().expect("how many lines are missing");
            (gaps, torn) = (gaps + 1, false);
            continue;
        }
        let text = line.get(stamp..).unwrap_or_default();
        let expected = format!("{next:07} ");
        if text.strip_prefix(&expected).is_some_and(|rest| rest.strip_suffix('\n') == Some(&filler)) {
            next += 1;
        } else {
            // The disk was full within the line, which counts as dropped; or within a line about that, and one
            // about all of it follows.
            let tells_of_a_gap = |line: &str| {
                let words = line.trim_start_matches(|byte: char| byte.is_ascii_digit());
                " lines dropped: out of disk space".starts_with(words.trim_end_matches('\n'))
            };
            torn = expected.starts_with(text.trim_end())
                || text.starts_with(&expected)
                || tells_of_a_gap(text)
                || tells_of_a_gap(&line);
            assert!(torn, "{line:?} instead of line {next}");
        }
    }
    assert_eq!((reader.wait(), torn), (0, false));
    (next, gaps)
}

/// Logs everything, waiting whenever the disk is full.
fn loses_no_line(programs: &[&[&str]], stamp: usize) {
    let Some(disk) = disk() else { return };
    let (mut service, input) = Service::new();
    let logger = Logger::start(&disk, input, programs);
    let sent = Arc::new(AtomicUsize::new(0));
    let progress = Arc::clone(&sent);
    let sender = thread::spawn(move || {
        while service.sent < COUNT {
            service.send(1000);
            progress.store(service.sent, Ordering::SeqCst);
        }
    });
    for time in 1..=TIMES {
        wait_until("some more is sent", || sent.load(Ordering::SeqCst) >= time * COUNT / (TIMES + 1));
        disk.fill();
        wait_until("nothing is sent any more", || {
            let before = sent.load(Ordering::SeqCst);
            thread::sleep(Duration::from_millis(100));
            sent.load(Ordering::SeqCst) == before
        });
        assert!(!sender.is_finished(), "nobody waited for the disk");
        disk.make_space();
    }
    sender.join().expect("a service that is served");
    logger.ends_well();
    assert_eq!(read_all(&disk.logs(), stamp), (COUNT, 0));
    let full = |line: &str| line.contains(": warning: unable to ") && line.ends_with(": out of disk space");
    let errors = disk.errors();
    assert!(!errors.is_empty() && errors.lines().all(full), "{errors}");
}

/// Logs everything without waiting.
fn says_what_it_drops(programs: &[&[&str]], stamp: usize) {
    let Some(disk) = disk() else { return };
    let (mut service, input) = Service::new();
    let logger = Logger::start(&disk, input, programs);
    for time in 0..TIMES {
        service.send(COUNT / TIMES / 2);
        disk.fill();
        // Many times what the pipes hold: this ends because the logger reads.
        service.send(COUNT / TIMES / 2);
        // The first time, the disk stays full over several tries of the logger, one each second.
        for _ in 0..if time == 0 { 5 } else { 0 } {
            thread::sleep(Duration::from_millis(500));
            service.send(1);
        }
        let before = logged(&disk.logs());
        disk.make_space();
        wait_until("the log goes on", || {
            service.send(1);
            logged(&disk.logs()) > before
        });
    }
    let sent = service.sent;
    drop(service);
    logger.ends_well();
    let (lines, gaps) = read_all(&disk.logs(), stamp);
    assert_eq!(lines, sent);
    assert!(gaps >= TIMES, "{gaps} gaps");
    assert!(disk.errors().contains(", dropping lines: out of disk space\n"), "{}", disk.errors());
}

/// R1
#[test]
fn r1_a_service_with_accustamp_and_cyclog_loses_no_line_to_full_disks() {
    loses_no_line(&[&["accustamp", "--", "cyclog", "-s4000000", "-n1000", "log"]], ACCUSTAMP);
}

/// R1
#[test]
fn r1_a_pipe_through_accustamp_to_cyclog_loses_no_line_to_full_disks() {
    loses_no_line(&[&["accustamp"], &["cyclog", "-s4000000", "-n1000", "log"]], ACCUSTAMP);
}

/// R1
#[test]
fn r1_multilog_loses_no_line_to_full_disks() {
    loses_no_line(&[&["multilog", "t", "s4000000", "n1000", "./log"]], TAI64N);
}

#[test]
fn cyclog_says_exactly_how_many_lines_it_drops() {
    let cyclog = ["accustamp", "--", "cyclog", "-Ddrop", "-s4000000", "-n1000", "log"];
    says_what_it_drops(&[&cyclog], ACCUSTAMP);
}

#[test]
fn multilog_says_exactly_how_many_lines_it_drops() {
    says_what_it_drops(&[&["multilog", "t", "Ddrop", "s4000000", "n1000", "./log"]], TAI64N);
}

/// Bytes of a stamp with its space.
const ACCUSTAMP: usize = 18;
const TAI64N: usize = 26;
