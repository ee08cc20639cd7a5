//! Mail that comes by QMTP and QMQP, through tcpserver, into maildirs.

use harness::{HOST, Instance, TcpServer, messages, skipped, wait_until};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::process::Command;

/// A server of one of the installation's network programs, which asks nobody anything.
pub fn serve(instance: &Instance, program: &str, variables: &[(&str, &str)]) -> TcpServer {
    instance.serve(&["-HR", "-lmail.example.org"], program, variables)
}

fn netstring(contents: impl AsRef<[u8]>) -> Vec<u8> {
    let contents = contents.as_ref();
    [format!("{}:", contents.len()).as_bytes(), contents, b","].concat()
}

/// A client for QMTP, after its definition.
struct Qmtp {
    stream: TcpStream,
}

impl Qmtp {
    fn connect(server: &TcpServer) -> Qmtp {
        Qmtp { stream: server.connect("127.0.0.1") }
    }

    fn send(&mut self, message: &[u8], sender: &str, recipients: &[&str]) {
        let list: Vec<u8> = recipients.iter().flat_map(netstring).collect();
        let wire = [netstring([&b"\n"[..], message].concat()), netstring(sender), netstring(list)].concat();
        self.stream.write_all(&wire).expect("a server that reads");
    }

    /// The next reply, without the numbers of a success.
    fn reply(&mut self) -> String {
        let mut length = String::new();
        let mut byte = [0];
        loop {
            self.stream.read_exact(&mut byte).expect("a server that replies");
            if byte == *b":" {
                break;
            }
            length.push(char::from(byte[0]));
        }
        let mut text = vec![0; length.parse::<usize>().expect("a length") + 1];
        self.stream.read_exact(&mut text).expect("a whole reply");
        assert_eq!(text.pop(), Some(b','));
        let text = String::from_utf8(text).expect("ASCII");
        if text.starts_with("Kok ") { "Kok".to_owned() } else { text }
    }

    /// Everything that comes until the server closes the connection.
    fn end(mut self) -> Vec<u8> {
        self.stream.shutdown(Shutdown::Write).expect("a connection");
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).expect("an end");
        rest
    }
}

#[test]
fn a_message_by_qmtp_is_delivered_and_each_recipient_is_answered() {
    let mut instance = Instance::new();
    let (joe, ann) = (instance.mailbox("joe"), instance.mailbox("ann"));
    instance.start();
    let server = serve(&instance, "qmail-qmtpd", &[]);
    let mut client = Qmtp::connect(&server);
    // Both at once: nobody waits for the first reply.
    client.send(
        b"Subject: one\n\n.\n\xe9 last",
        "s@src.example",
        &["joe@mail.example.org", "x@elsewhere.example", "ann@mail.example.org"],
    );
    client.send(b"Subject: two\n\n", "", &["joe@mail.example.org"]);
    let refused = "Dsorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)";
    assert_eq!(
        [client.reply(), client.reply(), client.reply(), client.reply()],
        ["Kok", refused, "Kok", "Kok"]
    );
    assert!(client.end().is_empty());
    instance.wait_until_delivered();
    let texts = |maildir: &PathBuf| -> Vec<Vec<u8>> {
        let entries = std::fs::read_dir(maildir.join("new")).expect("a maildir").flatten();
        entries.map(|entry| std::fs::read(entry.path()).expect("a message")).collect()
    };
    assert_eq!((texts(&joe).len(), texts(&ann).len()), (2, 1));
    let text = String::from_utf8_lossy(&texts(&ann)[0]).into_owned();
    assert!(
        text.contains("\nReceived: from unknown (127.0.0.1)\n  by mail.example.org with QMTP; "),
        "{text}"
    );
    assert!(texts(&ann)[0].ends_with(b"\nSubject: one\n\n.\n\xe9 last"));
    server.logged("tcpserver: end ");
    drop(server);
    instance.stop();
}

