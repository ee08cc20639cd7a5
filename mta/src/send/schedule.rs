//! Which message is due next.

use crate::queue::layout::MessageNumber;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Messages by due time, the earliest first. Times are seconds of the steady clock.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    heap: BinaryHeap<Reverse<(i64, MessageNumber)>>,
}

impl Schedule {
    /// Enters a message.
    pub fn push(&mut self, due: i64, message: MessageNumber) {
        self.heap.push(Reverse((due, message)));
    }

    /// Takes out the message that was due first, if one is due.
    pub fn pop_due(&mut self, now: i64) -> Option<MessageNumber> {
        let Reverse((due, message)) = *self.heap.peek()?;
        if due > now {
            return None;
        }
        self.heap.pop();
        Some(message)
    }

    /// When the first message is due.
    pub fn next_due(&self) -> Option<i64> {
        self.heap.peek().map(|Reverse((due, _))| *due)
    }

    /// Makes all messages due now, as SIGALRM asks.
    pub fn make_all_due(&mut self, now: i64) {
        let entries = std::mem::take(&mut self.heap);
        self.heap =
            entries.into_iter().map(|Reverse((due, message))| Reverse((due.min(now), message))).collect();
    }

    /// All messages with their due times, in no order.
    pub fn entries(&self) -> impl Iterator<Item = (i64, MessageNumber)> {
        self.heap.iter().map(|Reverse(entry)| *entry)
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
}
