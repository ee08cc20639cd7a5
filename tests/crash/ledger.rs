//! What was sent and what the queue said of it, and the one invariant that every crash has to leave true.
//!
//! Each acknowledged message is, after recovery, delivered, bounced, or still in the queue; no mailbox shows half a
//! message; a recipient has at most one extra copy for each crash that hit its delivery.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// Lines in each message: enough for several pages, so that a torn one shows.
const LINES: usize = 200;

/// A message of the laboratory: its number makes its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number(pub usize);

impl Number {
    /// The whole text, which differs from that of every other number in each line.
    pub fn text(self) -> String {
        let lines: String = (0..LINES).map(|line| format!("{} {line}\n", self.0)).collect();
        format!("Subject: laboratory\n\nbegin {}\n{lines}end {}\n", self.0, self.0)
    }

    /// The number of the message that a delivered text (or a bounce, which ends with a copy) holds, if it is whole.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of(delivered: &str) -> Result<Number, String> {
        let broken = |what: &str| Err(format!("half a message ({what}): {:?}", shortened(delivered)));
        let Some((_, rest)) = delivered.split_once("\nbegin ") else { return broken("no beginning") };
        let Some(Ok(number)) = rest.lines().next().map(|word| word.parse().map(Number)) else {
            return broken("no number");
        };
        let text = number.text();
        let (_, body) = text.split_once("\n\n").unwrap_or_default();
        if delivered.ends_with(body) { Ok(number) } else { broken("not its text") }
    }
}

fn shortened(text: &str) -> String {
    let beginning: String = text.chars().take(200).collect();
    let skipped = text.chars().count().saturating_sub(300).max(200);
    let end: String = text.chars().skip(skipped).collect();
    format!("{beginning} ... {end}")
}

/// The messages of one experiment.
#[derive(Default)]
pub struct Ledger {
    entries: Mutex<BTreeMap<Number, Entry>>,
}

#[derive(Clone, Copy, Default)]
struct Entry {
    acknowledged: bool,
    /// Crashes or faults that may have hit a delivery of it.
    hits: usize,
}

impl Ledger {
    /// A new message.
    pub fn draw(&self) -> Number {
        let mut entries = self.entries.lock().expect("the ledger");
        let number = Number(entries.len());
        entries.insert(number, Entry::default());
        number
    }

    /// The queue has said that it has the message.
    pub fn acknowledge(&self, number: Number) {
        self.entry(number, |entry| entry.acknowledged = true);
    }

    /// A crash may have hit a delivery of this message.
    pub fn hit(&self, number: Number) {
        self.entry(number, |entry| entry.hits += 1);
    }

    /// A crash may have hit a delivery of any message.
    pub fn hit_all(&self) {
        self.entries.lock().expect("the ledger").values_mut().for_each(|entry| entry.hits += 1);
    }

    /// Messages that the queue has accepted.
    pub fn acknowledged(&self) -> BTreeSet<Number> {
        let entries = self.entries.lock().expect("the ledger");
        entries.iter().filter(|(_, entry)| entry.acknowledged).map(|(number, _)| *number).collect()
    }

    /// Messages whose sender was told nothing, or that they were not accepted.
    pub fn unacknowledged(&self) -> BTreeSet<Number> {
        let entries = self.entries.lock().expect("the ledger");
        entries.iter().filter(|(_, entry)| !entry.acknowledged).map(|(number, _)| *number).collect()
    }

    fn entry(&self, number: Number, change: impl FnOnce(&mut Entry)) {
        change(self.entries.lock().expect("the ledger").entry(number).or_default());
    }

    /// Holds one mailbox of a recovered system, whose queue has emptied itself, against the invariant. `wanted` are the
    /// messages that had a recipient there. What is wrong comes back, a sentence each.
    ///
    /// A sender that was told nothing, or that it failed, may send again: such a message may be there or not.
    pub fn judge(&self, mailbox: &str, texts: &[String], wanted: impl Fn(Number) -> bool) -> Verdict {
        let entries = self.entries.lock().expect("the ledger");
        let mut copies: BTreeMap<Number, usize> = BTreeMap::new();
        let mut verdict = Verdict::default();
        for text in texts {
            match Number::of(text) {
                Ok(number) => *copies.entry(number).or_default() += 1,
                Err(what) => verdict.wrong.push(format!("{mailbox}: {what}")),
            }
        }
        for (number, entry) in entries.iter().filter(|(number, _)| wanted(**number)) {
            let count = copies.remove(number).unwrap_or(0);
            if entry.acknowledged && count == 0 {
                verdict.wrong.push(format!("{mailbox}: message {} is lost", number.0));
            }
            verdict.extra_copies += count.saturating_sub(1);
            if count > 1 + entry.hits {
                verdict.wrong.push(format!(
                    "{mailbox}: message {} is there {count} times after {} crashes",
                    number.0, entry.hits
                ));
            }
        }
        verdict
            .wrong
            .extend(copies.keys().map(|number| format!("{mailbox}: message {} is a stranger", number.0)));
        verdict
    }
}

/// What a look at the mailboxes found.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Copies beyond the first, as far as they are allowed.
    pub extra_copies: usize,
    /// Where the invariant does not hold.
    pub wrong: Vec<String>,
}

impl Verdict {
    /// Both together.
    #[must_use]
    pub fn and(mut self, other: Verdict) -> Verdict {
        self.extra_copies += other.extra_copies;
        self.wrong.extend(other.wrong);
        self
    }
}

#[test]
fn a_lost_a_doubled_and_a_torn_message_are_found() {
    let ledger = Ledger::default();
    let (lost, doubled, refused) = (ledger.draw(), ledger.draw(), ledger.draw());
    ledger.acknowledge(lost);
    ledger.acknowledge(doubled);
    let doubled_text = format!("Received: x\n{}", doubled.text());
    let everybody = |_| true;
    let torn = refused.text().replace("\n2 100\n", "\n");
    let texts = [doubled_text.clone(), doubled_text.clone(), torn];
    let wrong = ledger.judge("joe", &texts, everybody).wrong;
    assert_eq!(wrong.len(), 3, "{wrong:?}");
    ledger.hit(doubled);
    let verdict = ledger.judge("joe", &[doubled_text.clone(), doubled_text, lost.text()], everybody);
    assert_eq!((verdict.extra_copies, verdict.wrong), (1, Vec::<String>::new()));
}
