//! Messages of all bytes through all programs: they arrive as they were sent. S6
//!
//! `BODIES=100000` sends so many; every run of the tests sends a few hundred.

use crate::remote::Sink;
use harness::{HOST, Instance, Random, wait_until};
use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Messages without `BODIES`.
const FEW: usize = 300;
/// Messages of one SMTP session.
const SESSION: usize = 50;

fn messages_to_send() -> usize {
    std::env::var("BODIES").map_or(FEW, |number| number.parse().expect("BODIES is a number"))
}

/// A few lines, each of them one that something on the way might alter.
fn random_body(random: &mut Random, number: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for _ in 0..random.below(8) {
        match random.below(10) {
            0 => body.push(b'.'),
            1 => body.extend_from_slice(b".."),
            2 => body.extend_from_slice(b"From here on"),
            3 => body.extend_from_slice(b">From there"),
            4 => body.extend_from_slice(&[b'z'; 998]),
            5 => body.push(b'x'),
            6 => {}
            _ => {
                let length = random.below(300);
                let bytes = random.bytes(length);
                body.extend(
                    bytes.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b'.' } else { *byte }),
                );
            }
        }
        body.push(b'\n');
    }
    if number % 100 == 7 {
        body.extend(std::iter::repeat_n(b'y', 1_000_000));
        body.push(b'\n');
    }
    body
}

/// Text as it goes over the wire, written apart from the programs' own encoder.
fn on_the_wire(text: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(text.len() + 100);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            wire.push(b'.');
        }
        wire.extend_from_slice(line.strip_suffix(b"\n").expect("a whole line"));
        wire.extend_from_slice(b"\r\n");
    }
    wire
}

/// An SMTP server that takes everything from everybody at once, and passes on what was between DATA and the end.
struct Store {
    port: u16,
    messages: Receiver<Vec<u8>>,
}

impl Store {
    fn start() -> Store {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of the loopback address");
        let port = listener.local_addr().expect("its number").port();
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let sender = sender.clone();
                // A client that breaks off has delivered nothing.
                std::thread::spawn(move || drop(serve(&stream, &sender)));
            }
        });
        Store { port, messages }
    }

    fn next(&self) -> Vec<u8> {
        self.messages.recv_timeout(Duration::from_secs(60)).expect("a message that arrives")
    }
}

fn serve(stream: &TcpStream, messages: &Sender<Vec<u8>>) -> std::io::Result<()> {
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    writer.write_all(b"220 store\r\n")?;
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        match line.to_ascii_uppercase().get(..4) {
            Some(b"DATA") => {
                writer.write_all(b"354 go\r\n")?;
                let wire = read_message(&mut reader)?;
                writer.write_all(b"250 stored\r\n")?;
                let _ = messages.send(wire);
            }
            Some(b"QUIT") => return writer.write_all(b"221 bye\r\n"),
            _ => writer.write_all(b"250 ok\r\n")?,
        }
    }
}

/// Everything up to CR LF `.` CR LF, without that.
fn read_message(reader: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut wire = Vec::new();
    loop {
        let start = wire.len();
        if reader.read_until(b'\n', &mut wire)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let is_line_start = start == 0 || wire[..start].ends_with(b"\r\n");
        if is_line_start && &wire[start..] == b".\r\n" {
            wire.truncate(start);
            return Ok(wire);
        }
    }
}

/// The number in the header of a message, and its body as it stood on the wire.
fn number_and_body(wire: &[u8]) -> (usize, &[u8]) {
    let end = wire.windows(4).position(|window| window == b"\r\n\r\n").expect("an empty line");
    let header = std::str::from_utf8(&wire[..end]).expect("a header of ASCII");
    let number = header.lines().find_map(|line| line.strip_prefix("X-Number: ")).expect("its number");
    (number.parse().expect("a number"), &wire[end + 4..])
}

/// Texts that were sent and have not arrived, by number.
type Waiting = HashMap<usize, Vec<u8>>;

