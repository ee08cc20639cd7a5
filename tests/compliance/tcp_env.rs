//! `tcp-env`: what it tells a program, under a server that tells nothing, under inetd, and behind tcpd (FAQ 5.4).

use harness::{
    Answer, Call, DnsServer, Record, Running, TcpServer, free_port, is_root, program, scratch, skipped,
};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

/// Shows the variables that tcp-env may set.
const SHOW: &str = "env | grep -E '^(TCP|PROTO)' | sort";

fn names() -> DnsServer {
    DnsServer::start([
        ("1.0.0.127.in-addr.arpa", Answer::Records(vec![Record::Name("Here.Example".into())])),
        ("2.0.0.127.in-addr.arpa", Answer::ServerFailure),
    ])
}

/// A server whose connections become `tcp-env OPTIONS sh -c SHOW`, with nothing known about them.
fn server(names: &DnsServer, host: &str, options: &[&str]) -> TcpServer {
    let tcp_env = program("tcp-env");
    let unset = ["env", "-u", "PROTO", tcp_env.to_str().expect("an ASCII path")];
    let command = [&unset[..], options, &["sh", "-c", SHOW]].concat();
    let variables = [
        ("DNSCACHEIP", names.address()),
        ("TCPREMOTEHOST", "inherited".into()),
        ("TCPREMOTEINFO", "x".into()),
    ];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    TcpServer::start(&program("tcpserver"), &["-RHl0"], host, &command, &variables)
}

fn read(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("the variables");
    text
}

#[test]
fn it_finds_out_about_the_connection_on_descriptor_0() {
    let names = names();
    for (host, shown, local_name) in [
        ("127.0.0.1", "127.0.0.1", "TCPLOCALHOST=here.example\n"),
        ("127.0.0.2", "127.0.0.2", "TCPLOCALHOST=softdnserror\n"),
        ("127.0.0.3", "127.0.0.3", ""),
        ("::1", "::1", ""),
    ] {
        let server = server(&names, host, &["-R"]);
        let stream = server.connect(host);
        let peer = stream.local_addr().expect("our address");
        let peer_name =
            if peer.ip().to_string() == "127.0.0.1" { "TCPREMOTEHOST=here.example\n" } else { local_name };
        let peer_name = peer_name.replace("LOCAL", "REMOTE");
        let expected = format!(
            "PROTO=TCP\n{local_name}TCPLOCALIP={shown}\nTCPLOCALPORT={}\n{peer_name}TCPREMOTEIP={}\nTCPREMOTEPORT={}\n",
            server.port(),
            peer.ip(),
            peer.port()
        );
        assert_eq!(read(stream), expected);
    }
}

/// Port 113 of an address of the loopback network that no other test uses.
#[test]
fn it_asks_the_ident_server_unless_told_not_to() {
    let Ok(listener) = TcpListener::bind("127.0.0.9:113") else {
        return skipped("port 113 cannot be had");
    };
    let names = names();
    let connect = |options: &'static [&'static str]| {
        let server = server(&names, "127.0.0.1", options);
        let mut client = Call::ours("tcpclient").args(["-RHDlx", "-i", "127.0.0.9", "127.0.0.1"]);
        client = client.arg(server.port().to_string()).args(["sh", "-c", "grep -a INFO <&6"]);
        std::thread::spawn(move || (client.run().out_text(), server))
    };
    for (options, answer, info) in [
        (&[][..], "1, 2 : USERID : UNIX : j oe:x\r\n", "TCPREMOTEINFO=joe:x\n"),
        (&["-Rrt9"], "1, 2 : ERROR : NO-USER\r\n", "TCPREMOTEINFO=\n"),
        // What is no option changes nothing.
        (&["-t", "9", "-q"], "1, 2 : USERID : UNIX : cut", ""),
    ] {
        let client = connect(options);
        let (mut asker, _) = listener.accept().expect("a question");
        let mut question = [0; 3];
        asker.read_exact(&mut question).expect("a question");
        asker.write_all(answer.as_bytes()).expect("an answer");
        drop(asker);
        assert_eq!(client.join().expect("the client").0, info, "{options:?}");
    }
    assert_eq!(connect(&["-R"]).join().expect("the client").0, "");
}