/// A client on this host may send anywhere if its rules say so; then the message is in the queue, for there.
#[test]
fn a_relay_client_sends_anywhere_by_qmtp() {
    let instance = Instance::new();
    let server = serve(&instance, "qmail-qmtpd", &[("RELAYCLIENT", "")]);
    let mut client = Qmtp::connect(&server);
    client.send(b"x\n", "s@src.example", &["x@elsewhere.example"]);
    assert_eq!(client.reply(), "Kok");
    assert!(instance.queue().iter().any(|name| name.starts_with("todo/")));
}

/// A queue that takes nothing: each recipient is put off, and nothing is left behind.
#[test]
fn a_queue_that_fails_puts_every_recipient_off() {
    let instance = Instance::new();
    let server = serve(&instance, "qmail-qmtpd", &[]);
    std::fs::remove_dir(instance.path("queue/intd")).expect("an empty directory");
    let mut client = Qmtp::connect(&server);
    client.send(
        b"x\n",
        "s@src.example",
        &["a@mail.example.org", "x@elsewhere.example", "b@mail.example.org"],
    );
    let put_off = "Zqq trouble creating files in queue (#4.3.0)";
    let replies = [client.reply(), client.reply(), client.reply()];
    assert_eq!([&replies[0], &replies[2]], [put_off, put_off]);
    assert!(replies[1].starts_with("Dsorry"), "{replies:?}");
    assert!(instance.queue().is_empty(), "{:?}", instance.queue());
    // A sender that the queue itself refuses is a permanent failure; here qmail-qmtpd does before it.
    std::fs::remove_dir_all(instance.path("queue/mess")).expect("a directory");
    client.send(b"x\n", "s@src.example", &["a@mail.example.org"]);
    assert!(client.reply().starts_with('Z'));
}

/// Postfix's client sends messages at the same time, each to several recipients.
#[test]
fn qmqp_source_sends_through_the_server() {
    let Some(source) = harness::installed("qmqp-source") else {
        return skipped("qmqp-source (Debian: postfix) is not installed");
    };
    let mut instance = Instance::new();
    let joe = instance.mailbox("joe");
    instance.alias("default", "./joe/\n");
    instance.start();
    let server = serve(&instance, "qmail-qmqpd", &[]);
    let outcome = harness::Call::path(&source)
        .args([
            "-f",
            "s@src.example",
            "-t",
            "joe@mail.example.org",
            "-m",
            "20",
            "-s",
            "4",
            "-r",
            "3",
            "-l",
            "5000",
        ])
        .arg(format!("inet:127.0.0.1:{}", server.port()))
        .run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    instance.wait_until_delivered();
    let messages = messages(&joe);
    assert_eq!(messages.len(), 60);
    assert!(messages.iter().all(|text| text.contains(&format!("\n  by {HOST} with QMQP; "))));
    assert!(messages.iter().all(|text| text.len() > 5000));
    wait_until("all connections have ended", || server.log().matches("tcpserver: end ").count() == 20);
    assert!(
        server
            .log()
            .lines()
            .filter(|line| line.starts_with("tcpserver: end "))
            .all(|line| line.ends_with("status 0"))
    );
    drop(server);
    instance.stop();
}

/// A port scanner, and a client that breaks off, leave nothing in the queue.
#[test]
fn what_is_no_request_leaves_nothing() {
    let instance = Instance::new();
    for program in ["qmail-qmtpd", "qmail-qmqpd"] {
        let server = serve(&instance, program, &[]);
        for bytes in
            [&b""[..], b"GET / HTTP/1.0\r\n\r\n", b"20:\nabc", b"40:10:\nabcdefgh\n,", b"99999999999:"]
        {
            let mut stream = server.connect("127.0.0.1");
            let _ = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            assert!(answer.is_empty(), "{answer:?}");
        }
        wait_until("all connections have ended", || server.log().matches("tcpserver: end ").count() == 5);
    }
    wait_until("the queue is empty", || instance.queue().is_empty());
    let outcome = Command::new(instance.path("bin/qmail-qread")).output().expect("qmail-qread");
    assert!(outcome.stdout.is_empty());
}
