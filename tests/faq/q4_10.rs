//! 4.10: an account whose home belongs to root is no mail user, and its addresses are the alias user's.

use crate::site::Site;
use harness::{HOST, messages};

#[test]
fn a_home_of_roots_makes_an_alias_of_a_user() {
    let Some(site) = Site::new() else { return };
    let www = site.user("suite-q4-10");
    www.write(".qmail", "./Mailbox\n");
    site.write("/var/qmail/alias/.qmail-suite-q4-10", "./Maildir/\n");
    site.boots();
    let address = format!("suite-q4-10@{HOST}");
    site.sends("s@src.example", &address, "before");
    site.delivers_all();
    let maildir = site.path("/var/qmail/alias/Maildir");
    assert!(www.home.join("Mailbox").exists() && messages(&maildir).is_empty());
    site.types(&format!("chown root {}", www.home.display()));
    site.sends("s@src.example", &address, "after");
    site.delivers_all();
    assert_eq!(messages(&maildir).len(), 1);
}
