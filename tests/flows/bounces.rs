//! Bounces with parts for programs (`control/bouncedsn`), read by somebody else's MIME parser.

use harness::{HOST, Instance, Script, SmtpPeer, messages, skipped, wait_until};
use std::io::Write;
use std::process::{Command, Stdio};

/// Tells the parts of a message: each with its depth, type and defects; of texts the text; of status parts
/// each field.
const PARSER: &str = r#"
import email, email.policy, sys
message = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
def tell(part, depth):
    print(depth, part.get_content_type(), part.get("Content-Transfer-Encoding"), [type(d).__name__ for d in part.defects])
    if part.get_content_type() == "message/delivery-status":
        for group in part.get_payload():
            print("group")
            for name, value in group.raw_items():
                print("|", name + ":", " ".join(value.split()))
        return
    if depth == 1 and part.get_content_type() == "text/plain":
        print("text", repr(part.get_payload(decode=True).decode("latin-1")))
    if depth == 2:
        print("original", part.get("Subject"), repr(part.get_payload(decode=True)))
        return
    if part.is_multipart():
        for inner in part.get_payload():
            tell(inner, depth + 1)
print(message["MIME-Version"], message.get_param("report-type"))
tell(message, 0)
"#;

/// What python's parser says of a message; nothing if there is no python.
fn parse(message: &[u8]) -> Option<String> {
    let mut command = Command::new("python3");
    command.args(["-c", PARSER]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        skipped("python3 is not installed");
        return None;
    };
    child.stdin.take().expect("its input").write_all(message).expect("the message");
    let output = child.wait_with_output().expect("its end");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).expect("its words"))
}

fn with_parts() -> (Instance, std::path::PathBuf) {
    let mut instance = Instance::new();
    let maildir = instance.mailbox("joe");
    instance.write("control/bouncedsn", "1\n");
    instance.alias("odd", "|printf '5.7.9 caf\\303\\251\\n\\nsecond line'; exit 100\n");
    instance.start();
    (instance, maildir)
}

fn bounce(maildir: &std::path::Path) -> Vec<u8> {
    wait_until("a bounce", || std::fs::read_dir(maildir.join("new")).expect("a maildir").count() == 1);
    let entry = std::fs::read_dir(maildir.join("new")).expect("a maildir").flatten().next();
    std::fs::read(entry.expect("a bounce").path()).expect("the bounce")
}

#[test]
fn a_bounce_with_parts_is_read_by_a_mime_parser_as_text_status_and_message() {
    let (mut instance, maildir) = with_parts();
    let recipients = [format!("nobody-at-all@{HOST}"), format!("odd@{HOST}")];
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    let sender = format!("joe@{HOST}");
    assert_eq!(instance.enqueue(&sender, &recipients, "Subject: \u{e9} hi\n\n--=_x--\nlast line"), 0);
    let bounce = bounce(&maildir);
    instance.wait_until_delivered();
    instance.stop();
    let text = String::from_utf8(bounce.clone()).expect("a bounce in UTF-8");
    // The text is that of a bounce without parts.
    let introduction = format!(
        "\n\nHi. This is the qmail-send program at {HOST}.\n\
         I'm afraid I wasn't able to deliver your message to the following addresses.\n\
         This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
    );
    for part in [&introduction, "--- Below this line is a copy of the message.\n\n", "\nlast line\n--=_"] {
        assert!(text.contains(part), "{part}{text}");
    }
    let Some(told) = parse(&bounce) else { return };
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[..2], ["1.0 delivery-status", "0 multipart/report 8bit []"], "{told}");
    assert_eq!(lines[2], "1 text/plain 8bit []");
    assert!(lines[3].contains("\\n\\n<nobody-at-all@mail.example.org>:\\nSorry, no mailbox"), "{told}");
    assert_eq!(lines[4], "1 message/delivery-status None []");
    let status: Vec<&str> =
        lines[5..].iter().copied().filter(|line| !line.contains("Arrival-Date: ")).collect();
    let status: Vec<&str> = status.into_iter().take_while(|line| !line.starts_with("1 ")).collect();
    let mut groups: Vec<String> =
        status.join("\n").split("group\n").map(|group| group.trim_end().to_owned()).collect();
    groups.sort();
    let expected = [
        "".to_owned(),
        format!(
            "| Final-Recipient: rfc822; nobody-at-all@{HOST}\n| Action: failed\n| Status: 5.1.1\n\
            | Diagnostic-Code: x-qmail; Sorry, no mailbox here by that name. (#5.1.1)"
        ),
        format!(
            "| Final-Recipient: rfc822; odd@{HOST}\n| Action: failed\n| Status: 5.7.9\n\
            | Diagnostic-Code: x-qmail; 5.7.9 caf?? /second line"
        ),
        format!("| Reporting-MTA: dns; {HOST}"),
    ];
    assert_eq!(groups, expected, "{told}");
    let rest: Vec<&str> =
        lines.iter().copied().skip_while(|line| !line.starts_with("1 message/rfc822")).collect();
    assert_eq!(rest[0], "1 message/rfc822 8bit []", "{told}");
    assert!(rest[2].starts_with("original ") && rest[2].ends_with(" b'--=_x--\\nlast line'"), "{told}");
    assert_eq!(rest.len(), 3, "{told}");
}

