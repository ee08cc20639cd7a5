//! 2.5: while the DNS server that knows a recipient's host is down, mail for it is put off, and it is sent once the
//! server is there again. Nobody asks for CNAME records any more: a host that is an alias of another one gets its mail.

use crate::network::Network;

#[test]
fn mail_waits_while_dns_is_down() {
    let Some(mut network) = Network::new() else { return };
    let (Some(host), Some(far)) = (network.host("af.mil"), network.host("real.example")) else { return };
    network.record("cname=alias.example,real.example");
    far.types("echo alias.example >> /var/qmail/control/locals");
    far.types("echo alias.example >> /var/qmail/control/rcpthosts");
    far.types("echo ./Mailbox > /var/qmail/alias/.qmail-joe");
    far.serves_smtp_as_a_host("-HRl0");
    far.boots();
    host.boots();

    network.end_dns();
    host.sends("s@af.mil", "joe@alias.example", "patience");
    host.wait_for_text("/var/log/qmail", "delivery 1: deferral: ");
    let log = host.read("/var/log/qmail");
    assert!(log.contains("deferral: Sorry,_I_couldn't_find_any_host_by_that_name._(#4.1.2)/\n"), "{log}");

    network.publish();
    // By itself it would try again after more than six minutes.
    host.types(&format!("kill -ALRM {}", host.pid_of("qmail-send")));
    host.delivers_all();
    far.wait_for_text("/var/qmail/alias/Mailbox", "\nDelivered-To: joe@alias.example\n");
}
