//! 1.1: with another host name in control/defaulthost, the addresses that users write without a host get that one, in the
//! sender as in the recipients.

use crate::site::Site;
use harness::HOST;

#[test]
fn the_default_host_stands_in_both_fields() {
    let Some(site) = Site::new() else { return };
    let joe = site.user("suite-q1-1");
    let inject = |site: &Site| {
        let call = joe.call(&site.path("/var/qmail/bin/qmail-inject")).arg("-n");
        call.input("To: fred\nSubject: x\n\n").run().out_text()
    };
    assert!(inject(&site).contains(&format!("\nTo: fred@{HOST}\n")));
    site.types("echo af.mil > /var/qmail/control/defaulthost; chmod 644 /var/qmail/control/defaulthost");
    let message = inject(&site);
    for line in ["Return-Path: <suite-q1-1@af.mil>\n", "\nFrom: suite-q1-1@af.mil\n", "\nTo: fred@af.mil\n"] {
        assert!(message.contains(line), "{line:?} in {message}");
    }
}
