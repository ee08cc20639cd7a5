//! `tcpserver`.

use harness::{
    Answer, Call, DnsServer, Record, TcpServer, assert, assert_eq, both, is_root, put_program, scratch,
    skipped, wait_until,
};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use unix::signal::Signal;

/// The reference program's line; ours names its further options as well.
const USAGE: &str = "tcpserver: usage: tcpserver [ -1UXpPhHrRoOdDqQv ] [ -c limit ] [ -x rules.cdb ] \
    [ -B banner ] [ -g gid ] [ -u uid ] [ -b backlog ] [ -l localname ] [ -t timeout ] host port program\n";

fn without_our_options(text: &str) -> String {
    text.replace("-1SkKU", "-1U").replace(" [ -C limit ] [ -n limit ] [ -f limit ] [ -Y balancers ]", "")
}

/// A server that asks nobody anything.
fn start(program: &Path, options: &[&str], command: &[&str]) -> TcpServer {
    let options: Vec<&str> = ["-HRl0"].iter().chain(options).copied().collect();
    TcpServer::start(program, &options, "127.0.0.1", command, &[])
}

fn rules(directory: &Path, text: &str) -> String {
    let made = Call::ours("tcprules").within(directory).args(["rules.cdb", "rules.tmp"]).input(text).run();
    assert_eq!(made.code, 0, "{}", made.err_text());
    directory.join("rules.cdb").display().to_string()
}

#[test]
fn a_wrong_call_gets_the_usage_line() {
    both("tcpserver", |program| {
        for words in [&[][..], &["0"], &["0", "25"]] {
            let outcome = Call::path(program).args(words).run();
            assert_eq!((outcome.code, without_our_options(&outcome.err_text()).as_str()), (100, USAGE));
        }
        let outcome = Call::path(program).arg("-y").run();
        let expected = format!("tcpserver: illegal option -- y\n{USAGE}");
        assert_eq!((outcome.code, without_our_options(&outcome.err_text())), (100, expected));
        let silent = Call::path(program).arg("-q").run();
        assert_eq!((silent.code, silent.err_text().as_str()), (100, ""));
    });
}

#[test]
fn an_address_or_port_that_cannot_be_had_is_temporary() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    both("tcpserver", |program| {
        for (host, port, error) in [
            ("127.0.0.1", port.as_str(), "unable to bind: address already used"),
            ("192.0.2.1", "0", "unable to bind: address not available"),
            ("127.0.0.1", "no-such", "unable to figure out port number for no-such"),
            ("1.2.3", "0", "no IP address for 1.2.3"),
        ] {
            let outcome = Call::path(program).args([host, port, "/bin/true"]).run();
            let expected = format!("tcpserver: fatal: {error}\n");
            assert_eq!((outcome.code, outcome.err_text()), (111, expected), "{host} {port}");
        }
    });
}

#[test]
fn the_program_gets_facts_and_no_inherited_values() {
    both("tcpserver", |program| {
        let inherited =
            [("TCPREMOTEHOST", "x"), ("TCPREMOTEINFO", "x"), ("TCPLOCALHOST", "x"), ("TCPREMOTEIP", "x")];
        let options = ["-HR", "-lhere.example"];
        let command = ["sh", "-c", "env | grep -E '^(TCP|PROTO)' | sort"];
        let server = TcpServer::start(program, &options, "127.0.0.1", &command, &inherited);
        let stream = server.connect("127.0.0.1");
        let peer = stream.local_addr().expect("our address").port();
        let mut text = String::new();
        (&stream).read_to_string(&mut text).expect("the variables");
        let expected = format!(
            "PROTO=TCP\nTCPLOCALHOST=here.example\nTCPLOCALIP=127.0.0.1\nTCPLOCALPORT={}\n\
             TCPREMOTEIP=127.0.0.1\nTCPREMOTEPORT={peer}\n",
            server.port()
        );
        assert_eq!(text, expected);
    });
}

#[test]
fn each_step_of_a_connection_is_a_line_of_log() {
    both("tcpserver", |program| {
        for (command, status) in [("exit 7", "1792"), ("exit 100", "25600"), ("kill -9 $$", "9")] {
            let server = start(program, &["-la:b%c"], &["sh", "-c", command]);
            server.ask();
            let end = server.logged("tcpserver: end ");
            let pid = end.split(' ').nth(2).expect("a process number").to_owned();
            assert_eq!(end, format!("tcpserver: end {pid} status {status}"));
            wait_until("two status lines", || server.log().matches("status: 0/40").count() == 2);
            let log = server.log();
            let ok = server.logged("tcpserver: ok ");
            let start = format!("tcpserver: ok {pid} a?b?c:127.0.0.1:{} :127.0.0.1::", server.port());
            assert!(ok.starts_with(&start), "{ok}");
            let expected = format!(
                "tcpserver: status: 0/40\ntcpserver: status: 1/40\ntcpserver: pid {pid} from 127.0.0.1\n\
                 {ok}\n{end}\ntcpserver: status: 0/40\n"
            );
            assert_eq!(log, expected);
        }
    });
}