#[test]
fn a_bounce_of_plain_ascii_says_so_and_a_remote_reply_is_the_diagnostic() {
    let script = Script::new(["220 peer", "250 peer", "250 ok", "550 5.1.10 no such user here", "221 bye"]);
    let peer = SmtpPeer::start("127.0.0.1", vec![script]).expect("a peer");
    let (mut instance, maildir) = with_parts();
    instance.write("control/smtproutes", format!(":127.0.0.1:{}\n", peer.port()));
    assert_eq!(instance.enqueue(&format!("joe@{HOST}"), &["a@far.example"], "Subject: hi\n\nx\n"), 0);
    let bounce = bounce(&maildir);
    instance.stop();
    let Some(told) = parse(&bounce) else { return };
    for line in [
        "0 multipart/report 7bit []\n1 text/plain 7bit []\n",
        "| Final-Recipient: rfc822; a@far.example\n| Action: failed\n| Status: 5.1.10\n\
         | Diagnostic-Code: smtp; 550 5.1.10 no such user here\n",
        "1 message/rfc822 7bit []\n2 text/plain None []\noriginal hi b'x\\n'\n",
    ] {
        assert!(told.contains(line), "{line}{told}");
    }
}

#[test]
fn a_double_bounce_has_parts_as_well_and_without_the_control_file_there_are_none() {
    let mut instance = Instance::new();
    let postmaster = instance.path("alias/Maildir");
    instance.write("control/bouncedsn", "");
    instance.start();
    let nobody = format!("nobody-at-all@{HOST}");
    assert_eq!(instance.enqueue("", &[&nobody], "Subject: hi\n\nx\n"), 0);
    let double = bounce(&postmaster);
    instance.wait_until_delivered();
    instance.stop();
    if let Some(told) = parse(&double) {
        assert!(
            told.starts_with("1.0 delivery-status\n0 multipart/report 7bit []\n1 text/plain 7bit []\n"),
            "{told}"
        );
        assert!(told.contains("the bounce bounced!"), "{told}");
    }
    instance.write("control/bouncedsn", "0\n");
    instance.start();
    assert_eq!(instance.enqueue("", &[&nobody], "Subject: hi\n\nx\n"), 0);
    wait_until("a second one", || messages(&postmaster).len() == 2);
    assert_eq!(messages(&postmaster).iter().filter(|text| !text.contains("MIME")).count(), 1);
    instance.stop();
}

/// `svc -a` makes everything due, also what waits for something else than a delivery.
#[test]
fn a_bounce_that_could_not_be_queued_is_due_after_alrm() {
    let mut instance = Instance::new();
    let bounces = instance.mailbox("bounces");
    let (sender, nobody) = (format!("bounces@{HOST}"), format!("nobody-at-all@{HOST}"));
    assert_eq!(instance.enqueue(&sender, &[&nobody], "Subject: hi\n\nx\n"), 0);
    let (program, away) = (instance.path("bin/qmail-queue"), instance.path("bin/away"));
    std::fs::rename(&program, &away).expect("a program that is away");
    instance.start();
    instance.wait_for_log("warning: trouble injecting bounce message, will try later");
    std::fs::rename(&away, &program).expect("a program that is back");
    instance.signal(unix::signal::Signal::SIGALRM);
    instance.wait_until_delivered();
    assert_eq!(messages(&bounces).len(), 1);
    instance.stop();
}
