//! 4.6: in the names of `.qmail` files dots of an address are colons, and letters are small.

use crate::site::Site;
use harness::{HOST, messages};

#[test]
fn an_alias_with_dots_has_colons_in_its_file() {
    let Some(site) = Site::new() else { return };
    site.write("/var/qmail/alias/.qmail-P.D.Q.Bach", "./wrong/\n");
    site.write("/var/qmail/alias/.qmail-p:d:q:bach", "./Maildir/\n");
    site.boots();
    site.sends("s@src.example", &format!("P.D.Q.Bach@{HOST}"), "opus");
    site.delivers_all();
    assert_eq!(messages(&site.path("/var/qmail/alias/Maildir")).len(), 1);
}
