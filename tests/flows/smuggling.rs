//! Line ends that one server takes for the end of a message and another does not. S3
//!
//! Each known sequence stands in front of a second message. No server here may find that one, however the bytes
//! come, and qmail-remote may not send anything in which another server would find one.

use harness::{FakeQueue, MailHome, Running, Script, SmtpPeer, wait_until};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

/// Sequences with which other servers have been talked into seeing an end.
const SEQUENCES: [&[u8]; 20] = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r.\n",
    b"\r\n.\r",
    b"\n.\r",
    b"\r.\r\n",
    b"\r\n.\r\r\n",
    b"\r\r\n.\r\r\n",
    b"\r\r\n.\n",
    b"\r\r.\r\r\n",
    b"\n\n.\n\n",
    b"\0\n.\n",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\r\0\n.\r\n",
    b"\r\n.\r\0\n",
    b"\r\n..\r\n",
    b"\r\n\x2e\x2e\n.\r\n",
];
const START: &[u8] = b"MAIL FROM:<s@x.example>\r\nRCPT TO:<a@here.example>\r\nDATA\r\nS: x\r\n\r\nbody";
const SECOND: &[u8] =
    b"MAIL FROM:<evil@x.example>\r\nRCPT TO:<b@here.example>\r\nDATA\r\nS: y\r\n\r\nsmuggled\r\n";

fn home() -> (MailHome, FakeQueue) {
    let home = MailHome::new([("me", &b"mail.example\n"[..]), ("rcpthosts", b"here.example\n")]);
    let queue = home.fake_queue();
    (home, queue)
}

/// What qmail-smtpd says to a client whose packets are exactly these: it reads a socket that keeps them apart.
fn serve(home: &MailHome, queue: &FakeQueue, packets: &[&[u8]]) -> String {
    let (ours, theirs) = UnixDatagram::pair().expect("a socket");
    let mut command = Command::new(home.program("qmail-smtpd"));
    command.env("QMAILQUEUE", &queue.program).stdin(OwnedFd::from(theirs)).stdout(Stdio::piped());
    let mut running = Running::start(command.stderr(Stdio::null()));
    drop(command);
    // An empty packet is the end. A server that has refused the message is not there to read the rest.
    let _ = packets.iter().chain([&&b""[..]]).try_for_each(|packet| ours.send(packet).map(drop));
    let mut replies = String::new();
    running.child().stdout.take().expect("a pipe").read_to_string(&mut replies).expect("replies of ASCII");
    running.wait();
    replies
}

/// The bytes in two packets, cut at each place of a range, and one byte a packet.
fn cuts(bytes: &[u8], from: usize, to: usize) -> Vec<Vec<&[u8]>> {
    let mut ways: Vec<Vec<&[u8]>> = (from..=to).map(|at| vec![&bytes[..at], &bytes[at..]]).collect();
    let (start, rest) = bytes.split_at(from);
    ways.push([start].into_iter().chain(rest.chunks(1)).collect());
    ways
}

/// S3: no known sequence ends a message, wherever packets end.
#[test]
fn s3_no_sequence_makes_a_second_message_however_it_is_cut() {
    std::thread::scope(|scope| {
        for (part, bare_cr) in [(0, false), (1, false), (0, true), (1, true)] {
            scope.spawn(move || {
                for sequence in SEQUENCES.iter().skip(part).step_by(2) {
                    check_that_nothing_is_smuggled(sequence, bare_cr);
                }
            });
        }
    });
}

fn check_that_nothing_is_smuggled(sequence: &[u8], bare_cr: bool) {
    let wire = [START, sequence, SECOND, b".\r\nQUIT\r\n"].concat();
    let places = (START.len(), START.len() + sequence.len());
    let (home, queue) = home();
    if bare_cr {
        home.control("smtpdbarecr", "1\n");
    }
    let mut replies = Vec::new();
    for packets in cuts(&wire, places.0, places.1) {
        replies.push(without_number(&serve(&home, &queue, &packets)));
    }
    let said = replies.first().expect("a reply").clone();
    assert!(replies.iter().all(|other| *other == said), "{}: {replies:#?}", sequence.escape_ascii());
    assert_eq!(said.matches("354 ").count(), 1, "{}: {said}", sequence.escape_ascii());
    assert!(said.contains("\r\n451 ") != said.contains("\r\n250 ok N"), "{said}");
    wait_until("all queue programs have ended", || queue.envelopes().len() == replies.len());
    for envelope in queue.envelopes() {
        let expected: &[u8] = if said.contains("451 ") { b"" } else { b"Fs@x.example\0Ta@here.example\0\0" };
        assert_eq!(envelope, expected, "{}", sequence.escape_ascii());
    }
}

