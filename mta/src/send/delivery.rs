//! Attempts that are under way: one slot for each, and what its report means.

use crate::queue::layout::MessageNumber;

/// The number of an attempt, counted from the start of qmail-send.
pub type DeliveryNumber = u64;

/// One attempt for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its number, for the log.
    pub number: DeliveryNumber,
    /// The message.
    pub message: MessageNumber,
    /// The recipient, as rewritten.
    pub recipient: Vec<u8>,
    /// Where the recipient's record begins in the channel file.
    pub offset: u64,
}

/// The slots of a channel. The spawner knows a delivery by its slot alone.
#[derive(Debug)]
pub struct Slots {
    slots: Vec<Option<Delivery>>,
}

impl Slots {
    /// So many slots, all free.
    pub fn new(count: usize) -> Slots {
        Slots { slots: vec![None; count] }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.slots.len()
    }

    /// How many deliveries are under way.
    pub fn running(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    /// The lowest free slot.
    pub fn free(&self) -> Option<u16> {
        self.slots.iter().position(Option::is_none).and_then(|slot| u16::try_from(slot).ok())
    }

    /// Takes a free slot.
    pub fn occupy(&mut self, slot: u16, delivery: Delivery) {
        if let Some(place) = self.slots.get_mut(usize::from(slot)) {
            *place = Some(delivery);
        }
    }

    /// Frees a slot; nothing if no delivery is in it.
    pub fn release(&mut self, slot: u16) -> Option<Delivery> {
        self.slots.get_mut(usize::from(slot)).and_then(Option::take)
    }
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// K: delivered.
    Success(Vec<u8>),
    /// Z: not now.
    Temporary(Vec<u8>),
    /// D: never.
    Permanent(Vec<u8>),
    /// The report is none.
    Mangled,
}

/// Added to a temporary failure that is the last one.
const GIVING_UP: &[u8] = b"I'm not going to try again; this message has been in the queue too long.\n";

impl Verdict {
    /// Reads a report. In a message that is dying a temporary failure becomes permanent.
    pub fn decode(report: &[u8], dying: bool) -> Verdict {
        match report.split_first() {
            Some((b'K', text)) => Verdict::Success(text.to_vec()),
            Some((b'Z', text)) if dying => Verdict::Permanent([text, GIVING_UP].concat()),
            Some((b'Z', text)) => Verdict::Temporary(text.to_vec()),
            Some((b'D', text)) => Verdict::Permanent(text.to_vec()),
            _ => Verdict::Mangled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_read_from_their_letters() {
        assert_eq!(Verdict::decode(b"Kok\n", false), Verdict::Success(b"ok\n".to_vec()));
        assert_eq!(Verdict::decode(b"Zbusy\n", false), Verdict::Temporary(b"busy\n".to_vec()));
        assert_eq!(Verdict::decode(b"Dno\n", true), Verdict::Permanent(b"no\n".to_vec()));
        assert_eq!(Verdict::decode(b"", true), Verdict::Mangled);
        assert_eq!(Verdict::decode(b"xyz", false), Verdict::Mangled);
        let Verdict::Permanent(text) = Verdict::decode(b"Zbusy\n", true) else {
            panic!("a dying message is given up")
        };
        assert!(text.starts_with(b"busy\nI'm not going to try again;"));
    }

    #[test]
    fn the_lowest_free_slot_is_taken_and_an_idle_one_has_no_delivery() {
        let delivery =
            |number| Delivery { number, message: MessageNumber(1), recipient: Vec::new(), offset: 0 };
        let mut slots = Slots::new(2);
        slots.occupy(0, delivery(1));
        assert_eq!(slots.free(), Some(1));
        slots.occupy(1, delivery(2));
        assert_eq!((slots.free(), slots.running()), (None, 2));
        assert_eq!(slots.release(0).map(|delivery| delivery.number), Some(1));
        assert_eq!(slots.release(0), None);
        assert_eq!(slots.release(200), None);
        assert_eq!(slots.free(), Some(0));
    }
}
