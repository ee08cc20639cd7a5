//! Where a search begins: the inputs of the measured cases, and a few by hand for what has no cases.

use serde_json::Value;
use std::fs;
use std::path::Path;

/// The seeds of a target.
///
/// # Panics
/// If a file of cases cannot be read.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    match target {
        "smtp_command" => after_a_cut(&cases("smtpd", "stdin")),
        "smtp_path" => cases("smtpd", "stdin").iter().flat_map(|session| arguments(session)).collect(),
        "smtp_data_decoder" => after_a_cut(&by_hand(DATA)),
        "smtp_data_encoder" => after_a_cut(&[cases("remote", "msg"), by_hand(DATA)].concat()),
        "smtp_reply" => by_hand(REPLIES),
        "header_rewriting" => cases("inject", "stdin"),
        "dot_qmail" => dot_qmail_files(),
        "users_assign" => [cases("newu", "assign"), by_hand(ASSIGNMENTS)].concat(),
        "users_cdb" => {
            by_hand(ASSIGNMENTS).iter().filter_map(|text| mta::users::assign::compile(text).ok()).collect()
        }
        "envelope" => after_a_cut(&by_hand(&[
            "Fs@x\0Ta@y\0Tb@z\0\0",
            "F\0T\0\0",
            "Fs\0",
            "F-@[]\0Tjoe@example.org\0\0more",
        ])),
        "todo_records" => by_hand(&["u1\0p2\0Fs@x\0Ta@y\0Db@z\0", "Ta@b\0Tc@d\0Te"]),
        "delivery_report" => after_a_cut(&by_hand(REPORTS)),
        "queuectl_request" => by_hand(&["hold 123", "expire 18446744073709551615", "done", "trouble"]),
        "queue_snapshot" => by_hand(&[
            "message 7\nbirth 1000\nheld\ninfo 5\nFs@x\0\nlocal 5\nTa@b\0\nbounce 3\n<c>\nmess 3\nxyz\nend 1\n",
            "message 8\ntodo 10\nFs@x\0Ta@b\0\nmess 0\n\nend 1\n",
        ]),
        "delivery_log" => by_hand(&[
            "new msg 7\ninfo msg 7: bytes 70 from <s@x> qp 55 uid 1\nstarting delivery 1: msg 7 to local a@b\n\
             starting delivery 2: msg 7 to remote c@d\ndelivery 2: success: ok\ndelivery 1: failure: no\n\
             bounce msg 7 qp 9\nend msg 7\nstatus: exiting\n",
            "123.45 new msg 7\n123.45 info msg 7: bytes 70 from <s@x> qp 55 uid 1\n123.46 end msg 7\n",
        ]),
        "netstring" => by_hand(&["3:abc,", "0:,1:x,2:yz,", "007:", "99999999999:"]),
        "qmtp_request" => {
            after_a_cut(&[cases("qmtpd", "stdin"), by_hand(QMTP), vec![twice_wrong()]].concat())
        }
        "qmqp_request" => after_a_cut(&[cases("qmqpd", "stdin"), by_hand(QMQP)].concat()),
        "qmqp_answer" => after_a_cut(&by_hand(&["4:Kok,", "3:Zno,", "2:D,", "127.0.0.1:628", "[::1]:629"])),
        "pop3_command" => cases("pop3d", "stdin"),
        "pop3_body" => after_a_cut(&[cases("remote", "msg"), by_hand(DATA)].concat()),
        "tcprules_text" => by_hand(RULES),
        "tcprules_cdb" => by_hand(RULES).iter().map(|text| keys_of(text)).collect(),
        "multilog_script" => by_hand(SCRIPTS),
        "serial_report" => by_hand(&["new/a\0K1.2.3.4 said: 250 ok\nnew/b\0Z\ncur/c:2,S\0D550 no\n"]),
        "serial_smtp_reply" => by_hand(REPLIES),
        "serial_qmtp_reply" => after_a_cut(&by_hand(&["4:Kok,1:Z,7:D no\n!,", "0:,", "3:Kok;"])),
        "dns_reply" => vec![A_REPLY.to_vec(), A_LOOP.to_vec()],
        _ => Vec::new(),
    }
}

fn by_hand(seeds: &[&str]) -> Vec<Vec<u8>> {
    seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect()
}

/// For targets whose first byte says where the rest is cut.
fn after_a_cut(seeds: &[Vec<u8>]) -> Vec<Vec<u8>> {
    seeds.iter().map(|seed| [&b"\x07"[..], seed].concat()).collect()
}

/// One text of each measured case, in the encoding of the files: a letter is a byte.
fn cases(kind: &str, member: &str) -> Vec<Vec<u8>> {
    all_cases(kind).iter().filter_map(|case| Some(bytes(case.get(member)?.as_str()?))).collect()
}

