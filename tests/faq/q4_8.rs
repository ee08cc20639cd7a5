//! 4.8: with the package fastforward, sendmail's table of aliases works.

use crate::site::{Site, heard};
use harness::HOST;

#[test]
fn a_table_of_aliases_is_followed() {
    let Some(site) = Site::new() else { return };
    let (Some(newaliases), Some(_)) =
        (harness::installed("qmail-newaliases"), harness::installed("fastforward"))
    else {
        return harness::skipped("fastforward is not installed");
    };
    let far = site.routes("far.example", 1);
    site.write("/etc/aliases", "chief: joe\njoe: joe@far.example\n");
    site.write("/var/qmail/alias/.qmail-default", "| fastforward -d /etc/aliases.cdb\n");
    if !site.boots_with_debians_home() {
        return;
    }
    site.types_with_debians_home(&newaliases.display().to_string());
    site.sends("s@src.example", &format!("chief@{HOST}"), "orders");
    site.delivers_all();
    let session = heard(&far);
    assert!(
        session.contains("RCPT TO:<joe@far.example>\r\n") && session.contains("Subject: orders"),
        "{session}"
    );
    // Whom the table does not have, nobody has.
    site.sends(&format!("postmaster@{HOST}"), &format!("stranger@{HOST}"), "who");
    site.wait_for_text("/var/log/qmail", ": failure: ");
}
