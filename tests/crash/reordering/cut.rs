//! What a disk holds that lost power: all that was flushed, and of the writes after that any part, in any order.

use super::recorder::Event;
use crate::ledger::Number;
use harness::Random;
use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Disks write sectors of this size whole, or not at all.
const SECTOR: usize = 512;
/// File systems think in these.
const PAGE: usize = 4096;
/// The superblock of ext4, in bytes from the beginning of the disk. It lies in two sectors, with a checksum, and is read before the
/// journal is: ext4 takes it for granted that they are written together.
const SUPERBLOCK: Range<u64> = 1024..2048;

/// Which of the writes since the last flush the disk has kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// None of them.
    None,
    /// All of them.
    All,
    /// All but one.
    AllButOne,
    /// One alone.
    OnlyOne,
    /// Some of them, each whole.
    Writes,
    /// Some pages of them.
    Pages,
    /// Some sectors of them.
    Sectors,
}

impl Manner {
    /// Each of them; those with more than one outcome more often.
    const DRAWN: [Manner; 12] = [
        Manner::None,
        Manner::All,
        Manner::AllButOne,
        Manner::AllButOne,
        Manner::OnlyOne,
        Manner::OnlyOne,
        Manner::Writes,
        Manner::Writes,
        Manner::Writes,
        Manner::Pages,
        Manner::Pages,
        Manner::Sectors,
    ];
}

/// A moment in a log, and what the disk has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cut {
    /// Events before it have happened.
    at: usize,
    /// Events before it are on the disk.
    flushed: usize,
    /// Of the writes in between, these: the event, and which of its bytes.
    kept: Vec<(usize, usize, usize)>,
    manner: &'static str,
}

impl fmt::Display for Cut {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let Cut { at, flushed, kept, manner } = self;
        write!(formatter, "cut at {at}, flushed to {flushed}, of the rest {manner}: {} pieces", kept.len())
    }
}

impl Cut {
    /// So many different ones, by the time of the cut: among them those behind each acknowledgement. There are fewer if
    /// the log has no more.
    pub fn draw(events: &[Event], count: usize, random: &mut Random) -> Vec<Cut> {
        let mut cuts: BTreeSet<Cut> = Cut::behind_acknowledgements(events, random).into_iter().collect();
        for _ in 0..count * 4 {
            if cuts.len() >= count {
                break;
            }
            let at = 1 + random.below(events.len());
            let manner = *random.one_of(&Manner::DRAWN);
            cuts.insert(Cut::at(events, at, manner, random));
        }
        cuts.into_iter().collect()
    }

    /// The moments just behind each acknowledgement, on a disk that has nothing that it need not have.
    pub fn behind_acknowledgements(events: &[Event], random: &mut Random) -> Vec<Cut> {
        let is_acknowledgement = |place: &usize| matches!(events[*place], Event::Acknowledged(_));
        let places = (0..events.len()).filter(is_acknowledgement);
        places.map(|place| Cut::at(events, place + 1, Manner::None, random)).collect()
    }

    /// One in this manner.
    pub fn at(events: &[Event], at: usize, manner: Manner, random: &mut Random) -> Cut {
        let flushed =
            events[..at].iter().rposition(|event| *event == Event::Flush).map_or(0, |place| place + 1);
        let writes: Vec<(usize, usize)> = (flushed..at).filter_map(|place| length(events, place)).collect();
        let the_one = random.below(writes.len());
        let whole = |place: usize, length: usize| vec![(place, 0, length)];
        let mut kept = Vec::new();
        for (order, (place, length)) in writes.into_iter().enumerate() {
            kept.extend(match manner {
                Manner::None => Vec::new(),
                Manner::All => whole(place, length),
                Manner::AllButOne if order == the_one => Vec::new(),
                Manner::AllButOne => whole(place, length),
                Manner::OnlyOne if order == the_one => whole(place, length),
                Manner::OnlyOne => Vec::new(),
                Manner::Writes if random.below(2) == 0 => whole(place, length),
                Manner::Writes => Vec::new(),
                Manner::Sectors if !has_superblock(&events[place]) => some(place, length, SECTOR, random),
                Manner::Pages | Manner::Sectors => some(place, length, PAGE, random),
            });
        }
        Cut { at, flushed, kept, manner: manner.name() }
    }

