//! 3.1: a domain in control/locals and control/rcpthosts, and a HUP (or svc -h): this host takes its mail and delivers it.

use crate::site::{Site, pause};
use harness::Call;

fn receives(boot: impl Fn(&Site), hup: impl Fn(&Site)) {
    let Some(site) = Site::new() else { return };
    let Some(swaks) = harness::installed("swaks") else { return harness::skipped("swaks is not installed") };
    boot(&site);
    let port = site.serves_smtp("-RHl0").to_string();
    let send = || {
        let call = Call::path(&swaks).args(["--server", "127.0.0.1", "--port", &port, "--timeout", "30"]);
        call.args(["--from", "s@src.example", "--to", "postmaster@af.mil", "--helo", "c.example"]).run()
    };
    // 24 is swaks' exit status for a recipient that is refused.
    assert_eq!(send().code, 24);
    site.types("echo af.mil >> /var/qmail/control/locals; echo af.mil >> /var/qmail/control/rcpthosts");
    hup(&site);
    let outcome = send();
    assert_eq!(outcome.code, 0, "{}", outcome.out_text());
    site.wait_for_text("/var/qmail/alias/Mailbox", "\nDelivered-To: postmaster@af.mil\n");
}

#[test]
fn a_hup_makes_a_domain_local() {
    receives(Site::boots, Site::gives_a_hup);
}

#[test]
fn svc_gives_the_hup() {
    let boot = |site: &Site| {
        site.types(
            "mkdir /var/run/qmail; supervise /var/run/qmail qmail-start ./Mailbox >>/var/log/qmail 2>&1 &",
        );
        site.wait_for_text("/var/log/qmail", "status: local 0/");
    };
    receives(boot, |site| {
        site.types("svc -h /var/run/qmail");
        // svc does not wait until supervise has read it.
        pause();
    });
}
