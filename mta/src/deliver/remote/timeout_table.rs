//! Hosts that timed out lately: `queue/lock/tcpto`, 64 records of 16 bytes that all deliveries share.
//!
//! | bytes | contents |
//! |---|---|
//! | 0–3 | IPv4 address |
//! | 4 | time-outs in a row, 10 at most; 0 marks a free record |
//! | 5–7 | zero |
//! | 8–11 | time of the last one, seconds since 1970, little-endian |
//! | 12–15 | zero |
//!
//! A host that timed out twice is passed over for an hour or so. The table saves time and decides nothing
//! else: whatever is wrong with it, it counts as empty. A record has no room for an IPv6 address, and one in
//! several records would look like other hosts to a program that knows only this format; so those stay out.

use std::fs::{File, OpenOptions};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use unix::{file, lock};

/// The file with the table.
#[derive(Clone, Debug)]
pub struct TimeoutTable {
    path: PathBuf,
}

/// What the table says about a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Unknown,
    /// It timed out, but may be tried.
    Suspect,
    /// It should be passed over.
    Avoided,
}

impl TimeoutTable {
    /// The table in a file.
    pub fn at(path: PathBuf) -> TimeoutTable {
        TimeoutTable { path }
    }

    /// What the table says about a host. `spread` (the process number) makes deliveries that wait for the same
    /// host try again at different times.
    pub fn standing(&self, host: IpAddr, now: u64, spread: u32) -> Standing {
        let IpAddr::V4(address) = host else { return Standing::Unknown };
        let Some((_locked, records)) = open(&self.path) else { return Standing::Unknown };
        standing(&records, address, now, spread)
    }

    /// Notes that a connection to a host timed out.
    pub fn note_timeout(&self, host: IpAddr, now: u64) {
        let IpAddr::V4(address) = host else { return };
        let Some((locked, records)) = open(&self.path) else { return };
        if let Some((place, record)) = after_timeout(&records, address, now) {
            write(&locked, place, record);
        }
    }

    /// Notes that a host that was [suspect](Standing::Suspect) accepted a connection.
    pub fn note_success(&self, host: IpAddr) {
        let IpAddr::V4(address) = host else { return };
        let Some((locked, records)) = open(&self.path) else { return };
        for (place, record) in records.iter().enumerate().filter(|(_, record)| record.address == address) {
            write(&locked, place, Record { count: 0, ..*record });
        }
    }
}

/// What went wrong with the table, for the programs that show and clear it.
#[derive(Debug)]
pub struct TableTrouble {
    /// What could not be done: `chdir`, `open`, `lock`, `read`, `write`, `clear`.
    pub what: &'static str,
    /// Why.
    pub error: io::Error,
}

impl TimeoutTable {
    /// The records of hosts that timed out, in the order of the file. One that is shorter than it should be has
    /// no more.
    ///
    /// # Errors
    /// Its directory could not be entered; it could not be opened, locked or read.
    pub fn records(&self) -> Result<Vec<Record>, TableTrouble> {
        self.enter_directory()?;
        let file = file::open_read(&self.path).map_err(trouble("open"))?;
        lock::exclusive(&file).map_err(trouble("lock"))?;
        let records = read(&file).map_err(trouble("read"))?;
        Ok(records.into_iter().filter(|record| record.count > 0).collect())
    }

    /// Forgets all hosts.
    ///
    /// # Errors
    /// Its directory could not be entered; it could not be opened, locked or written.
    pub fn clear(&self) -> Result<(), TableTrouble> {
        self.enter_directory()?;
        let file = file::open_write(&self.path).map_err(trouble("write"))?;
        lock::exclusive(&file).map_err(trouble("lock"))?;
        file.write_all_at(&[0; RECORDS * RECORD_LENGTH], 0).map_err(trouble("clear"))
    }

    /// The directory that the table is in.
    pub fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// A queue that somebody may not look into is told from a table that is not there.
    fn enter_directory(&self) -> Result<(), TableTrouble> {
        std::env::set_current_dir(self.directory()).map_err(trouble("chdir"))
    }
}