#[test]
fn long_names_are_cut_in_the_log() {
    both("tcpserver", |program| {
        let name = format!("-l{}", "n".repeat(150));
        let server = start(program, &[&name], &["true"]);
        server.ask();
        assert!(server.logged("tcpserver: ok ").contains(&format!(" {}...:127.0.0.1:", "n".repeat(100))));
    });
}

#[test]
fn no_more_children_than_the_limit_run_at_a_time() {
    both("tcpserver", |program| {
        let server = start(program, &["-c1"], &["cat"]);
        let first = server.connect("127.0.0.1");
        server.logged("tcpserver: status: 1/1");
        let mut second = server.connect("127.0.0.1");
        second.write_all(b"x").expect("room for a byte");
        assert!(!server.log().contains("status: 2/1"));
        drop(first);
        let mut byte = [0];
        second.read_exact(&mut byte).expect("the byte");
        assert_eq!(server.log().matches("tcpserver: pid ").count(), 2);
        assert!(!server.log().contains("status: 2/1"));
    });
}

#[test]
fn the_banner_comes_first_even_for_those_who_are_denied() {
    both("tcpserver", |program| {
        let directory = scratch();
        let rules = rules(directory.path(), ":deny\n");
        let server = start(program, &["-Bhello, ", &format!("-x{rules}")], &["echo", "world"]);
        assert_eq!(server.ask(), "hello, ");
        assert!(server.logged("tcpserver: end ").ends_with(" status 25600"));
        server.logged("tcpserver: deny ");
        assert_eq!(start(program, &["-Bhello, "], &["echo", "world"]).ask(), "hello, world\n");
    });
}

#[test]
fn rules_are_read_anew_for_each_connection() {
    both("tcpserver", |program| {
        let directory = scratch();
        let path = rules(directory.path(), "127.:allow,WORD=\"one\",TCPREMOTEIP=/x/\n:deny\n");
        let server = start(program, &["-x", &path], &["sh", "-c", "echo $WORD $TCPREMOTEIP"]);
        assert_eq!(server.ask(), "one x\n");
        rules(directory.path(), "127.0.0.1:allow,WORD=\"two\"\n");
        assert_eq!(server.ask(), "two 127.0.0.1\n");
        rules(directory.path(), "127.0.0.1:deny\n");
        assert_eq!(server.ask(), "");
    });
}

#[test]
fn rules_that_cannot_be_read_let_nobody_in() {
    both("tcpserver", |program| {
        let directory = scratch();
        let path = directory.path().join("rules.cdb").display().to_string();
        for option in ["-x", "-Xx"] {
            let server = start(program, &[option, &path], &["echo", "in"]);
            if option == "-x" {
                assert_eq!(server.ask(), "");
                let expected = format!(
                    "tcpserver: warning: dropping connection, unable to read {path}: file does not exist"
                );
                assert_eq!(server.logged("tcpserver: warning"), expected);
                assert!(server.logged("tcpserver: end ").ends_with(" status 28416"));
            } else {
                assert_eq!(server.ask(), "in\n");
                fs::write(&path, [0xff; 4000]).expect("a file");
                assert_eq!(server.ask(), "");
                let expected =
                    format!("tcpserver: warning: dropping connection, unable to read {path}: protocol error");
                assert_eq!(server.logged("tcpserver: warning"), expected);
            }
        }
    });
}

#[test]
fn a_program_that_cannot_be_run_is_named() {
    both("tcpserver", |program| {
        let directory = scratch();
        let script = directory.path().join("script");
        put_program(&script, "echo no interpreter is named\n");
        let script = script.display().to_string();
        for (command, error) in [("no-such-program", "file does not exist"), (&script, "exec format error")] {
            let server = start(program, &[], &[command]);
            assert_eq!(server.ask(), "");
            let expected =
                format!("tcpserver: warning: dropping connection, unable to run {command}: {error}");
            assert_eq!(server.logged("tcpserver: warning"), expected);
            assert!(server.logged("tcpserver: end ").ends_with(" status 28416"));
        }
    });
}

#[test]
fn termination_ends_the_server_and_not_its_children() {
    both("tcpserver", |program| {
        let mut server = start(program, &[], &["cat"]);
        let mut stream = server.connect("127.0.0.1");
        server.logged("tcpserver: ok ");
        server.running().signal(Signal::SIGTERM);
        assert_eq!(server.running().wait(), 0);
        stream.write_all(b"still here").expect("a connection");
        let mut echo = [0; 10];
        stream.read_exact(&mut echo).expect("an echo");
        assert_eq!(&echo, b"still here");
    });
}

#[test]
fn root_is_given_up_before_anybody_connects() {
    if !is_root() {
        return skipped("only root can become somebody else");
    }
    both("tcpserver", |program| {
        let id = "echo $(id -u) $(id -g) $(id -G)";
        assert_eq!(start(program, &["-u65533", "-g65532"], &["sh", "-c", id]).ask(), "65533 65532 65532\n");
        let variables = [("UID", "65531"), ("GID", "65530")];
        let server = TcpServer::start(program, &["-UHRl0"], "127.0.0.1", &["sh", "-c", id], &variables);
        assert_eq!(server.ask(), "65531 65530 65530\n");
    });
}

