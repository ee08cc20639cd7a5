//! 8.1: the number of deliveries at once is in control/concurrencyremote; it counts after a restart.

use crate::site::Site;
use harness::wait_until;

#[test]
fn more_deliveries_go_on_at_once() {
    let Some(site) = Site::new() else { return };
    site.boots();
    assert!(site.read("/var/log/qmail").starts_with("status: local 0/10 remote 0/20\n"));
    site.types("echo 100 > /var/qmail/control/concurrencyremote");
    // A server that answers nobody for now, so that deliveries stay under way.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("its number").port();
    site.write("/var/qmail/control/smtproutes", &format!(":[127.0.0.1]:{port}\n"));
    site.types(&format!("kill {}", site.pid_of("qmail-send")));
    site.wait_for_text("/var/log/qmail", "status: exiting\n");
    site.wait_for_end_of("qmail-send");
    site.boots();
    let recipients: Vec<String> = (0..60).map(|number| format!("u{number}@far.example")).collect();
    site.sends("s@src.example", &recipients.join(" "), "many");
    site.wait_for_text("/var/log/qmail", "status: local 0/10 remote 60/100\n");
    let running =
        || site.installation().processes().iter().filter(|(_, name)| name == "qmail-remote").count();
    // One more may be there, kept for what comes.
    wait_until("all are under way", || matches!(running(), 60 | 61));
}
