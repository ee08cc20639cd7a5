//! `tcpclient`, and the scripts that use it.

use harness::{
    Answer, Call, DnsServer, Record, assert, assert_eq, both, free_port, installed, program, scratch,
    skipped, source_tree,
};
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

const USAGE: &str = "tcpclient: usage: tcpclient [ -hHrRdDqQv ] [ -i localip ] [ -p localport ] \
    [ -T timeoutconn ] [ -l localname ] [ -t timeoutinfo ] host port program\n";

/// A server for one connection: sends `text`, ends its side, and gives back who came and all that they sent.
struct Peer {
    port: String,
    thread: JoinHandle<(SocketAddr, Vec<u8>)>,
}

impl Peer {
    fn start(text: &'static str) -> Peer {
        Peer::on(TcpListener::bind("127.0.0.1:0").expect("a port"), text)
    }

    fn on(listener: TcpListener, text: &'static str) -> Peer {
        let port = listener.local_addr().expect("its number").port().to_string();
        let thread = std::thread::spawn(move || {
            let (mut stream, peer) = listener.accept().expect("a connection");
            stream.write_all(text.as_bytes()).expect("room for it");
            stream.shutdown(Shutdown::Write).expect("a connection");
            let mut bytes = Vec::new();
            // A client that is done may leave without reading everything.
            let _ = stream.read_to_end(&mut bytes);
            (peer, bytes)
        });
        Peer { port, thread }
    }

    fn received(self) -> String {
        String::from_utf8_lossy(&self.thread.join().expect("the server").1).into_owned()
    }
}

#[test]
fn a_wrong_call_gets_the_usage_line() {
    both("tcpclient", |program| {
        for words in [&[][..], &["0"], &["0", "25"], &["-i", "1.2.3", "0", "25", "x"]] {
            let outcome = Call::path(program).args(words).run();
            assert_eq!((outcome.code, outcome.err_text().as_str()), (100, USAGE), "{words:?}");
        }
        let outcome = Call::path(program).arg("-y").run();
        let expected = format!("tcpclient: illegal option -- y\n{USAGE}");
        assert_eq!((outcome.code, outcome.err_text()), (100, expected));
    });
}

#[test]
fn the_program_gets_the_connection_and_facts_about_it() {
    both("tcpclient", |program| {
        let peer = Peer::start("hello\n");
        let port = peer.port.clone();
        let local = free_port().to_string();
        let script = "cat <&6; echo sent >&7; env | grep -E '^(TCP|PROTO)' | sort";
        let outcome = Call::path(program)
            .args(["-RHlhere", "-i", "127.0.0.1", "-p", &local, "-v", "127.0.0.1", &port, "sh", "-c", script])
            .env("TCPREMOTEHOST", "x")
            .env("TCPREMOTEINFO", "x")
            .run();
        let expected = format!(
            "hello\nPROTO=TCP\nTCPLOCALHOST=here\nTCPLOCALIP=127.0.0.1\nTCPLOCALPORT={local}\n\
             TCPREMOTEIP=127.0.0.1\nTCPREMOTEPORT={port}\n"
        );
        assert_eq!((outcome.code, outcome.out_text()), (0, expected));
        assert_eq!(outcome.err_text(), format!("tcpclient: connected to 127.0.0.1 port {port}\n"));
        assert_eq!(peer.received(), "sent\n");
    });
}

#[test]
fn each_address_that_is_not_reached_is_named() {
    both("tcpclient", |program| {
        let port = free_port().to_string();
        let refused =
            |ip: &str| format!("tcpclient: unable to connect to {ip} port {port}: connection refused\n");
        for host in ["0", "", "127.0.0.1", "127.000.000.001", "[127.0.0.1]"] {
            let outcome = Call::path(program).args(["-RHl0", host, &port, "true"]).run();
            assert_eq!((outcome.code, outcome.err_text()), (111, refused("127.0.0.1")), "{host}");
        }
        let outcome = Call::path(program).args(["-RHl0", "127.0.0.3.127.0.0.4", &port, "true"]).run();
        assert_eq!(outcome.code, 111);
        assert!(outcome.err_text().contains(&refused("127.0.0.3")), "{}", outcome.err_text());
        assert!(outcome.err_text().contains(&refused("127.0.0.4")), "{}", outcome.err_text());
        let silent = Call::path(program).args(["-qRHl0", "0", &port, "true"]).run();
        assert_eq!((silent.code, silent.err_text().as_str()), (111, ""));
    });
}

#[test]
fn what_cannot_be_done_is_temporary() {
    both("tcpclient", |program| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its number").port().to_string();
        for (words, error) in [
            (["-RHl0", "1.2.3", &port, "true"], "no IP address for 1.2.3"),
            (["-RHl0", "0", "no-such", "true"], "unable to figure out port number for no-such"),
            (["-RHl0", "0", &port, "no-such-program"], "unable to run no-such-program: file does not exist"),
            (["-RHi192.0.2.1", "0", &port, "true"], "unable to bind socket: address not available"),
        ] {
            let outcome = Call::path(program).args(words).run();
            assert_eq!((outcome.code, outcome.err_text()), (111, format!("tcpclient: fatal: {error}\n")));
        }
    });
}