    /// The messages that had been acknowledged.
    pub fn acknowledged<'a>(&self, events: &'a [Event]) -> impl Iterator<Item = Number> + 'a {
        events[..self.at].iter().filter_map(|event| match event {
            Event::Acknowledged(number) => Some(*number),
            Event::Write { .. } | Event::Flush => None,
        })
    }

    /// What of the log is on the disk in any case.
    pub fn flushed(&self) -> usize {
        self.flushed
    }

    /// Puts the kept writes on a disk that has what was flushed.
    pub fn complete(&self, events: &[Event], disk: &Path) {
        let disk = File::options().write(true).open(disk).expect("an image");
        for (place, start, end) in &self.kept {
            write(&disk, &events[*place], *start..*end);
        }
    }
}

impl Manner {
    fn name(self) -> &'static str {
        match self {
            Manner::None => "none",
            Manner::All => "all",
            Manner::AllButOne => "all but one",
            Manner::OnlyOne => "one",
            Manner::Writes => "some writes",
            Manner::Pages => "some pages",
            Manner::Sectors => "some sectors",
        }
    }
}

/// Puts whole events on a disk.
pub fn apply(events: &[Event], range: Range<usize>, disk: &Path) {
    let disk = File::options().write(true).open(disk).expect("an image");
    for place in range {
        if let Some((_, length)) = length(events, place) {
            write(&disk, &events[place], 0..length);
        }
    }
}

fn length(events: &[Event], place: usize) -> Option<(usize, usize)> {
    match &events[place] {
        Event::Write { data, .. } => Some((place, data.len())),
        Event::Flush | Event::Acknowledged(_) => None,
    }
}

fn has_superblock(event: &Event) -> bool {
    matches!(event, Event::Write { offset, data }
        if *offset < SUPERBLOCK.end && SUPERBLOCK.start < offset + u64::try_from(data.len()).expect("a small write"))
}

fn write(disk: &File, event: &Event, bytes: Range<usize>) {
    if let Event::Write { offset, data } = event {
        let start = offset + u64::try_from(bytes.start).expect("a small write");
        disk.write_all_at(&data[bytes], start).expect("a write to the image");
    }
}

/// Each piece of a write with even chances. Neighbours are one.
fn some(place: usize, length: usize, size: usize, random: &mut Random) -> Vec<(usize, usize, usize)> {
    let mut pieces: Vec<(usize, usize, usize)> = Vec::new();
    for start in (0..length).step_by(size).filter(|_| random.below(2) == 0) {
        let end = length.min(start + size);
        match pieces.last_mut() {
            Some((_, _, last)) if *last == start => *last = end,
            _ => pieces.push((place, start, end)),
        }
    }
    pieces
}

#[test]
fn a_superblock_is_kept_whole_or_not_at_all() {
    let write = |offset, length| Event::Write { offset, data: vec![1; length] };
    let events = [write(0, PAGE), write(1024, 1024), write(4096, PAGE)];
    let mut random = Random::new(0);
    let kept: Vec<_> =
        (0..100).flat_map(|_| Cut::at(&events, 3, Manner::Sectors, &mut random).kept).collect();
    assert!(kept.iter().all(|piece| matches!(piece, (0, 0, PAGE) | (1, 0, 1024) | (2, ..))), "{kept:?}");
    assert!(kept.iter().any(|(place, ..)| *place == 0) && kept.iter().any(|(_, start, _)| *start > 0));
}

#[test]
fn what_was_flushed_is_kept_and_of_the_rest_what_was_drawn() {
    let write = |offset, byte| Event::Write { offset, data: vec![byte; 1024] };
    let events = [write(0, 1), Event::Flush, write(1024, 2), Event::Acknowledged(Number(0)), write(2048, 3)];
    let mut random = Random::new(0);
    let mut kept = |at, manner| {
        let cut = Cut::at(&events, at, manner, &mut random);
        (cut.flushed, cut.kept.clone(), cut.acknowledged(&events).count())
    };
    assert_eq!(kept(5, Manner::None), (2, vec![], 1));
    assert_eq!(kept(3, Manner::All), (2, vec![(2, 0, 1024)], 0));
    assert_eq!(kept(5, Manner::All), (2, vec![(2, 0, 1024), (4, 0, 1024)], 1));
    assert_eq!(kept(1, Manner::All), (0, vec![(0, 0, 1024)], 0));
    assert_eq!(kept(5, Manner::OnlyOne).1.len(), 1);
    assert_eq!(kept(5, Manner::AllButOne).1.len(), 1);
    let drawn = Cut::draw(&events, 20, &mut random);
    assert!(drawn.is_sorted() && drawn.len() > 8, "{drawn:?}");
}