fn trouble(what: &'static str) -> impl Fn(io::Error) -> TableTrouble {
    move |error| TableTrouble { what, error }
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Who timed out.
    pub address: Ipv4Addr,
    /// How often in a row.
    pub count: u8,
    /// When the last time, in seconds since 1970.
    pub time: u32,
}

impl Record {
    fn decode(bytes: [u8; RECORD_LENGTH]) -> Record {
        let [a, b, c, d, count, _, _, _, t0, t1, t2, t3, ..] = bytes;
        Record { address: Ipv4Addr::new(a, b, c, d), count, time: u32::from_le_bytes([t0, t1, t2, t3]) }
    }

    fn encode(self) -> [u8; RECORD_LENGTH] {
        let [a, b, c, d] = self.address.octets();
        let [t0, t1, t2, t3] = self.time.to_le_bytes();
        [a, b, c, d, self.count, 0, 0, 0, t0, t1, t2, t3, 0, 0, 0, 0]
    }

    /// How long ago the last time-out was; nothing if the clock was put back since.
    fn age(self, now: u64) -> Option<u64> {
        now.checked_sub(u64::from(self.time))
    }
}

fn standing(records: &[Record], address: Ipv4Addr, now: u64, spread: u32) -> Standing {
    let Some(record) = find(records, address).and_then(|place| records.get(place)) else {
        return Standing::Unknown;
    };
    let patience = (60 + u64::from(spread % 32)) * 64;
    match record.age(now) {
        Some(age) if record.count >= 2 && age < patience => Standing::Avoided,
        _ => Standing::Suspect,
    }
}

/// The record that a time-out changes, and what it becomes. Deliveries that time out together count once.
fn after_timeout(records: &[Record], address: Ipv4Addr, now: u64) -> Option<(usize, Record)> {
    let time = u32::try_from(now).ok()?;
    if let Some(place) = find(records, address) {
        let record = records.get(place)?;
        let is_recent = record.age(now).is_some_and(|age| age < SAME_TIMEOUT_SECONDS);
        let count = record.count.saturating_add(1).min(COUNT_LIMIT);
        return (!is_recent).then_some((place, Record { count, time, ..*record }));
    }
    let free = records.iter().position(|record| record.count == 0);
    let place = free.or_else(|| least_worth_keeping(records))?;
    Some((place, Record { address, count: 1, time }))
}

fn find(records: &[Record], address: Ipv4Addr) -> Option<usize> {
    records.iter().position(|record| record.address == address && record.count > 0)
}

fn least_worth_keeping(records: &[Record]) -> Option<usize> {
    let worth = |record: &Record| u64::from(record.time) + 1024 * u64::from(record.count);
    let (place, _) = records.iter().enumerate().min_by_key(|(_, record)| worth(record))?;
    Some(place)
}

/// Opens and locks the table and reads it.
fn open(path: &Path) -> Option<(File, Vec<Record>)> {
    let file = OpenOptions::new().read(true).write(true).open(path).ok()?;
    lock::exclusive(&file).ok()?;
    let records = read(&file).ok()?;
    Some((file, records))
}

