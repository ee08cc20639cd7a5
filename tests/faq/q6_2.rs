//! 6.2: pine, told so in the settings of the system, sends by `sendmail -oem -oi -t`. Its successor alpine does, typed to on a
//! terminal.

use crate::site::Site;
use harness::HOST;

/// What a person types into alpine's composer: on to the subject, on to the text, the message, and Ctrl-X to send it.
const TYPED: &str = r#"
set timeout 30
proc fails {} { puts stderr "alpine does not go on"; exit 1 }
spawn alpine -P [lindex $argv 0] [lindex $argv 1]
expect "Message Text" {} timeout fails
send "\t\t"
send "by alpine\r"
send "\ronetwothree\r.\rtwo\r"
send "\x18"
expect "Send message" {} timeout fails
send "y"
expect "sent" {} timeout fails
send "qy"
expect eof {} timeout fails
"#;

/// The line of the answer.
const SETTING: &str = "sendmail-path=/usr/lib/sendmail -oem -oi -t\n";

#[test]
fn alpine_sends_by_sendmail() {
    let Some(site) = Site::new() else { return };
    let (Some(_), Some(expect)) = (harness::installed("alpine"), harness::installed("expect")) else {
        return harness::skipped("alpine or expect is not installed");
    };
    let user = site.user("suite-q6-2");
    site.boots();
    // The link that stands in a system's /usr/lib.
    site.types("ln -s /var/qmail/bin/sendmail /etc/sendmail");
    site.write("/etc/pine.conf", &SETTING.replace("/usr/lib/", "/etc/"));
    user.write("typed", TYPED);
    // Without it alpine begins with a greeting, in place of the message.
    user.write(".pinerc", "last-version-used=6.26\n");
    let call = user.call(&expect).env("HOME", &user.home).env("TERM", "xterm").within(&user.home);
    let outcome = call.arg("typed").arg(site.path("/etc/pine.conf")).arg(format!("postmaster@{HOST}")).run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""), "{}", outcome.out_text());
    site.delivers_all();
    let text = site.postmasters_mailbox();
    assert!(text.contains(&format!("\nReturn-Path: <suite-q6-2@{HOST}>\n")), "{text}");
    assert!(text.contains("\nSubject: by alpine\n"), "{text}");
    assert!(text.contains("\nonetwothree\n.\ntwo\n"), "{text}");
}

#[test]
fn a_lone_dot_ends_nothing() {
    let Some(site) = Site::new() else { return };
    site.boots();
    site.types("ln -s /var/qmail/bin/sendmail /etc/sendmail");
    site.types(&format!(
        "printf 'To: postmaster@{HOST}\nSubject: pine\n\none\n.\ntwo\n' | /etc/sendmail -oem -oi -t"
    ));
    site.delivers_all();
    let text = site.postmasters_mailbox();
    assert!(text.ends_with("\n\none\n.\ntwo\n\n"), "{text}");
}
