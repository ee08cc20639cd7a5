//! 2.1: without a domain in control/locals, and after a HUP, mail for it leaves for the host that its MX names.

use crate::network::Network;

#[test]
fn mail_for_a_domain_out_of_locals_leaves_for_its_exchanger() {
    let Some(mut network) = Network::new() else { return };
    let (Some(host), Some(pokey)) = (network.host("af.mil"), network.host("pokey.af.mil")) else { return };
    network.exchanger("af.mil", "pokey.af.mil");
    // On pokey the answer 3.1 was followed.
    pokey.types("echo af.mil >> /var/qmail/control/locals; echo af.mil >> /var/qmail/control/rcpthosts");
    for site in [&host, &pokey] {
        site.types("echo ./Mailbox > /var/qmail/alias/.qmail-boss");
        site.boots();
    }
    pokey.serves_smtp_as_a_host("-v");

    host.sends("s@src.example", "boss@af.mil", "stays");
    host.delivers_all();
    assert!(host.postmasters_mailbox().contains("\nSubject: stays\n"));

    host.types("sed -i /^af.mil$/d /var/qmail/control/locals");
    host.gives_a_hup();
    host.sends("s@src.example", "boss@af.mil", "leaves");
    host.delivers_all();
    pokey.wait_for_text("/var/qmail/alias/Mailbox", "\nSubject: leaves\n");
    let text = pokey.postmasters_mailbox();
    for part in ["\nDelivered-To: boss@af.mil\n", "\nReceived: from af.mil (10.9.0.2)\n"] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    assert!(!host.postmasters_mailbox().contains("leaves"));
}
