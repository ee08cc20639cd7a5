//! Which message is due next.

use crate::queue::layout::MessageNumber;
use std::collections::{BTreeSet, HashMap};

/// Messages by due time, the earliest first; each is there at most once. Times are seconds of the steady clock.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    queue: BTreeSet<(i64, MessageNumber)>,
    /// When each message is due: its place in the queue.
    due: HashMap<MessageNumber, i64>,
}

impl Schedule {
    /// Enters a message. One that waits already keeps the earlier time.
    pub fn push(&mut self, due: i64, message: MessageNumber) {
        let earlier = self.due.get(&message).map_or(due, |old| due.min(*old));
        self.remove(message);
        self.due.insert(message, earlier);
        self.queue.insert((earlier, message));
    }

    /// Takes out the message that was due first, if one is due.
    pub fn pop_due(&mut self, now: i64) -> Option<MessageNumber> {
        let (_, message) = self.queue.first().copied().filter(|(due, _)| *due <= now)?;
        self.remove(message);
        Some(message)
    }

    /// Takes out a message; whether it was there.
    pub fn remove(&mut self, message: MessageNumber) -> bool {
        self.due.remove(&message).is_some_and(|due| self.queue.remove(&(due, message)))
    }

    /// When the first message is due.
    pub fn next_due(&self) -> Option<i64> {
        self.queue.first().map(|(due, _)| *due)
    }

    /// Makes a message due now; whether it was there.
    pub fn make_due(&mut self, now: i64, message: MessageNumber) -> bool {
        let waits = self.due.contains_key(&message);
        if waits {
            self.push(now, message);
        }
        waits
    }

    /// Makes all messages due now, as SIGALRM asks.
    pub fn make_all_due(&mut self, now: i64) {
        let late: Vec<MessageNumber> = self
            .queue
            .range((now.saturating_add(1), MessageNumber(0))..)
            .map(|(_, message)| *message)
            .collect();
        for message in late {
            self.push(now, message);
        }
    }

    /// All messages with their due times, the earliest first.
    pub fn entries(&self) -> impl Iterator<Item = (i64, MessageNumber)> {
        self.queue.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_none_before_its_time() {
        let mut schedule = Schedule::default();
        schedule.push(30, MessageNumber(1));
        schedule.push(10, MessageNumber(2));
        assert_eq!(schedule.pop_due(9), None);
        assert_eq!(schedule.pop_due(10), Some(MessageNumber(2)));
        assert_eq!(schedule.pop_due(10), None);
        schedule.make_all_due(12);
        assert_eq!(schedule.next_due(), Some(12));
        assert_eq!(schedule.pop_due(12), Some(MessageNumber(1)));
    }

    #[test]
    fn a_message_is_there_once_at_its_earlier_time() {
        let mut schedule = Schedule::default();
        schedule.push(30, MessageNumber(1));
        schedule.push(50, MessageNumber(1));
        schedule.push(20, MessageNumber(1));
        assert_eq!(schedule.entries().collect::<Vec<_>>(), [(20, MessageNumber(1))]);
        assert!(schedule.make_due(5, MessageNumber(1)));
        assert_eq!(schedule.pop_due(5), Some(MessageNumber(1)));
        assert!(!schedule.make_due(5, MessageNumber(1)));
        schedule.push(30, MessageNumber(2));
        assert!(schedule.remove(MessageNumber(2)));
        assert_eq!(schedule.next_due(), None);
    }
}
