//! 3.2: a virtual domain belongs to a user: mail for anybody there is delivered as to an extension of his, which
//! `.qmail-NAME` and `.qmail-default` in his home instruct.

use crate::site::Site;
use harness::messages;

#[test]
fn the_user_gets_all_mail_for_the_domain() {
    let Some(site) = Site::new() else { return };
    let bob = site.user("suite-q3-2");
    for name in ["info", "rest"] {
        assert_eq!(bob.call(&site.path("/var/qmail/bin/maildirmake")).arg(bob.home.join(name)).run().code, 0);
    }
    bob.write(".qmail-info", "./info/\n");
    bob.write(".qmail-default", "./rest/\n");
    site.boots();
    site.write("/var/qmail/control/virtualdomains", "nowhere.mil:suite-q3-2\n");
    site.types("echo nowhere.mil >> /var/qmail/control/rcpthosts");
    site.gives_a_hup();
    for recipient in ["info@nowhere.mil", "root@nowhere.mil", "Postmaster@Nowhere.MIL"] {
        site.sends("s@src.example", recipient, "virtual");
    }
    site.delivers_all();
    assert_eq!(messages(&bob.home.join("info")).len(), 1);
    assert!(
        messages(&bob.home.join("info")).remove(0).contains("\nDelivered-To: suite-q3-2-info@nowhere.mil\n")
    );
    assert_eq!(messages(&bob.home.join("rest")).len(), 2);
}
