//! 4.7: with the package dot-forward, sendmail's `.forward` files work.

use crate::site::{Site, heard};
use harness::HOST;

#[test]
fn a_forward_file_is_followed() {
    let Some(site) = Site::new() else { return };
    if harness::installed("dot-forward").is_none() {
        return harness::skipped("dot-forward is not installed");
    }
    let far = site.routes("far.example", 1);
    let user = site.user("suite-q4-7");
    // The line that the package's instructions give, before the default delivery.
    user.write(".qmail", "| dot-forward .forward\n./Mailbox\n");
    if !site.boots_with_debians_home() {
        return;
    }
    let address = format!("suite-q4-7@{HOST}");
    site.sends("s@src.example", &address, "no forward");
    site.delivers_all();
    user.write(".forward", "joe@far.example\n");
    site.sends("s@src.example", &address, "on its way");
    site.delivers_all();
    let session = heard(&far);
    assert!(session.contains("RCPT TO:<joe@far.example>\r\n") && session.contains("on its way"), "{session}");
    let mailbox = std::fs::read_to_string(user.home.join("Mailbox")).expect("a mailbox");
    assert!(mailbox.contains("Subject: no forward\n") && !mailbox.contains("on its way"), "{mailbox}");
}
