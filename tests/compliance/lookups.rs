//! `dnsip`, `dnsptr`, `dnsmxip`, `dnsfq`, `ipmeprint` and `hostname`.

use harness::{Answer, Call, DnsServer, Outcome, Record};
use std::process::Command;

fn names() -> DnsServer {
    let address = |last: u8| Record::Address([192, 0, 2, last].into());
    let exchanger = |preference, host: &str| Record::Exchanger(preference, host.to_owned());
    DnsServer::start([
        (
            "a.example",
            Answer::Records(vec![address(1), address(2), Record::Address("2001:db8::1".parse().unwrap())]),
        ),
        ("b.example", Answer::Records(vec![address(3)])),
        ("empty.example", Answer::Records(vec![])),
        (
            "mail.example",
            Answer::Records(vec![
                exchanger(20, "b.example"),
                exchanger(10, "a.example"),
                exchanger(5, "gone.example"),
                exchanger(30, "broken.example"),
            ]),
        ),
        ("stuck.example", Answer::Records(vec![exchanger(5, "broken.example")])),
        ("lost.example", Answer::Records(vec![exchanger(5, "gone.example")])),
        ("broken.example", Answer::ServerFailure),
        ("1.2.0.192.in-addr.arpa", Answer::Records(vec![Record::Name("A.Whole.Example".into())])),
        ("3.2.0.192.in-addr.arpa", Answer::ServerFailure),
    ])
}

fn ask(names: &DnsServer, program: &str, operand: &str) -> (i32, String) {
    let Outcome { code, out, err } =
        Call::ours(program).arg(operand).env("DNSCACHEIP", names.address()).run();
    assert!(out.is_empty() || err.is_empty());
    (code, String::from_utf8([out, err].concat()).expect("ASCII"))
}

#[test]
fn names_addresses_and_exchangers_are_printed_a_line_each() {
    let names = names();
    let printed = |program: &str, operand: &str, text: &str| {
        assert_eq!(ask(&names, program, operand), (0, text.to_owned()), "{program} {operand}");
    };
    printed("dnsip", "a.example", "192.0.2.1\n192.0.2.2\n2001:db8::1\n");
    printed("dnsip", "192.0.2.7", "192.0.2.7\n");
    printed("dnsptr", "192.0.2.1", "a.whole.example\n");
    printed("dnsfq", "a.example", "a.whole.example\n");
    printed("dnsmxip", "mail.example", "192.0.2.1 10\n192.0.2.2 10\n2001:db8::1 10\n192.0.2.3 20\n");
    printed("dnsmxip", "b.example", "192.0.2.3 0\n");
    printed("dnsmxip", "[192.0.2.9]", "192.0.2.9 0\n");
}

#[test]
fn what_is_not_there_is_a_hard_error_and_what_cannot_be_known_a_soft_one() {
    let names = names();
    for (program, operand) in [
        ("dnsip", "gone.example"),
        ("dnsip", "empty.example"),
        ("dnsptr", "192.0.2.77"),
        ("dnsfq", "gone.example"),
        ("dnsmxip", "gone.example"),
        ("dnsmxip", "lost.example"),
    ] {
        assert_eq!(ask(&names, program, operand), (100, "hard error\n".to_owned()), "{program} {operand}");
    }
    for (program, operand) in [
        ("dnsip", "broken.example"),
        ("dnsptr", "192.0.2.3"),
        ("dnsfq", "b.example"),
        ("dnsmxip", "broken.example"),
        ("dnsmxip", "stuck.example"),
    ] {
        let (code, text) = ask(&names, program, operand);
        assert!(code == 111 && text.starts_with("soft error: "), "{program} {operand}: {code} {text}");
    }
    assert_eq!(ask(&names, "dnsptr", "a.example"), (100, "dnsptr: usage: dnsptr address\n".to_owned()));
    assert_eq!(Call::ours("dnsip").run().code, 100);
}

#[test]
fn this_machine_has_its_addresses_and_its_name() {
    let outcome = Call::ours("ipmeprint").run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    assert!(outcome.out_text().lines().any(|line| line == "127.0.0.1"), "{outcome:?}");
    let named = Command::new("uname").arg("-n").output().expect("uname").stdout;
    assert_eq!(Call::ours("hostname").run(), Outcome { code: 0, out: named, err: vec![] });
}