/// All records that are there as a whole, free ones too.
fn read(file: &File) -> io::Result<Vec<Record>> {
    let mut bytes = [0; RECORD_LENGTH];
    let mut records = Vec::with_capacity(RECORDS);
    while records.len() < RECORDS {
        match file.read_exact_at(&mut bytes, offset(records.len())) {
            Ok(()) => records.push(Record::decode(bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error),
        }
    }
    Ok(records)
}

fn write(locked: &File, place: usize, record: Record) {
    let _ = locked.write_all_at(&record.encode(), offset(place));
}

fn offset(place: usize) -> u64 {
    u64::try_from(place.saturating_mul(RECORD_LENGTH)).unwrap_or(u64::MAX)
}

const RECORD_LENGTH: usize = 16;
const RECORDS: usize = 64;
const COUNT_LIMIT: u8 = 10;
const SAME_TIMEOUT_SECONDS: u64 = 120;

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const NOW: u64 = 1_800_000_000;

    fn table() -> (tempfile::TempDir, TimeoutTable) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tcpto");
        std::fs::write(&path, [0; 1024]).unwrap();
        (directory, TimeoutTable::at(path))
    }

    #[test]
    fn a_record_has_the_documented_bytes() {
        let (_kept, table) = table();
        table.note_timeout(HOST, NOW);
        let bytes = std::fs::read(&table.path).unwrap();
        assert_eq!(bytes.len(), 1024);
        assert_eq!(bytes[..16], [192, 0, 2, 1, 1, 0, 0, 0, 0x00, 0xd2, 0x49, 0x6b, 0, 0, 0, 0]);
        assert!(bytes[16..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_host_is_avoided_after_two_time_outs_for_about_an_hour() {
        let (_kept, table) = table();
        assert_eq!(table.standing(HOST, NOW, 0), Standing::Unknown);
        table.note_timeout(HOST, NOW);
        table.note_timeout(HOST, NOW + 119);
        assert_eq!(table.standing(HOST, NOW + 119, 0), Standing::Suspect, "both belong to one time-out");
        table.note_timeout(HOST, NOW + 120);
        assert_eq!(table.standing(HOST, NOW + 120 + 3839, 0), Standing::Avoided);
        assert_eq!(table.standing(HOST, NOW + 120 + 3840, 0), Standing::Suspect);
        assert_eq!(
            table.standing(HOST, NOW + 120 + 3840, 33),
            Standing::Avoided,
            "61 × 64 s for this process"
        );
        table.note_success(HOST);
        assert_eq!(table.standing(HOST, NOW + 121, 0), Standing::Unknown);
    }

    #[test]
    fn r6_a_clock_that_was_put_back_does_not_keep_a_host_avoided() {
        let (_kept, table) = table();
        table.note_timeout(HOST, NOW);
        table.note_timeout(HOST, NOW + 200);
        assert_eq!(table.standing(HOST, NOW + 100, 0), Standing::Suspect);
        table.note_timeout(HOST, NOW + 100);
        assert_eq!(table.standing(HOST, NOW + 101, 0), Standing::Avoided);
    }

    #[test]
    fn a_full_table_gives_up_the_record_that_is_worth_least() {
        let record = |last: u8, count, time| Record { address: Ipv4Addr::new(10, 0, 0, last), count, time };
        let records = [record(1, 3, 5000), record(2, 1, 7000), record(3, 1, 7100)];
        let new = Ipv4Addr::new(192, 0, 2, 9);
        let (place, written) = after_timeout(&records, new, 9000).unwrap();
        assert_eq!((place, written), (1, Record { address: new, count: 1, time: 9000 }));
    }

    #[test]
    fn the_count_stops_at_ten() {
        let records = [Record { address: Ipv4Addr::new(192, 0, 2, 1), count: 10, time: 1 }];
        let (_, written) = after_timeout(&records, records[0].address, 9000).unwrap();
        assert_eq!(written.count, 10);
    }

    #[test]
    fn without_a_whole_table_nothing_is_noted_and_nobody_avoided() {
        let directory = tempfile::tempdir().unwrap();
        for contents in [None, Some(vec![]), Some(vec![1; 15])] {
            let path = directory.path().join("tcpto");
            if let Some(bytes) = &contents {
                std::fs::write(&path, bytes).unwrap();
            }
            let table = TimeoutTable::at(path.clone());
            table.note_timeout(HOST, NOW);
            assert_eq!(table.standing(HOST, NOW, 0), Standing::Unknown);
            assert_eq!(std::fs::read(&path).ok(), contents);
        }
    }

    #[test]
    fn ipv6_addresses_stay_out_of_the_table() {
        let (_kept, table) = table();
        let host = "2001:db8::1".parse().unwrap();
        table.note_timeout(host, NOW);
        assert_eq!(table.standing(host, NOW, 0), Standing::Unknown);
        assert!(std::fs::read(&table.path).unwrap().iter().all(|byte| *byte == 0));
    }
}
