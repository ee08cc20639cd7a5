//! 3.2: a virtual domain belongs to a user: mail for anybody there is delivered as to an extension of his, which
//! `.qmail-NAME` and `.qmail-default` in his home instruct.

use crate::site::Site;
use harness::{Call, messages};

#[test]
fn the_user_gets_all_mail_for_the_domain() {
    let Some(site) = Site::new() else { return };
    let bob = site.user("suite-q3-2");
    for name in ["info", "rest"] {
        assert_eq!(bob.call(&site.path("/var/qmail/bin/maildirmake")).arg(bob.home.join(name)).run().code, 0);
    }
    bob.write(".qmail-info", "./info/\n");
    bob.write(".qmail-default", "./rest/\n");
    let Some(swaks) = harness::installed("swaks") else { return harness::skipped("swaks is not installed") };
    site.boots();
    let port = site.serves_smtp("-RHl0").to_string();
    let send = |recipient: &str| {
        let call = Call::path(&swaks).args(["--server", "127.0.0.1", "--port", &port, "--timeout", "30"]);
        call.args(["--from", "s@src.example", "--to", recipient, "--helo", "c.example"]).run().code
    };
    // 24 is swaks' exit status for a recipient that is refused.
    assert_eq!(send("info@nowhere.mil"), 24);
    site.write("/var/qmail/control/virtualdomains", "nowhere.mil:suite-q3-2\n");
    site.types("echo nowhere.mil >> /var/qmail/control/rcpthosts");
    site.gives_a_hup();
    for recipient in ["info@nowhere.mil", "root@nowhere.mil", "Postmaster@Nowhere.MIL"] {
        assert_eq!(send(recipient), 0, "{recipient}");
    }
    site.delivers_all();
    assert_eq!(messages(&bob.home.join("info")).len(), 1);
    assert!(
        messages(&bob.home.join("info")).remove(0).contains("\nDelivered-To: suite-q3-2-info@nowhere.mil\n")
    );
    assert_eq!(messages(&bob.home.join("rest")).len(), 2);
}
