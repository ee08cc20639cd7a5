//! A message in each state that it can be in, at the same time, and where each of them has to be in the end.

use super::super::ledger::{Number, Verdict};
use super::half_sent::HalfSent;
use super::laboratory::{Laboratory, sender};
use super::wall_clock::move_file;
use harness::{HOST, messages, wait_until};
use std::fs;
use std::path::PathBuf;

/// A message that failed for now is tried again at this age, in seconds; here it is three seconds younger.
const FIRST_RETRY: i64 = 100;

/// The messages.
#[derive(Clone, Copy, Debug)]
pub struct Messages {
    /// S5, to be tried again in a moment.
    pub waiting: Number,
    /// The same, and it will fail again.
    pub stubborn: Number,
    /// S5, with a record of one recipient's failure, waiting for the other.
    pub with_bounce: Number,
    /// Being delivered.
    pub local: Number,
    /// Being delivered to a host that does not say a word yet.
    pub remote: Number,
    /// S2 and S3: being received.
    pub half_sent: [Number; 2],
    /// S4, once it is sent.
    pub queued: Number,
}

impl Messages {
    /// Brings all but the last into their states, while the queue manager runs.
    pub fn begin(laboratory: &mut Laboratory) -> (Messages, [HalfSent; 2]) {
        let [waiting, stubborn, with_bounce] = put_off(laboratory);
        laboratory.next_host.be_silent(true);
        let [local, remote, queued] = [(); 3].map(|()| laboratory.ledger.draw());
        send(laboratory, local, &["blocked"]);
        send(laboratory, remote, &["somebody@far.example"]);
        wait_until("two deliveries", || {
            let running = laboratory.instance.processes();
            ["qmail-local", "qmail-remote"].iter().all(|agent| running.iter().any(|(_, name)| name == agent))
        });
        let receiving = [HalfSent::new(laboratory, false), HalfSent::new(laboratory, true)];
        let half_sent = [receiving[0].number, receiving[1].number];
        (Messages { waiting, stubborn, with_bounce, local, remote, half_sent, queued }, receiving)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        // The stubborn one and the remote one.
        self.for_joe().len() + 2
    }

    /// Those that come to joe, and nowhere else, without anybody's help.
    pub fn for_joe(&self) -> [Number; 6] {
        let [half, whole] = self.half_sent;
        [self.waiting, self.with_bounce, self.local, self.queued, half, whole]
    }

    /// Holds all mailboxes against the ledger.
    pub fn judge(&self, laboratory: &Laboratory) -> Verdict {
        let in_maildir = |name: &str| messages(&laboratory.instance.path("alias").join(name));
        let is_stubborn = |text: &String| Number::of(text) == Ok(self.stubborn);
        // The stubborn one is delivered or bounced; all others have one place where they have to be.
        let (bounced, bounces): (Vec<_>, Vec<_>) = in_maildir("bounces").into_iter().partition(is_stubborn);
        let (delivered, others): (Vec<_>, Vec<_>) = in_maildir("joe").into_iter().partition(is_stubborn);
        let (ledger, far) = (&laboratory.ledger, laboratory.next_host.texts());
        ledger
            .judge("joe", &others, |number| self.for_joe().contains(&number))
            .and(
                ledger.judge("joe or bounced", &[bounced, delivered].concat(), |number| {
                    number == self.stubborn
                }),
            )
            .and(ledger.judge("bounces", &bounces, |number| number == self.with_bounce))
            .and(ledger.judge("far", &far, |number| number == self.remote))
    }
}

/// Three messages whose first attempt has failed for now, and which are due again in three seconds.
fn put_off(laboratory: &mut Laboratory) -> [Number; 3] {
    let [waiting, stubborn, with_bounce] = [(); 3].map(|()| laboratory.ledger.draw());
    send(laboratory, waiting, &["later"]);
    send(laboratory, stubborn, &["never"]);
    send(laboratory, with_bounce, &["later", "gone"]);
    laboratory.start_well();
    wait_until("three deferrals and a failure", || {
        let log = laboratory.instance.log();
        log.matches(": deferral: ").count() == 3 && log.contains(": failure: ")
    });
    laboratory.stop().expect("an end");
    for name in laboratory.instance.queue() {
        if name.starts_with("info/") || name.starts_with("local/") {
            move_file(&laboratory.instance.path("queue").join(name), 3 - FIRST_RETRY);
        }
    }
    laboratory.start_well();
    [waiting, stubborn, with_bounce]
}

/// Queues a message for these recipients, of this host where they name no other.
pub fn send(laboratory: &Laboratory, number: Number, recipients: &[&str]) {
    let address =
        |name: &&str| if name.contains('@') { (*name).to_owned() } else { format!("{name}@{HOST}") };
    let addresses: String = recipients.iter().map(|name| format!("T{}\0", address(name))).collect();
    let envelope = format!("F{}\0{addresses}\0", sender());
    let mut command = laboratory.command(&[laboratory.program("qmail-queue")]);
    let status = laboratory.instance.run_queue(&mut command, number.text().as_bytes(), envelope.as_bytes());
    assert_eq!(status, 0);
    laboratory.ledger.acknowledge(number);
}

/// Whether a mailbox has this message, or a bounce of it.
pub fn is_in(laboratory: &Laboratory, mailbox: &str, number: Number) -> bool {
    let texts = messages(&laboratory.instance.path("alias").join(mailbox));
    texts.iter().any(|text| Number::of(text) == Ok(number))
}

/// Files that let deliveries succeed once they are there.
pub struct Gates {
    first: PathBuf,
    second: PathBuf,
}

impl Gates {
    /// Recipients: `later` and `blocked`, for whom the first gate has to be open, and `never`, for whom the second.
    pub fn new(laboratory: &Laboratory) -> Gates {
        let instance = &laboratory.instance;
        let gates = Gates { first: instance.beside("first"), second: instance.beside("second") };
        let (first, second) = (gates.first.display(), gates.second.display());
        instance.alias("later", &format!("|test -f {first} || exit 111\n./joe/\n"));
        instance.alias("never", &format!("|test -f {second} || exit 111\n./joe/\n"));
        instance.alias("blocked", &format!("|until test -f {first}; do sleep 0.05; done\n./joe/\n"));
        gates
    }

    pub fn open_first(&self) {
        fs::write(&self.first, "").expect("a gate");
    }

    pub fn open_second(&self) {
        fs::write(&self.second, "").expect("a gate");
    }
}
