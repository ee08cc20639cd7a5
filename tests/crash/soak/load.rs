//! Mail for the suite, as long as something else goes on: two clients by SMTP and one that injects.

use super::super::ledger::{Ledger, Number, Verdict};
use super::super::mbox::Mbox;
use super::super::smtp_session::{self, Answer};
use super::suite::{Suite, recipients, sender};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What each client waits after a message: the suite has other work than to receive.
const PAUSE: Duration = Duration::from_millis(100);

/// The clients and what they were told.
pub struct Load<'a> {
    suite: &'a Suite,
    ledger: &'a Ledger,
}

impl<'a> Load<'a> {
    /// No client sends yet.
    pub fn new(suite: &'a Suite, ledger: &'a Ledger) -> Load<'a> {
        Load { suite, ledger }
    }

    /// Sends mail from several clients until the work is done.
    pub fn run_while<T>(&self, work: impl FnOnce() -> T) -> T {
        let goes_on = AtomicBool::new(true);
        std::thread::scope(|scope| {
            for client in [Load::by_smtp, Load::by_smtp, Load::by_inject] {
                let goes_on = &goes_on;
                scope.spawn(move || {
                    while goes_on.load(Ordering::Relaxed) {
                        let number = self.ledger.draw();
                        if client(self, number) {
                            self.ledger.acknowledge(number);
                        }
                        std::thread::sleep(PAUSE);
                    }
                });
            }
            // Also if the work panics, or the clients would be waited for for ever.
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            goes_on.store(false, Ordering::Relaxed);
            done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Whether the server said that it has the message.
    fn by_smtp(&self, number: Number) -> bool {
        let session = smtp_session::session(&[number], &sender(), &recipients());
        let mut replies = Vec::new();
        let talked = TcpStream::connect(("127.0.0.1", self.suite.port)).and_then(|mut stream| {
            stream.set_read_timeout(Some(Duration::from_secs(30)))?;
            stream.write_all(session.as_bytes())?;
            stream.read_to_end(&mut replies)
        });
        // A reply that came before the connection broke is a reply.
        let _ = talked;
        let replies = String::from_utf8_lossy(&replies);
        smtp_session::answer(&replies, &recipients()) == Answer::Accepted
    }

    /// Whether qmail-inject said that the message is queued.
    fn by_inject(&self, number: Number) -> bool {
        let call = self.suite.inject().arg(format!("-f{}", sender())).args(recipients());
        call.input(number.text()).run().code == 0
    }

    /// Holds the four ends of every message against the ledger. In an mbox, unlike in a maildir, each qmail-local that was
    /// killed may leave a part of a message.
    pub fn judge(&self, killed_deliveries: usize) -> Verdict {
        let everybody = |_: Number| true;
        let in_maildir = |name: &str| harness::messages(&self.suite.path("alias").join(name));
        let mbox = Mbox::read(&self.suite.path("alias/box"));
        let mut verdict = self.ledger.judge("box", &mbox.whole, everybody);
        for name in ["joe", "bounces"] {
            verdict = verdict.and(self.ledger.judge(name, &in_maildir(name), everybody));
        }
        verdict = verdict.and(self.ledger.judge("far", &self.suite.next_host.texts(), everybody));
        if mbox.torn.len() > killed_deliveries {
            let (torn, kills) = (mbox.torn.len(), killed_deliveries);
            verdict.wrong.push(format!("box: {torn} parts of messages after {kills} killed deliveries"));
        }
        verdict
    }
}