/// Replies without the time and process number of a queued message.
fn without_number(replies: &str) -> String {
    let line = |line: &str| {
        let is_queued = line.strip_prefix("250 ok ").is_some_and(|rest| rest.starts_with(char::is_numeric));
        if is_queued { "250 ok N\r\n".to_owned() } else { format!("{line}\r\n") }
    };
    replies.lines().map(line).collect()
}

/// S3: the legal end is one, wherever packets end, and commands go on behind it.
#[test]
fn s3_the_legal_end_ends_one_message_however_it_is_cut() {
    let end = b"\r\n.\r\n";
    let wire = [START, end, SECOND, b".\r\nQUIT\r\n"].concat();
    let (home, queue) = home();
    let mut sessions = 0;
    for packets in cuts(&wire, START.len(), START.len() + end.len()) {
        let replies = without_number(&serve(&home, &queue, &packets));
        assert_eq!(replies.matches("354 go ahead\r\n250 ok N\r\n").count(), 2, "{replies}");
        sessions += 1;
    }
    let envelopes = queue.envelopes();
    assert_eq!(envelopes.len(), 2 * sessions);
    assert_eq!(envelopes.iter().filter(|envelope| envelope.starts_with(b"Fevil@")).count(), sessions);
    assert!(
        queue
            .messages()
            .iter()
            .all(|text| text.ends_with(b"\nS: x\n\nbody\n") || text.ends_with(b"\nsmuggled\n"))
    );
}

/// How much the programs might read at once: a sequence is put across each of these places.
const PIECES: [usize; 6] = [512, 1024, 4096, 8192, 16_384, 65_536];

/// S3, S1: what qmail-remote sends has one end, and CR and LF only together, wherever its reads end.
#[test]
fn s3_a_sequence_in_a_message_goes_out_as_text_wherever_it_is_cut() {
    for sequence in SEQUENCES {
        let messages: Vec<Vec<u8>> = (0..=sequence.len()).map(|cut| with_sequence(sequence, cut)).collect();
        let script = Script::new(["220 hi", "250 h", "250 ok", "250 ok", "354 go", "250 done", "221 bye"]);
        let peer = SmtpPeer::start("127.0.0.1", vec![script; messages.len()]).expect("a server");
        let home = MailHome::new([("me", &b"mail.example\n"[..])]);
        home.control("smtproutes", format!(":127.0.0.1:{}\n", peer.port()));
        for message in messages {
            let call = home.call("qmail-remote").args(["x.example", "s@src.example", "a@x.example"]);
            let outcome = call.input_file(&message).run();
            assert!(outcome.out.starts_with(b"r\0K127.0.0.1 accepted message."), "{}", outcome.out_text());
            check_wire(&peer.heard(), &message, sequence);
        }
    }
}

/// A message with the sequence across each of the places, the cut after so many bytes of it.
fn with_sequence(sequence: &[u8], cut: usize) -> Vec<u8> {
    let mut message = Vec::new();
    for place in PIECES {
        message.resize(place - cut, b'x');
        message.extend_from_slice(sequence);
        message.extend_from_slice(b"RCPT TO:<victim@x.example>\n");
    }
    message
}

fn check_wire(heard: &[u8], message: &[u8], sequence: &[u8]) {
    let shown = sequence.escape_ascii();
    let data = heard.windows(6).position(|window| window == b"DATA\r\n").expect("DATA") + 6;
    let wire = heard[data..].strip_suffix(b"QUIT\r\n").unwrap_or_else(|| panic!("{shown}: no QUIT"));
    let mut text = Vec::new();
    let mut lines = wire.split_inclusive(|byte| *byte == b'\n').peekable();
    while let Some(line) = lines.next() {
        let line = line.strip_suffix(b"\r\n").unwrap_or_else(|| panic!("{shown}: a line feed alone"));
        assert!(!line.contains(&b'\r'), "{shown}: a carriage return alone");
        assert_eq!(line == b".", lines.peek().is_none(), "{shown}: an end that is none");
        if line != b"." {
            text.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
            text.push(b'\n');
        }
    }
    assert!(text == with_plain_line_ends(message), "{shown}: another text");
}

/// The text with CR LF and CR as LF.
fn with_plain_line_ends(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'\n' if at > 0 && text[at - 1] == b'\r' => {}
            b'\r' => plain.push(b'\n'),
            other => plain.push(*other),
        }
    }
    plain
}