#[test]
fn what_a_server_has_found_out_stays() {
    let outcome = Call::ours("tcp-env")
        .args(["sh", "-c", SHOW])
        .env("PROTO", "TCP")
        .env("TCPREMOTEHOST", "known.example")
        .env("TCPREMOTEINFO", "joe")
        .run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    assert_eq!(outcome.out_text(), "PROTO=TCP\nTCPREMOTEHOST=known.example\nTCPREMOTEINFO=joe\n");
}

#[test]
fn without_a_connection_or_a_program_it_says_nothing_and_fails_for_now() {
    let outcome = |words: &[&str], protocol: &str| {
        let outcome = Call::ours("tcp-env").args(words).env("PROTO", protocol).run();
        (outcome.code, outcome.out_text() + &outcome.err_text())
    };
    let failed = (111, String::new());
    assert_eq!(outcome(&["echo", "x"], "tcp"), failed);
    assert_eq!(outcome(&["-R"], "TCP"), failed);
    assert_eq!(outcome(&["-t"], "TCP"), failed);
    assert_eq!(outcome(&["/nonexistent/program"], "TCP"), failed);
}

/// Debian's inetd with one service, on a port of its own, and where it may be, with another `/etc/hosts.allow`.
fn inetd(directory: &Path, service: &str, hosts_allow: Option<&str>) -> (Running, u16) {
    let port = free_port();
    let configuration = directory.join("inetd.conf");
    fs::write(&configuration, format!("127.0.0.1:{port} stream tcp nowait root {service}\n"))
        .expect("a configuration");
    let mut command = Command::new("/usr/sbin/inetd");
    if let Some(text) = hosts_allow {
        let file = directory.join("hosts.allow");
        fs::write(&file, text).expect("hosts.allow");
        command = Command::new("unshare");
        let script = "mount --bind \"$1\" /etc/hosts.allow && exec inetd -d \"$2\"";
        command.args(["-m", "sh", "-c", script, "sh"]).args([&file, &configuration]);
    } else {
        command.arg("-d").arg(&configuration);
    }
    command
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let running = Running::start(&mut command);
    harness::wait_until("inetd listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    (running, port)
}

/// FAQ 5.2
#[test]
fn faq_5_2_under_inetd_a_program_is_told_who_connects() {
    if !is_root() || harness::installed("inetd").is_none() {
        return skipped("inetd needs root, and has to be installed");
    }
    let directory = scratch();
    let show = directory.path().join("show");
    harness::put_program(&show, format!("#!/bin/sh\n{SHOW}\n"));
    let service = format!("{} tcp-env -R {}", program("tcp-env").display(), show.display());
    let (_running, port) = inetd(directory.path(), &service, None);
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    let peer = stream.local_addr().expect("our address").port();
    let text = read(stream);
    let expected = format!("TCPLOCALIP=127.0.0.1\nTCPLOCALPORT={port}\n");
    assert!(text.starts_with("PROTO=TCP\n") && text.contains(&expected), "{text}");
    assert!(text.ends_with(&format!("TCPREMOTEIP=127.0.0.1\nTCPREMOTEPORT={peer}\n")), "{text}");
}

/// FAQ 5.4, with tcp-wrappers.
#[test]
fn faq_5_4_tcpd_lets_selected_clients_relay() {
    let may_mount = is_root()
        && Command::new("unshare").args(["-m", "true"]).status().is_ok_and(|status| status.success());
    let is_there = ["inetd", "tcpd"].iter().all(|name| harness::installed(name).is_some());
    if !may_mount || !is_there || !Path::new("/etc/hosts.allow").exists() {
        return skipped(
            "another /etc/hosts.allow needs root and mounts of its own; inetd and tcpd have to be installed",
        );
    }
    let directory = scratch();
    let show = directory.path().join("show");
    harness::put_program(&show, "#!/bin/sh\necho \"$PROTO $TCPREMOTEIP <${RELAYCLIENT-none}>\"\n");
    let service = format!("/usr/sbin/tcpd {} -R {}", program("tcp-env").display(), show.display());
    for (client, answer) in
        [("127.0.0.1", "TCP 127.0.0.1 <@fixme>\n"), ("192.0.2.1", "TCP 127.0.0.1 <none>\n")]
    {
        let rules = format!("tcp-env: {client}: setenv = RELAYCLIENT @fixme\n");
        let (_running, port) = inetd(directory.path(), &service, Some(&rules));
        assert_eq!(read(TcpStream::connect(("127.0.0.1", port)).expect("a connection")), answer);
    }
}