/// Sends random messages through qmail-smtpd, the queue and qmail-remote to the server on a port. `collect` takes what
/// arrives off the list until nothing is left.
fn send_through_all_programs(port: u16, unwanted: &[u8], mut collect: impl FnMut(&mut Waiting)) {
    let mut instance = Instance::in_memory();
    instance.write("control/smtproutes", format!(":127.0.0.1:{port}\n"));
    instance.start();
    let mut random = Random::new(6);
    let (total, mut sent) = (messages_to_send(), 0);
    while sent < total {
        let mut session = b"EHLO c.example\r\n".to_vec();
        let mut waiting = Waiting::new();
        for number in sent..total.min(sent + SESSION) {
            let mut text = random_body(&mut random, number);
            text.iter_mut().filter(|byte| unwanted.contains(byte)).for_each(|byte| *byte = b'?');
            let start = format!(
                "MAIL FROM:<s@src.example>\r\nRCPT TO:<u{number}@dest.example>\r\nDATA\r\nX-Number: {number}\r\n\r\n"
            );
            session.extend_from_slice(&[start.as_bytes(), &on_the_wire(&text), b".\r\n"].concat());
            waiting.insert(number, text);
        }
        session.extend_from_slice(b"QUIT\r\n");
        let outcome = instance.call("qmail-smtpd").env("RELAYCLIENT", "").input(session).run();
        let accepted = outcome.out_text().matches("\r\n250 ok 1").count();
        assert_eq!((outcome.code, accepted), (0, waiting.len()), "{}", outcome.out_text());
        sent += waiting.len();
        collect(&mut waiting);
        assert!(waiting.is_empty());
        instance.clear_log();
    }
    instance.wait_until_delivered();
    instance.stop();
}

/// S6, S1
#[test]
fn s6_random_messages_go_through_all_programs_byte_for_byte() {
    let store = Store::start();
    send_through_all_programs(store.port, b"", |waiting| {
        while !waiting.is_empty() {
            let wire = store.next();
            let (number, body) = number_and_body(&wire);
            let expected = on_the_wire(&waiting.remove(&number).expect("a message that arrives once"));
            assert!(body == expected, "message {number} was altered:\n{}", body.escape_ascii());
        }
    });
}

/// S6: the same with a server that others have written.
#[test]
fn s6_random_messages_reach_smtp_sink_byte_for_byte() {
    let Some(sink) = Sink::start(&[]) else { return };
    // smtp-sink ends its lines at a NUL.
    send_through_all_programs(sink.port, b"\0", |waiting| {
        wait_until("all messages have arrived as they were sent", || {
            for file in sink.files() {
                take_off_the_list(&file, waiting);
            }
            waiting.is_empty()
        });
    });
}

/// Looks at what smtp-sink has written, which may be the beginning of a message: its own lines, ours, and a newline.
fn take_off_the_list(file: &Path, waiting: &mut Waiting) {
    let text = fs::read(file).expect("a message");
    let Some(end) = text.windows(2).position(|window| window == b"\n\n") else { return };
    let header = std::str::from_utf8(&text[..end]).expect("a header of ASCII");
    let number = header.lines().find_map(|line| line.strip_prefix("X-Number: ")).expect("its number");
    let number = number.parse().expect("a number");
    let expected = waiting.get(&number).expect("a message that arrives once");
    if text[end + 2..].strip_suffix(b"\n") == Some(&expected[..]) {
        waiting.remove(&number);
        fs::remove_file(file).expect("a file of smtp-sink");
    }
}

/// S6: what is delivered here does not travel by SMTP, and may have any line ends, or none at its end.
#[test]
fn s6_local_mail_is_stored_byte_for_byte_even_without_a_last_line_end() {
    let mut instance = Instance::in_memory();
    let maildir = instance.mailbox("joe");
    instance.start();
    let mut random = Random::new(66);
    let mut expected = Vec::new();
    for number in 0..100_usize {
        let length = random.below(3000);
        let mut body = random.bytes(length);
        match number % 4 {
            0 => body.extend_from_slice(b"\nFrom me\n.\r\n.\n\r\r"),
            1 => body.extend(std::iter::repeat_n(b'y', 1_000_000)),
            _ => {}
        }
        let message = [format!("X-Number: {number}\n\n").as_bytes(), &body].concat();
        assert_eq!(instance.enqueue("s@src.example", &[&format!("joe@{HOST}")], &message), 0);
        expected.push(message);
    }
    instance.wait_until_delivered();
    let stored: Vec<Vec<u8>> = fs::read_dir(maildir.join("new"))
        .expect("a maildir")
        .map(|entry| fs::read(entry.expect("an entry").path()).expect("a message"))
        .collect();
    assert_eq!(stored.len(), expected.len());
    for (number, message) in expected.iter().enumerate() {
        assert!(stored.iter().any(|text| text.ends_with(message)), "message {number} was altered");
    }
    instance.stop();
    wait_until("nothing is left", || instance.queue().is_empty());
}