#[test]
fn the_first_address_that_answers_is_taken() {
    both("tcpclient", |program| {
        let peer = Peer::start("");
        // Nobody listens on 127.0.0.9.
        let words = ["-vRHl0", "127.0.0.9.127.0.0.1", &peer.port, "true"];
        let outcome = Call::path(program).args(words).run();
        assert_eq!(outcome.code, 0);
        let connected = format!("tcpclient: connected to 127.0.0.1 port {}\n", peer.port);
        assert!(outcome.err_text().ends_with(&connected), "{}", outcome.err_text());
    });
}

#[test]
fn standard_input_and_signals_are_left_to_the_program() {
    both("tcpclient", |program| {
        let peer = Peer::start("");
        let script = "cat; grep SigIgn /proc/self/status";
        let outcome =
            Call::path(program).args(["-RHl0", "0", &peer.port, "sh", "-c", script]).input("input\n").run();
        let out = outcome.out_text();
        let (input, ignored) = out.split_once("\nSigIgn:\t").expect("two lines");
        let ignored = u64::from_str_radix(ignored.trim_end(), 16).expect("a set of signals");
        let pipe = unix::signal::Signal::SIGPIPE as i32;
        assert_eq!((input, ignored & (1 << (pipe - 1))), ("input", 0));
    });
}

/// The reference program asks port 53 only, so this is about ours.
#[test]
fn our_names_come_from_the_dns() {
    let names = DnsServer::start([
        ("server.example", Answer::Records(vec![Record::Address([127, 0, 0, 1].into())])),
        ("1.0.0.127.in-addr.arpa", Answer::Records(vec![Record::Name("Name.Example".into())])),
    ]);
    let peer = Peer::start("");
    let script = "echo $TCPREMOTEIP $TCPLOCALHOST $TCPREMOTEHOST";
    let outcome = Call::ours("tcpclient")
        .args(["-R", "server.example", &peer.port, "sh", "-c", script])
        .env("DNSCACHEIP", names.address())
        .run();
    assert_eq!(outcome.out_text(), "127.0.0.1 name.example name.example\n", "{}", outcome.err_text());
}

/// Runs a test with the reference script and with ours, which finds its programs beside itself.
fn both_scripts(name: &str, test: impl Fn(&Path)) {
    match installed(name) {
        Some(path) => test(&path),
        None => skipped(&format!("the reference script {name} is not installed")),
    }
    let directory = scratch();
    for tool in ["tcpclient", "addcr", "delcr", "mconnect-io"] {
        std::os::unix::fs::symlink(program(tool), directory.path().join(tool)).expect("a link");
    }
    let script: PathBuf = directory.path().join(name);
    fs::copy(source_tree().join("tcpserver/scripts").join(name), &script).expect("the script");
    test(&script);
}

#[test]
fn http_shows_the_body_of_a_page() {
    both_scripts("http@", |script| {
        let peer = Peer::start("HTTP/1.0 200 OK\r\nA: b\r\n\r\n<p>\r\ntext\n");
        let port = peer.port.clone();
        let outcome = Call::path(script).args(["127.0.0.1", "a/b?c", &port]).run();
        assert_eq!((outcome.code, outcome.out_text().as_str()), (0, "<p>\ntext\n"));
        assert_eq!(peer.received(), format!("GET /a/b?c HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n"));
    });
}

#[test]
fn tcpcat_shows_everything_as_it_comes() {
    both_scripts("tcpcat", |script| {
        let peer = Peer::start("a\r\n\x01b");
        let outcome = Call::path(script).args(["0", &peer.port]).run();
        assert_eq!((outcome.code, outcome.out_text().as_str()), (0, "a\r\n\x01b"));
        let outcome = Call::path(script).args(["0", &free_port().to_string()]).run();
        assert_eq!(outcome.code, 111);
    });
}

#[test]
fn mconnect_lets_one_talk_to_a_server() {
    both_scripts("mconnect", |script| {
        let peer = Peer::start("220 ready\r\n");
        let outcome = Call::path(script).args(["127.0.0.1", &peer.port]).run();
        assert_eq!((outcome.code, outcome.out_text().as_str()), (0, "220 ready\r\n"));
    });
}

/// These ask a port of their own, which has to be free.
#[test]
fn who_date_and_finger_show_plain_text() {
    for (name, port, words, sent) in [
        ("who@", 11, &["127.0.0.1"][..], ""),
        ("date@", 13, &["127.0.0.1"], ""),
        ("finger@", 79, &["127.0.0.1", "joe -l"], "joe -l\r\n"),
        ("finger@", 79, &["127.0.0.1"], "\r\n"),
    ] {
        both_scripts(name, |script| {
            let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) else {
                return skipped(&format!("port {port} cannot be had"));
            };
            let peer = Peer::on(listener, "line\r\n\x1b[0m\n");
            let outcome = Call::path(script).args(words).run();
            assert_eq!((outcome.code, outcome.out_text().as_str()), (0, "line\n^[[0m\n"), "{name}");
            assert_eq!(peer.received(), sent);
        });
    }
}
