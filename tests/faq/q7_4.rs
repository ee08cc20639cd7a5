//! 7.4: a network: the host that knows all users forwards each one's mail to the host where it ends, and both write the
//! network's name into addresses.

use crate::site::Site;
use harness::wait_until;

const MAILHOST: &str = "mailhost.movie.edu";
const BOBSHOST: &str = "bobshost.movie.edu";

/// A site with this name that gets its mail on the port that is returned.
fn host(name: &str) -> Option<(Site, u16)> {
    let site = Site::new()?;
    site.types(&format!("qmail-setup config /var/qmail {name}"));
    for file in ["me", "locals", "rcpthosts"] {
        site.write(&format!("/var/qmail/control/{file}"), &format!("{name}\n"));
    }
    site.types("echo movie.edu > /var/qmail/control/defaulthost");
    let port = site.serves_smtp("-RHl0");
    Some((site, port))
}

#[test]
fn mail_for_the_network_ends_at_the_users_host() {
    let Some((mailhost, port)) = host(MAILHOST) else { return };
    let Some((bobshost, bobs_port)) = host(BOBSHOST) else { return };
    let bob = bobshost.user("suite-q7-4");
    mailhost.write("/var/qmail/control/virtualdomains", "movie.edu:alias-movie\n");
    mailhost.write("/var/qmail/alias/.qmail-movie-bob", &format!("suite-q7-4@{BOBSHOST}\n"));
    mailhost.types("echo movie.edu >> /var/qmail/control/rcpthosts");
    // In place of the DNS: where each host is.
    mailhost.write("/var/qmail/control/smtproutes", &format!("{BOBSHOST}:[127.0.0.1]:{bobs_port}\n"));
    bobshost.write("/var/qmail/control/smtproutes", &format!("movie.edu:[127.0.0.1]:{port}\n"));
    mailhost.boots();
    bobshost.boots();

    // Bob writes to himself, by the short name.
    let inject = bob.call(&bobshost.path("/var/qmail/bin/qmail-inject"));
    let outcome = inject.input("To: bob\nSubject: round trip\n\n").run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    let mailbox = bob.home.join("Mailbox");
    wait_until("it comes back", || mailbox.exists());
    wait_until("it is complete", || {
        std::fs::read_to_string(&mailbox).is_ok_and(|text| text.contains("\nSubject: round trip\n"))
    });
    let text = std::fs::read_to_string(&mailbox).expect("the mailbox");
    for line in ["From: suite-q7-4@movie.edu", "To: bob@movie.edu", "Delivered-To: alias-movie-bob@movie.edu"]
    {
        assert!(text.contains(&format!("\n{line}\n")), "{line} in {text}");
    }
}
