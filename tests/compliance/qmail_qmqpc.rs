//! `qmail-qmqpc`: the place of qmail-queue on a host without a queue.

use crate::qmail_qmtpd::netstring;
use harness::{MailHome, free_port};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;

fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).and_then(|()| file.rewind()).expect("its contents");
    file
}

/// Queues a message with this envelope; the exit status.
fn submit(home: &MailHome, message: &[u8], envelope: &[u8]) -> i32 {
    let mut command = Command::new(home.program("qmail-qmqpc"));
    command.stdin(file_of(message)).stdout(file_of(envelope)).stderr(Stdio::piped());
    let output = command.spawn().and_then(std::process::Child::wait_with_output).expect("qmail-qmqpc");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    output.status.code().expect("an exit status")
}

const ENVELOPE: &[u8] = b"Fa@b\0Tc@d\0Te@f\0\0";

/// A server for one connection, which answers when it has heard this many bytes; what it heard.
fn server(length: usize, answer: &'static [u8]) -> (String, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let line = format!("[127.0.0.1]:{}\n", listener.local_addr().expect("its number").port());
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes).expect("a request");
        stream
            .write_all(answer)
            .and_then(|()| stream.shutdown(Shutdown::Write))
            .expect("a client that reads");
        let _ = stream.read_to_end(&mut bytes);
        bytes
    });
    (line, heard)
}

fn home(servers: &str) -> MailHome {
    MailHome::new([("qmqpservers", servers.as_bytes())])
}

#[test]
fn a_message_is_sent_as_one_netstring_and_its_bytes_are_not_touched() {
    let (line, heard) = server(29, b"22:Kok 1795350278 qp 5146,");
    assert_eq!(submit(&home(&line), b"msg\n", ENVELOPE), 0);
    assert_eq!(heard.join().expect("the server"), b"25:4:msg\n,3:a@b,3:c@d,3:e@f,,");
    let message = b"S: x\r\n\0.\r\n.\n".repeat(300_000);
    let inner = [netstring(&message), b"0:,1:r,".to_vec()].concat();
    let expected = netstring(inner);
    let (line, heard) = server(expected.len(), b"3:Kok,");
    assert_eq!(submit(&home(&line), &message, b"F\0Tr\0\0"), 0);
    assert!(heard.join().expect("the server") == expected);
}

/// Only K in the place of the verdict is success: the caller forgets the message then.
#[test]
fn the_answer_decides_the_status() {
    for (answer, status) in [
        (&b"3:Kok,"[..], 0),
        (b"5:Znope,", 71),
        (b"5:Dnope,", 31),
        (b"5:Xnope,", 74),
        (b"220 mail.example ESMTP OK K\r\n", 74),
        (b"K", 74),
        (b"5:", 74),
        (b"", 74),
    ] {
        let (line, heard) = server(29, answer);
        assert_eq!(submit(&home(&line), b"msg\n", ENVELOPE), status, "{answer:?}");
        heard.join().expect("the server");
    }
}

#[test]
fn servers_are_tried_in_order_until_one_takes_the_connection() {
    let (line, heard) = server(29, b"3:Kok,");
    let dead = format!("# no comment\nno address\n[127.0.0.1]:{}\n", free_port());
    assert_eq!(submit(&home(&format!("{dead}{line}")), b"msg\n", ENVELOPE), 0);
    assert_eq!(heard.join().expect("the server").len(), 29);
    assert_eq!(submit(&home(&dead), b"msg\n", ENVELOPE), 73);
}

/// A server that has been talked to may have the message: asking another could make it two.
#[test]
fn after_a_connection_no_other_server_is_asked() {
    let (first, heard) = server(29, b"5:Znope,");
    let second = TcpListener::bind("127.0.0.1:0").expect("a port");
    second.set_nonblocking(true).expect("a port that is not waited for");
    let lines = format!("{first}[127.0.0.1]:{}\n", second.local_addr().expect("its number").port());
    assert_eq!(submit(&home(&lines), b"msg\n", ENVELOPE), 71);
    heard.join().expect("the server");
    assert!(second.accept().is_err());
}

#[test]
fn without_servers_the_configuration_is_at_fault() {
    assert_eq!(submit(&MailHome::new([]), b"msg\n", ENVELOPE), 55);
    assert_eq!(submit(&home(""), b"msg\n", ENVELOPE), 55);
    assert_eq!(submit(&home("mail.example\n"), b"msg\n", ENVELOPE), 55);
    let unreadable = MailHome::new([]);
    std::fs::create_dir(unreadable.path().join("control/qmqpservers")).expect("a directory in the way");
    assert_eq!(submit(&unreadable, b"msg\n", ENVELOPE), 55);
}

/// Nothing is sent of a message whose envelope is not complete: its writer has broken off.
#[test]
fn an_envelope_that_is_not_complete_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a port that is not waited for");
    let line = format!("[127.0.0.1]:{}\n", listener.local_addr().expect("its number").port());
    let home = home(&line);
    let long = [&b"F"[..], &[b'a'; 1003], b"\0\0"].concat();
    for (envelope, status) in [
        (&b""[..], 91),
        (b"F", 91),
        (b"Fa\0", 91),
        (b"Fa\0Tb\0", 91),
        (b"Ta\0\0", 91),
        (b"Fa\0Fb\0\0", 91),
        (b"Fa\nb\0\0", 12),
        (&long, 11),
    ] {
        assert_eq!(submit(&home, b"msg\n", envelope), status, "{envelope:?}");
    }
    assert!(listener.accept().is_err());
}

#[test]
fn a_closed_descriptor_is_no_empty_message() {
    let (line, _heard) = server(0, b"3:Kok,");
    let home = home(&line);
    for (closed, status) in [("0<&-", 54), ("1<&-", 54)] {
        let outcome = harness::Call::path(std::path::Path::new("/bin/sh"))
            .args(["-c", &format!("exec \"$0\" {closed}")])
            .arg(home.program("qmail-qmqpc"))
            .run();
        assert_eq!(outcome.code, status, "{closed}");
    }
}

/// Whatever takes the connection and then dies has not taken the message.
#[test]
fn a_server_that_breaks_off_is_a_temporary_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let line = format!("[127.0.0.1]:{}\n", listener.local_addr().expect("its number").port());
    let server =
        std::thread::spawn(move || drop::<Option<TcpStream>>(listener.accept().ok().map(|pair| pair.0)));
    assert_eq!(submit(&home(&line), &b"x".repeat(10_000_000), ENVELOPE), 74);
    server.join().expect("the server");
}

/// M1: a large message is not kept in memory.
#[test]
fn m1_memory_does_not_grow_with_the_message() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let home = home(&format!("[127.0.0.1]:{}\n", listener.local_addr().expect("its number").port()));
    let mut command = Command::new(home.program("qmail-qmqpc"));
    command.stdin(file_of(&b"x".repeat(30_000_000))).stdout(file_of(ENVELOPE));
    let running = harness::Running::start(&mut command);
    let (stream, _) = listener.accept().expect("a connection");
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.pid())).expect("its status");
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).expect("its own memory");
    let kilobytes: u64 =
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("kilobytes");
    assert!(kilobytes < 4096, "{kilobytes} KiB");
    drop(stream);
}
