//! 7.4: a network: the host that knows all users gets the mail for the network's name and forwards each one's mail to the host
//! where it ends, and all of them write the network's name into addresses.

use crate::network::Network;
use harness::OrdinaryUser;

const MAILHOST: &str = "mailhost.movie.edu";
const BOB: &str = "suite-q7-4-bob";
const ALICE: &str = "suite-q7-4-alice";

#[test]
fn mail_for_the_network_ends_at_the_users_host() {
    let Some(mut network) = Network::new() else { return };
    // The second, third, fourth and fifth step: names in DNS, and qmail on each host.
    let (Some(mailhost), Some(bobshost), Some(aliceshost)) =
        (network.host(MAILHOST), network.host("bobshost.movie.edu"), network.host("aliceshost.movie.edu"))
    else {
        return;
    };
    mailhost.types("echo movie.edu:alias-movie >> /var/qmail/control/virtualdomains");
    for (user, host) in [(BOB, "bobshost"), (ALICE, "aliceshost")] {
        mailhost.types(&format!("echo {user}@{host}.movie.edu > /var/qmail/alias/.qmail-movie-{user}"));
    }
    // The sixth, seventh and eighth.
    mailhost.types("echo movie.edu >> /var/qmail/control/rcpthosts");
    network.exchanger("movie.edu", MAILHOST);
    for site in [&mailhost, &bobshost, &aliceshost] {
        site.types("echo movie.edu > /var/qmail/control/defaulthost");
        site.serves_smtp_as_a_host("-v");
        site.boots();
    }
    let (bob, alice) = (bobshost.user(BOB), aliceshost.user(ALICE));

    // Bob writes to Alice by her short name, and to himself; she answers the address that she sees.
    let inject = bob.call(&bobshost.path("/var/qmail/bin/qmail-inject"));
    let outcome = inject.input(format!("To: {ALICE}, {BOB}\nSubject: question\n\n")).run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    let question = wait_for_mail(&alice, "question");
    for line in [
        format!("From: {BOB}@movie.edu"),
        format!("To: {ALICE}@movie.edu, {BOB}@movie.edu"),
        format!("Delivered-To: {ALICE}@aliceshost.movie.edu"),
        format!("Delivered-To: alias-movie-{ALICE}@movie.edu"),
    ] {
        assert!(question.contains(&format!("\n{line}\n")), "{line} in {question}");
    }
    for hop in ["from mailhost.movie.edu (10.9.0.2)", "from bobshost.movie.edu (10.9.0.3)"] {
        assert!(question.contains(hop), "{hop} in {question}");
    }
    wait_for_mail(&bob, "question");

    let inject = alice.call(&aliceshost.path("/var/qmail/bin/qmail-inject"));
    let outcome = inject.input(format!("To: {BOB}@movie.edu\nSubject: answer\n\n")).run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    let answer = wait_for_mail(&bob, "answer");
    assert!(answer.contains(&format!("\nReturn-Path: <{ALICE}@movie.edu>\n")), "{answer}");
}

/// The message in the user's mailbox, once it is there.
fn wait_for_mail(user: &OrdinaryUser, subject: &str) -> String {
    let mailbox = || std::fs::read_to_string(user.home.join("Mailbox")).unwrap_or_default();
    harness::wait_until(subject, || mailbox().contains(&format!("\nSubject: {subject}\n")));
    mailbox()
}
