//! 5.4: selected clients may relay. tcpd's hosts.allow says so for inetd, or rules of tcpserver do: they give the client
//! RELAYCLIENT, and qmail-smtpd takes any recipient from it. Other clients are held to rcpthosts, and what stands in
//! RELAYCLIENT is put behind each recipient.

use crate::site::Site;
use harness::{Call, wait_until};

/// What a client at this address hears about a recipient elsewhere.
fn reply_to_relaying(client: &str, port: u16) -> Option<String> {
    let Some(swaks) = harness::installed("swaks") else {
        harness::skipped("swaks is not installed");
        return None;
    };
    let call = Call::path(&swaks).args(["--server", "127.0.0.1", "--port", &port.to_string()]);
    let call = call.args(["--local-interface", client, "--helo", "client.example", "--timeout", "30"]);
    let outcome = call.args(["--from", "s@src.example", "--to", "joe@elsewhere.example"]).run();
    let text = outcome.out_text();
    let (_, rest) = text.split_once(" -> RCPT TO:<joe@elsewhere.example>\n").expect(&text);
    Some(rest.lines().next().expect("a reply").to_owned())
}

/// The rules are typed, compiled and used as the answer says; the port is ours.
#[test]
fn clients_in_the_rules_of_tcpserver_may_relay() {
    let Some(site) = Site::new() else { return };
    site.write("/var/qmail/control/concurrencyremote", "0\n");
    site.write("/etc/tcp.smtp", "127.0.0.6:allow,RELAYCLIENT=\"\"\n127.0.1.:allow,RELAYCLIENT=\"\"\n");
    site.types("tcprules /etc/tcp.smtp.cdb /etc/tcp.smtp.tmp < /etc/tcp.smtp");
    assert!(!site.path("/etc/tcp.smtp.tmp").exists());
    let port = site.serves_smtp("-x /etc/tcp.smtp.cdb");
    for (client, expected) in [
        ("127.0.0.6", "<-  250 ok"),
        ("127.0.1.77", "<-  250 ok"),
        ("127.0.0.7", "<** 553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"),
    ] {
        let Some(reply) = reply_to_relaying(client, port) else { return };
        assert_eq!(reply, expected, "{client}");
    }
    // Both messages are in the queue, and nothing else.
    site.boots();
    let waiting = || site.types("qmail-qread").matches("\tremote\tjoe@elsewhere.example\n").count();
    wait_until("two messages wait to be sent", || waiting() == 2);
}

/// The rule of tcpd names the program that it runs, which is tcp-env.
#[test]
fn clients_in_hosts_allow_may_relay() {
    let Some(site) = Site::new() else { return };
    site.write("/var/qmail/control/concurrencyremote", "0\n");
    let hosts_allow = "tcp-env: 127.0.0.4, 127.0.0.5: setenv = RELAYCLIENT\n";
    let Some(port) = site.serves_smtp_by_inetd(hosts_allow) else { return };
    for (client, expected) in [
        ("127.0.0.4", "<-  250 ok"),
        ("127.0.0.5", "<-  250 ok"),
        ("127.0.0.7", "<** 553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"),
    ] {
        let Some(reply) = reply_to_relaying(client, port) else { return };
        assert_eq!(reply, expected, "{client}");
    }
}
