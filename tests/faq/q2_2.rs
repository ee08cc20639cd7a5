//! 2.2: a null client: one route for all domains, and no local delivery. All mail goes to one host.

use crate::site::{Site, heard};
use harness::HOST;

#[test]
fn all_mail_goes_to_one_host() {
    let Some(site) = Site::new() else { return };
    // As the answer has it, a route without a port; this looks at the file alone.
    site.types(
        "echo :bigbang.af.mil > /var/qmail/control/smtproutes; chmod 644 /var/qmail/control/smtproutes",
    );
    assert!(site.types("qmail-showctl").contains("SMTP route: :bigbang.af.mil\n"));
    // The same with a host that the test has.
    site.write("/var/qmail/control/smtproutes", "");
    let bigbang = site.routes("", 2);
    site.types(&format!("sed -i /^{HOST}$/d /var/qmail/control/locals"));
    site.boots();
    for recipient in ["fred@far.example".to_owned(), format!("joe@{HOST}")] {
        site.sends("s@src.example", &recipient, "out");
        site.delivers_all();
        let session = heard(&bigbang);
        assert!(session.contains(&format!("RCPT TO:<{recipient}>\r\n")), "{session}");
    }
}
