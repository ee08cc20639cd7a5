//! 4.8: sendmail's table of aliases works with fastforward, ours and the one of the package that the answer names.

use crate::site::{Site, heard};
use harness::HOST;

/// A chain of aliases, a list with an owner, and a program.
const ALIASES: &str = "# who is who\n\
    chief: joe\n\
    joe: joe@far.example\n\
    crew: a@far.example, b@far.example\n\
    owner-crew: postmaster\n\
    notes: \"|cat >>notes\"\n";

/// Mail for those in the table, after `boots`; and for one who is not.
fn follows(boots: impl Fn(&Site) -> bool, newaliases: impl Fn(&Site), fastforward: &str) {
    let Some(site) = Site::new() else { return };
    let far = site.routes("far.example", 3);
    site.write("/etc/aliases", ALIASES);
    site.write("/var/qmail/alias/.qmail-default", &format!("| {fastforward} -d /etc/aliases.cdb\n"));
    if !boots(&site) {
        return;
    }
    newaliases(&site);
    site.sends("s@src.example", &format!("chief@{HOST}"), "orders");
    site.delivers_all();
    let session = heard(&far);
    assert!(
        session.contains("RCPT TO:<joe@far.example>\r\n") && session.contains("Subject: orders"),
        "{session}"
    );
    site.sends("s@src.example", &format!("crew@{HOST}"), "all hands");
    site.sends("s@src.example", &format!("notes@{HOST}"), "noted");
    site.delivers_all();
    let sessions = heard(&far) + &heard(&far);
    for name in ["a", "b"] {
        assert_eq!(sessions.matches(&format!("RCPT TO:<{name}@far.example>\r\n")).count(), 1, "{sessions}");
    }
    // The list has an owner, who hears of its bounces.
    assert_eq!(sessions.matches(&format!("MAIL FROM:<owner-crew@{HOST}>\r\n")).count(), 2, "{sessions}");
    assert!(site.read("/var/qmail/alias/notes").contains("Subject: noted\n"));
    // Whom the table does not have, nobody has.
    site.sends(&format!("postmaster@{HOST}"), &format!("stranger@{HOST}"), "who");
    site.wait_for_text("/var/log/qmail", ": failure: ");
}

#[test]
fn a_table_of_aliases_is_followed() {
    let boots = |site: &Site| {
        site.boots();
        true
    };
    // newaliases knows the system's table alone, which is the site's here.
    let newaliases = |site: &Site| {
        site.types_where("mount --bind /etc/ /etc", "/var/qmail/bin/newaliases");
    };
    follows(boots, newaliases, "/var/qmail/bin/fastforward");
}

#[test]
fn the_package_follows_it_too() {
    let (Some(newaliases), Some(fastforward)) =
        (harness::installed("qmail-newaliases"), harness::installed("fastforward"))
    else {
        return harness::skipped("fastforward is not installed");
    };
    let newaliases = |site: &Site| site.types_with_debians_home(&newaliases.display().to_string());
    follows(Site::boots_with_debians_home, newaliases, &fastforward.display().to_string());
}
