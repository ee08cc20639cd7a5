//! 2.2: a null client: one route for all domains, no local delivery, and nothing that listens. All mail goes to one host.

use crate::network::Network;

#[test]
fn all_mail_goes_to_one_host() {
    let Some(mut network) = Network::new() else { return };
    let (Some(zippy), Some(bigbang), Some(far)) =
        (network.host("zippy.af.mil"), network.host("bigbang.af.mil"), network.host("far.example"))
    else {
        return;
    };
    zippy.types(
        "echo :bigbang.af.mil > /var/qmail/control/smtproutes; chmod 644 /var/qmail/control/smtproutes",
    );
    assert!(zippy.types("qmail-showctl").contains("SMTP route: :bigbang.af.mil\n"));
    zippy.types("sed -i /^zippy.af.mil$/d /var/qmail/control/locals");
    assert!(zippy.types("qmail-showctl").contains("locals: \n"));

    // bigbang has zippy's users, and lets zippy relay.
    bigbang.types("echo zippy.af.mil >> /var/qmail/control/locals");
    bigbang.types("echo zippy.af.mil >> /var/qmail/control/rcpthosts");
    bigbang.write("/etc/tcp.smtp", &format!("{}:allow,RELAYCLIENT=\"\"\n", zippy.address()));
    bigbang.types("tcprules /etc/tcp.smtp.cdb /etc/tcp.smtp.tmp < /etc/tcp.smtp");
    bigbang.serves_smtp_as_a_host("-x /etc/tcp.smtp.cdb");
    far.serves_smtp_as_a_host("-v");
    for site in [&zippy, &bigbang, &far] {
        site.types("echo ./Mailbox > /var/qmail/alias/.qmail-joe");
        site.boots();
    }

    zippy.sends("s@zippy.af.mil", "joe@zippy.af.mil", "home");
    zippy.sends("s@zippy.af.mil", "joe@far.example", "out");
    zippy.delivers_all();
    bigbang.wait_for_text("/var/qmail/alias/Mailbox", "\nSubject: home\n");
    // All the way out goes through bigbang.
    far.wait_for_text("/var/qmail/alias/Mailbox", "\nSubject: out\n");
    let text = far.postmasters_mailbox();
    let (from_bigbang, from_zippy) = (text.find("from bigbang.af.mil ("), text.find("from zippy.af.mil ("));
    assert!(from_bigbang.is_some() && from_bigbang < from_zippy, "{text}");
    assert_eq!(zippy.postmasters_mailbox(), "");
}
