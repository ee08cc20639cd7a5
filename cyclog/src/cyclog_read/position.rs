//! How far a log has been read, and what comes next. No I/O.
//!
//! A file of `cyclog` has its name from the start. One of `multilog` is called `current`, then perhaps `previous`,
//! and gets a name with a label when it is finished; a processor may put another file in its place. But each becomes
//! exactly one labelled file, in their order.

use crate::cyclog::LogName;
use crate::label;
use std::collections::VecDeque;

/// The place of a file with its final name among the others: the byte order of what follows is their age.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    second: i64,
    name: Vec<u8>,
}

impl Place {
    /// The place of a file of `cyclog` or `multilog`; every other name has none.
    pub fn of(name: &[u8]) -> Option<Place> {
        let second = match LogName::decode(name) {
            Some(log) => i64::try_from(log.second()).ok()?,
            None => {
                let (label, extension) = name.split_at_checked(label::LENGTH)?;
                let is_ours = extension.starts_with(b".") && extension.len() > 1;
                label::decode(label).filter(|_| is_ours)?.seconds
            }
        };
        Some(Place { second, name: name.to_vec() })
    }

    /// The name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }
}

/// What is in the directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Files with their final names, in order.
    pub placed: Vec<Place>,
    /// The inode of `previous`, if it is there.
    pub previous: Option<u64>,
    /// The inode of `current`, if it is there.
    pub current: Option<u64>,
}

/// What to read next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// A file with its final name.
    Placed(Place),
    /// The file `previous`.
    Previous,
    /// The file `current`.
    Current,
}

/// How far a log has been read.
#[derive(Default)]
pub struct Position {
    /// The last file with its final name.
    last: Option<Place>,
    /// Inodes of files that were read before they had one, oldest first.
    unplaced: VecDeque<u64>,
}

impl Position {
    /// What comes after what has been read.
    pub fn next(&mut self, listing: &Listing) -> Option<Next> {
        let read =
            listing.placed.partition_point(|place| self.last.as_ref().is_some_and(|last| place <= last));
        for place in listing.placed.iter().skip(read) {
            if self.unplaced.is_empty() {
                return Some(Next::Placed(place.clone()));
            }
            // It has been read under its earlier name.
            self.unplaced.pop_front();
            self.last = Some(place.clone());
        }
        let is_unread = |inode: &Option<u64>| inode.is_some_and(|inode| !self.unplaced.contains(&inode));
        if is_unread(&listing.previous) {
            Some(Next::Previous)
        } else if is_unread(&listing.current) {
            Some(Next::Current)
        } else {
            None
        }
    }

    /// Notes that a file is being read, which has this inode.
    pub fn take(&mut self, next: Next, inode: u64) {
        match next {
            Next::Placed(place) => self.last = Some(place),
            Next::Previous | Next::Current => self.unplaced.push_back(inode),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(names: &[&str], previous: Option<u64>, current: Option<u64>) -> Listing {
        let mut placed: Vec<Place> = names.iter().filter_map(|name| Place::of(name.as_bytes())).collect();
        placed.sort();
        Listing { placed, previous, current }
    }

    /// Reads all that there is; files with their final names are told by them, others by their inodes.
    fn read(position: &mut Position, listing: &Listing) -> Vec<String> {
        let mut seen = Vec::new();
        while let Some(next) = position.next(listing) {
            let (what, inode) = match &next {
                Next::Placed(place) => (String::from_utf8(place.name().to_vec()).unwrap(), 0),
                Next::Previous => ("previous".to_owned(), listing.previous.unwrap()),
                Next::Current => ("current".to_owned(), listing.current.unwrap()),
            };
            seen.push(what);
            position.take(next, inode);
        }
        seen
    }

    const ONE: &str = "@4000000037c219bf2ef02e94.s";
    const TWO: &str = "@4000000037c219bf2ef02e95.u";
    const THREE: &str = "@4000000037c219c00ef02e94.s";

    #[test]
    fn files_come_in_the_order_of_their_age_and_others_not_at_all() {
        let names = ["@00001795349785.000001", "@00001795349785", "@00000000000007", "@foo", "lock", "@7"];
        let cyclog = listing(&names, None, None);
        let expected = ["@00000000000007", "@00001795349785", "@00001795349785.000001"];
        assert_eq!(read(&mut Position::default(), &cyclog), expected);
        let multilog = listing(&[TWO, THREE, ONE, "state"], Some(7), Some(8));
        assert_eq!(read(&mut Position::default(), &multilog), [ONE, TWO, THREE, "previous", "current"]);
    }

    #[test]
    fn a_file_that_got_its_final_name_after_it_was_read_is_not_read_again() {
        let mut position = Position::default();
        assert_eq!(read(&mut position, &listing(&[ONE], None, Some(8))), [ONE, "current"]);
        // It is processed while the next one is written.
        assert_eq!(read(&mut position, &listing(&[ONE], Some(8), Some(9))), ["current"]);
        assert!(read(&mut position, &listing(&[ONE, TWO], None, Some(9))).is_empty());
        // Several files were finished meanwhile.
        let later = listing(&[TWO, THREE, "@4000000037c219c10ef02e94.s"], None, Some(11));
        assert_eq!(read(&mut position, &later), ["@4000000037c219c10ef02e94.s", "current"]);
    }

    #[test]
    fn files_that_were_removed_before_they_were_read_are_passed_over() {
        let mut position = Position::default();
        assert_eq!(read(&mut position, &listing(&["@00000000000007"], None, None)).len(), 1);
        assert_eq!(read(&mut position, &listing(&["@00000000000009"], None, None)), ["@00000000000009"]);
        assert!(read(&mut position, &listing(&[], None, None)).is_empty());
    }
}