#[test]
fn without_a_process_for_it_a_connection_is_dropped_and_the_server_goes_on() {
    if !is_root() {
        return skipped("the number of processes is limited for another account, which root has to become");
    }
    both("tcpserver", |program| {
        let directory = scratch();
        let limited = directory.path().join("limited");
        put_program(&limited, format!("#!/bin/bash\nulimit -u 1; exec {} \"$@\"\n", program.display()));
        let mut server = start(&limited, &["-u64987"], &["echo", "served"]);
        for turn in 1..=2 {
            assert_eq!(server.ask(), "");
            let expected = "tcpserver: warning: dropping connection, unable to fork: temporary failure\n\
                tcpserver: status: 0/40\n";
            wait_until("the slot's return", || server.log().matches(expected).count() == turn);
        }
        assert!(server.running().is_alive());
    });
}

#[test]
fn signals_are_as_they_were_when_the_program_runs() {
    both("tcpserver", |program| {
        let status = start(program, &[], &["cat", "/proc/self/status"]).ask();
        for field in ["SigBlk:", "SigIgn:", "SigCgt:"] {
            let line = status.lines().find(|line| line.starts_with(field)).expect("a set of signals");
            let set = u64::from_str_radix(line[field.len()..].trim(), 16).expect("a number");
            for signal in [Signal::SIGPIPE, Signal::SIGTERM, Signal::SIGCHLD] {
                assert_eq!(set & (1 << (signal as i32 - 1)), 0, "{line} {signal}");
            }
        }
    });
}

/// Port 113 is needed, and the ident server of the test is there for one connection each.
#[test]
fn an_ident_server_is_asked_and_its_answer_is_the_info() {
    let Ok(listener) = TcpListener::bind("127.0.0.1:113") else {
        return skipped("port 113 cannot be had");
    };
    both("tcpserver", |program| {
        let server = start(program, &["-rt9"], &["sh", "-c", "echo \"<${TCPREMOTEINFO-none}>\""]);
        for (answer, info) in [
            ("1, 2 : USERID : UNIX : j oe:x\r\n", "<joe:x>\n"),
            ("1, 2 : ERROR : NO-USER\r\n", "<>\n"),
            ("1, 2 : USERID : UNIX : cut", "<none>\n"),
        ] {
            let client = server.connect("127.0.0.1");
            let (mut asker, _) = listener.accept().expect("a question");
            let mut question = Vec::new();
            let mut byte = [0];
            while !question.ends_with(b"\n") {
                asker.read_exact(&mut byte).expect("a whole question");
                question.extend_from_slice(&byte);
            }
            let port = client.local_addr().expect("our address").port();
            assert_eq!(String::from_utf8_lossy(&question), format!("{port} , {}\r\n", server.port()));
            asker.write_all(answer.as_bytes()).expect("an answer");
            drop(asker);
            let mut text = String::new();
            (&client).read_to_string(&mut text).expect("the info");
            assert_eq!(text, info);
        }
    });
}

/// The reference program asks port 53 only, so this is about ours.
#[test]
fn our_names_come_from_the_dns() {
    let names = DnsServer::start([
        ("1.0.0.127.in-addr.arpa", Answer::Records(vec![Record::Name("Client.Example".into())])),
        ("client.example", Answer::Records(vec![Record::Address([127, 0, 0, 9].into())])),
        ("2.0.0.127.in-addr.arpa", Answer::Records(vec![Record::Name("honest.example".into())])),
        ("honest.example", Answer::Records(vec![Record::Address([127, 0, 0, 2].into())])),
        ("3.0.0.127.in-addr.arpa", Answer::ServerFailure),
    ]);
    let ask = |options: &str, host: &str| {
        let address = names.address();
        let command = ["sh", "-c", "echo ${TCPLOCALHOST-none} ${TCPREMOTEHOST-none}"];
        let variables = [("DNSCACHEIP", address.as_str())];
        let server = TcpServer::start(&harness::program("tcpserver"), &[options], host, &command, &variables);
        let mut text = String::new();
        let mut stream = server.connect(host);
        stream.read_to_string(&mut text).expect("the names");
        text
    };
    // A connection to an address of the loopback network comes from that address or from 127.0.0.1.
    assert_eq!(ask("-R", "127.0.0.1"), "client.example client.example\n");
    assert_eq!(ask("-Rp", "127.0.0.1"), "client.example none\n");
    assert_eq!(ask("-Rlhere", "127.0.0.1"), "here client.example\n");
    assert_eq!(ask("-RH", "127.0.0.2"), "honest.example none\n");
    assert_eq!(ask("-RH", "127.0.0.3"), "none none\n");
    assert_eq!(ask("-RH", "127.0.0.4"), "none none\n");
}
