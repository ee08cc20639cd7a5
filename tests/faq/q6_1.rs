//! 6.1: BSD mail, told to send with datemail, writes a Date with the sender's time zone.

use crate::site::Site;
use harness::HOST;

#[test]
fn bsd_mail_sends_a_date_with_the_local_time_zone() {
    let Some(site) = Site::new() else { return };
    let Some(mail) = harness::installed("bsd-mailx") else {
        return harness::skipped("bsd-mailx is not installed");
    };
    let user = site.user("suite-q6-1");
    site.boots();
    let date = |program: &str| {
        user.write(".mailrc", site.placed(&format!("set sendmail=/var/qmail/bin/{program}\n")));
        let call = user.call(&mail).env("HOME", &user.home).env("TZ", "Asia/Kathmandu");
        let outcome = call.args(["-s", program, &format!("postmaster@{HOST}")]).input("x\n").run();
        assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
        site.delivers_all();
        let mailbox = site.postmasters_mailbox();
        let (before, _) = mailbox.split_once(&format!("\nSubject: {program}\n")).expect("the message");
        let header = before.rsplit_once("\nReturn-Path: ").expect("its first line").1;
        let (_, rest) =
            mailbox.split_once(&format!("\nReturn-Path: {header}\nSubject: {program}\n")).expect("it");
        let fields = format!("{header}\n{}", rest.split("\n\n").next().unwrap_or_default());
        fields.lines().find_map(|line| line.strip_prefix("Date: ")).expect("a date").to_owned()
    };
    // As it is without the setting's program, and with it.
    assert!(date("sendmail").ends_with(" -0000"));
    assert!(date("datemail").ends_with(" +0545"));
}
