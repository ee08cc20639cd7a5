//! 6.3: MH, told to post with spost, hands its messages to sendmail, which takes the recipients out of the header.

use crate::site::Site;
use harness::HOST;
use std::path::Path;

#[test]
fn mh_posts_by_sendmail() {
    let Some(site) = Site::new() else { return };
    // In nmh the program of the answer is a script.
    let (send, spost) = (Path::new("/usr/bin/mh/send"), Path::new("/usr/lib/mh/spost"));
    if !send.exists() || !spost.exists() {
        return harness::skipped("nmh is not installed");
    }
    let user = site.user("suite-q6-3");
    site.boots();
    user.write(".mh_profile", format!("Path: Mail\npostproc: {}\n", spost.display()));
    // In place of the link to our sendmail from where nmh looks for one.
    user.write("mts.conf", site.placed("sendmail: /var/qmail/bin/sendmail\n"));
    user.write(
        "draft",
        format!("From: suite-q6-3\nTo: postmaster\nCc: root@{HOST}\nSubject: by MH\n\none\n.\ntwo\n"),
    );
    let call = user.call(send).env("HOME", &user.home).within(&user.home);
    let outcome = call.env("MHMTSUSERCONF", user.home.join("mts.conf")).arg(user.home.join("draft")).run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    site.delivers_all();
    let text = site.postmasters_mailbox();
    // Both aliases have the same mailbox.
    assert_eq!(text.matches("\nSubject: by MH\n").count(), 2, "{text}");
    for line in [
        format!("Return-Path: <suite-q6-3@{HOST}>"),
        format!("From: suite-q6-3@{HOST}"),
        format!("To: postmaster@{HOST}"),
        format!("Delivered-To: root@{HOST}"),
        "one\n.\ntwo".to_owned(),
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{line} in {text}");
    }
}
