//! 2.1: without a domain in control/locals, and after a HUP, mail for it leaves for the host that its MX names.

use crate::site::{Site, heard};
use harness::messages;

#[test]
fn mail_for_a_domain_out_of_locals_leaves() {
    let Some(site) = Site::new() else { return };
    let pokey = site.routes("af.mil", 1);
    site.types("echo af.mil >> /var/qmail/control/locals; echo ./Maildir/ > /var/qmail/alias/.qmail-boss");
    site.boots();
    site.sends("s@src.example", "boss@af.mil", "stays");
    site.delivers_all();
    assert_eq!(messages(&site.path("/var/qmail/alias/Maildir")).len(), 1);

    site.types("sed -i /^af.mil$/d /var/qmail/control/locals");
    site.gives_a_hup();
    site.sends("s@src.example", "boss@af.mil", "leaves");
    site.delivers_all();
    let session = heard(&pokey);
    assert!(
        session.contains("RCPT TO:<boss@af.mil>\r\n") && session.contains("\r\nSubject: leaves\r\n"),
        "{session}"
    );
    assert_eq!(messages(&site.path("/var/qmail/alias/Maildir")).len(), 1);
}