fn all_cases(kind: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(format!("{kind}.json"));
    let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let value: Value =
        serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    value["cases"].as_array().cloned().unwrap_or_default()
}

fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap_or(b'?')).collect()
}

/// What follows the verb in each line of a session.
fn arguments(session: &[u8]) -> Vec<Vec<u8>> {
    let lines = session.split(|byte| *byte == b'\n').filter(|line| line.contains(&b':'));
    lines.map(|line| line.splitn(2, |byte| *byte == b' ').last().unwrap_or_default().to_vec()).collect()
}

fn dot_qmail_files() -> Vec<Vec<u8>> {
    let files = |case: &Value| -> Vec<Vec<u8>> {
        let files = case["files"].as_object().cloned().unwrap_or_default();
        let instructions = files.into_iter().filter(|(name, _)| name.starts_with(".qmail"));
        instructions.filter_map(|(_, file)| Some(bytes(file.get(0)?.as_str()?))).collect()
    };
    all_cases("local").iter().flat_map(files).collect()
}

/// A QMTP request whose sender is too long, and then has a control byte too.
fn twice_wrong() -> Vec<u8> {
    let sender = [&[b'a'; 1000][..], b"\x7f"].concat();
    [&b"2:\na,1001:"[..], &sender, b",4:1:x,,"].concat()
}

/// A database with the text's words as keys.
fn keys_of(text: &[u8]) -> Vec<u8> {
    let mut database = unix::cdb::Builder::in_memory();
    for word in text.split(|byte| matches!(byte, b'\n' | b':')) {
        database.add(word, b"+A=b\0D").expect("a short record");
    }
    database.finish().expect("a small database").into_inner()
}

const DATA: &[&str] = &[
    "Subject: x\r\n\r\n..dot\r\n.\r\n",
    ".\r\n",
    "a\nb\r\n.\r\n",
    "a\r\n.\n.\r\n",
    "a\r.\r\r\n\0.\r\n.\r\n",
    "Received: x\r\nDelivered-To: y\r\n\r\n.x\r\n..\r\n.\r\n",
];
const REPLIES: &[&str] = &[
    "220 mail ESMTP\r\n",
    "250-hi\r\n250-SIZE 100\r\n250 PIPELINING\r\n",
    "5\r\n",
    "250-a\n250\n",
    "999 x\r\n",
];
const ASSIGNMENTS: &[&str] = &[
    "=joe:joe:1:1:/home/joe:::\n+joe-:joe:1:1:/home/joe:-::\n+:alias:2:2:/a:-::\n.\n",
    "=a:b:c\n.\n",
    ".\n",
    "=x",
];
const QMTP: &[&str] = &["5:\na\nb\n,4:a@bc,13:5:joe@x,2:jo,,", "4:\r\r\nx,0:,4:1:x,,", "1:x,"];
const QMQP: &[&str] = &["17:3:hi\n,3:a@b,3:c@d,,", "9:0:,0:,0:,,", "5:0:,0:"];
const REPORTS: &[&str] =
    &["rsorry\0Zfailed\0", "r\0Kdone\n\0", "hno\0Dno\0", "sa\0Kb\0", "did 1+0+0\n", "\x01\x02Kok\0"];
const RULES: &[&str] = &[
    "127.0.0.1:allow,RELAYCLIENT=\"\"\n10.0.0.0/8:deny\n:allow\n",
    "2001:db8::/32:allow\n=.example.org:deny\njoe@192.0.2.1:allow,A=/b/\n",
    "1-3.4.5.:deny\n#x\n\n=:allow\n",
    "1.2.3.4:allow,X=\"y",
];
const SCRIPTS: &[&str] = &[
    "t\n-*\n+*fatal*\n/var/log/x",
    "s1000\nn3\n!gzip\n./a",
    "e\n=status\n+a+b\n-***",
    "R60\nS1000\nDdrop\n./b",
];

/// One A record for mail.example.org.
const A_REPLY: &[u8] = b"\0\x01\x81\x80\0\x01\0\x01\0\0\0\0\x04mail\x07example\x03org\0\0\x01\0\x01\
\xc0\x0c\0\x01\0\x01\0\0\x0e\x10\0\x04\xc0\0\x02\x01";
/// An alias of itself, by a pointer to itself.
const A_LOOP: &[u8] = b"\0\x01\x81\x80\0\x01\0\x01\0\0\0\0\x04mail\x07example\x03org\0\0\x01\0\x01\
\xc0\x0c\0\x05\0\x01\0\0\x0e\x10\0\x02\xc0\x28";
