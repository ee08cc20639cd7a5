//! 1.3: QMAILMFTFILE names a file of mailing lists. A message to one of them gets a Mail-Followup-To field, others do not.

use crate::site::Site;

#[test]
fn messages_to_lists_in_the_file_get_the_field() {
    let Some(site) = Site::new() else { return };
    let user = site.user("suite-q1-3");
    user.write(".lists", "sos@heaven.af.mil\n");
    let field = |header: &str| {
        let call = user.call(&site.path("/var/qmail/bin/qmail-inject")).arg("-n");
        let message = call.env("QMAILMFTFILE", user.home.join(".lists")).input(format!("{header}\n\n")).run();
        let text = message.out_text();
        text.lines().find_map(|line| line.strip_prefix("Mail-Followup-To: ")).map(str::to_owned)
    };
    assert_eq!(field("To: sos@heaven.af.mil").as_deref(), Some("sos@heaven.af.mil"));
    assert!(field("To: fred@dst.example\nCc: SOS@heaven.af.mil").is_some());
    assert_eq!(field("To: fred@dst.example"), None);
}
