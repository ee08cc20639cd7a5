//! 4.7: sendmail's `.forward` files work with dot-forward, ours and the one of the package that the answer names.

use crate::site::{Site, heard};
use harness::HOST;

/// A message without a `.forward` file and one with it, after `boots`.
fn follows(name: &str, boots: impl Fn(&Site) -> bool, dot_forward: &str) {
    let Some(site) = Site::new() else { return };
    let far = site.routes("far.example", 1);
    let user = site.user(name);
    // The line that the package's instructions give, before the default delivery.
    user.write(".qmail", site.placed(&format!("| {dot_forward} .forward\n./Mailbox\n")));
    if !boots(&site) {
        return;
    }
    let address = format!("{name}@{HOST}");
    site.sends("s@src.example", &address, "no forward");
    site.delivers_all();
    user.write(".forward", format!("# away\njoe@far.example, \\{name}\n"));
    site.sends("s@src.example", &address, "on its way");
    site.delivers_all();
    let session = heard(&far);
    assert!(session.contains("RCPT TO:<joe@far.example>\r\n") && session.contains("on its way"), "{session}");
    // The backslash keeps a copy here.
    let mailbox = std::fs::read_to_string(user.home.join("Mailbox")).expect("a mailbox");
    for subject in ["no forward", "on its way"] {
        assert_eq!(mailbox.matches(&format!("Subject: {subject}\n")).count(), 1, "{mailbox}");
    }
}

#[test]
fn a_forward_file_is_followed() {
    let boots = |site: &Site| {
        site.boots();
        true
    };
    follows("suite-q4-7a", boots, "/var/qmail/bin/dot-forward");
}

#[test]
fn the_package_follows_it_too() {
    let Some(dot_forward) = harness::installed("dot-forward") else {
        return harness::skipped("dot-forward is not installed");
    };
    follows("suite-q4-7b", Site::boots_with_debians_home, &dot_forward.display().to_string());
}
