//! 4.1: one line for the alias user forwards mail for everybody who is unknown here to another host.

use crate::site::{Site, heard};
use harness::HOST;

#[test]
fn unknown_users_are_looked_for_elsewhere() {
    let Some(site) = Site::new() else { return };
    let bigbang = site.routes("bigbang.af.mil", 1);
    site.write("/var/qmail/alias/.qmail-default", "| forward \"$LOCAL\"@bigbang.af.mil\n");
    site.boots();
    site.sends("s@src.example", &format!("No.Body-x@{HOST}"), "who");
    site.delivers_all();
    let session = heard(&bigbang);
    for line in
        ["MAIL FROM:<s@src.example>\r\n", "RCPT TO:<No.Body-x@bigbang.af.mil>\r\n", "\r\nSubject: who\r\n"]
    {
        assert!(session.contains(line), "{line:?} in {session}");
    }
}
