//! Constant databases (cdb): built once, looked up by key, replaced as a whole.
//!
//! Format: a header of 256 pairs (table position, slots), the records (key length, data length, key, data),
//! then 256 hash tables of (hash, record position); all numbers are 32-bit little-endian. A file that
//! [`Builder`] makes is byte for byte what `tcprules` and `qmail-newu` have always made from the same records.
//! A reader trusts nothing in the file: a damaged one gives an error, never a wrong read.

use std::fs::File;
use std::io::{self, BufWriter, Cursor, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

const HEADER: u64 = 2048;
const TABLES: usize = 256;
/// Longest data that a lookup reads into memory. Rules and assignments are far smaller.
const DATA_LIMIT: u32 = 1 << 24;

fn hash(key: &[u8]) -> u32 {
    key.iter().fold(5381, |hash: u32, byte| hash.wrapping_mul(33) ^ u32::from(*byte))
}

/// A database that is being written. Of what is written, only where each record lies is kept in memory.
pub struct Builder<W: Write + Seek> {
    output: BufWriter<W>,
    /// Where the next record goes.
    position: u64,
    /// (hash, file position) of each record, in order.
    index: Vec<(u32, u32)>,
}

impl Builder<Cursor<Vec<u8>>> {
    /// An empty database in memory.
    pub fn in_memory() -> Builder<Cursor<Vec<u8>>> {
        let mut output = Cursor::new(vec![0; TABLES * 8]);
        output.set_position(HEADER);
        Builder { output: BufWriter::with_capacity(BUFFER, output), position: HEADER, index: Vec::new() }
    }
}

impl<W: Write + Seek> Builder<W> {
    /// An empty database, to be written to an empty file.
    pub fn new(output: W) -> io::Result<Builder<W>> {
        let mut output = BufWriter::with_capacity(BUFFER, output);
        // The header is known at the end.
        output.write_all(&[0; TABLES * 8])?;
        Ok(Builder { output, position: HEADER, index: Vec::new() })
    }

    /// Adds a record. Of several with one key, the first is found.
    ///
    /// # Errors
    /// EFBIG if the file would pass 4 GiB, which the format cannot hold; otherwise that of writing.
    pub fn add(&mut self, key: &[u8], data: &[u8]) -> io::Result<()> {
        let added = 8_u64.saturating_add(key.len() as u64).saturating_add(data.len() as u64);
        let end = self.position.saturating_add(added);
        // Each record also takes two slots of 8 bytes in its table.
        let slots = (self.index.len() as u64).saturating_add(1).saturating_mul(16);
        if end.saturating_add(slots) > u64::from(u32::MAX) {
            return Err(nix::errno::Errno::EFBIG.into());
        }
        self.index.push((hash(key), number(self.position)?));
        self.output.write_all(&pair(number(key.len() as u64)?, number(data.len() as u64)?))?;
        self.output.write_all(key)?;
        self.output.write_all(data)?;
        self.position = end;
        Ok(())
    }

    /// Writes the tables and the header; what the database was written to.
    pub fn finish(mut self) -> io::Result<W> {
        let mut header = Vec::with_capacity(TABLES * 8);
        let mut slots = Vec::new();
        for entries in by_table(&self.index) {
            fill_table(&entries, &mut slots);
            header.extend_from_slice(&pair(number(self.position)?, number(slots.len() as u64)?));
            for (hash, position) in &slots {
                self.output.write_all(&pair(*hash, *position))?;
            }
            self.position = self.position.saturating_add((slots.len() as u64).saturating_mul(8));
        }
        self.output.seek(SeekFrom::Start(0))?;
        self.output.write_all(&header)?;
        self.output.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

fn pair(first: u32, second: u32) -> [u8; 8] {
    let ([a, b, c, d], [e, f, g, h]) = (first.to_le_bytes(), second.to_le_bytes());
    [a, b, c, d, e, f, g, h]
}

/// The entries of each table, in their order.
fn by_table(index: &[(u32, u32)]) -> Vec<Vec<(u32, u32)>> {
    let table = |entry: &(u32, u32)| usize::from(entry.0.to_le_bytes()[0]);
    let mut counts = [0_usize; TABLES];
    for entry in index {
        if let Some(count) = counts.get_mut(table(entry)) {
            *count = count.saturating_add(1);
        }
    }
    let mut tables: Vec<Vec<(u32, u32)>> = counts.iter().map(|count| Vec::with_capacity(*count)).collect();
    for entry in index {
        if let Some(entries) = tables.get_mut(table(entry)) {
            entries.push(*entry);
        }
    }
    tables
}

/// Places the entries in twice as many slots, each at the first free one from where its hash points.
fn fill_table(entries: &[(u32, u32)], slots: &mut Vec<(u32, u32)>) {
    let length = entries.len().saturating_mul(2);
    slots.clear();
    slots.resize(length, (0, 0));
    for entry in entries {
        let first = (entry.0 >> 8) as usize % length;
        let (before, after) = slots.split_at_mut_checked(first).unwrap_or_default();
        let free = after.iter_mut().chain(before).find(|slot| slot.1 == 0);
        if let Some(slot) = free {
            *slot = *entry;
        }
    }
}

/// How much is written at a time.
const BUFFER: usize = 1 << 16;

fn number(value: u64) -> io::Result<u32> {
    u32::try_from(value).map_err(|_| nix::errno::Errno::EFBIG.into())
}

/// Gives each record (key, data) of a database to `each`, in the order in which they were added.
///
/// # Errors
/// EPROTO ("protocol error") if the database ends too early; that of reading it; that of `each`.
pub fn for_each_record(
    mut database: impl Read,
    mut each: impl FnMut(&[u8], &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let header = exactly(&mut database, HEADER)?;
    // The first table begins where the records end.
    let end = header.first_chunk().map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)));
    let mut position = HEADER;
    while position < end {
        let lengths = exactly(&mut database, 8)?;
        let [a, b, c, d, e, f, g, h] = *lengths.first_chunk().ok_or_else(damaged)?;
        let key = exactly(&mut database, u64::from(u32::from_le_bytes([a, b, c, d])))?;
        let data = exactly(&mut database, u64::from(u32::from_le_bytes([e, f, g, h])))?;
        position =
            position.saturating_add(8).saturating_add(key.len() as u64).saturating_add(data.len() as u64);
        each(&key, &data)?;
    }
    if position > end.max(HEADER) { Err(damaged()) } else { Ok(()) }
}

/// So many bytes. Memory is taken as they come: a length in a damaged file may be any number.
fn exactly(input: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.by_ref().take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(damaged()) }
}

/// An open database.
pub struct Reader {
    file: File,
    length: u64,
}

impl Reader {
    /// Opens a database for lookups.
    ///
    /// # Errors
    /// EPROTO ("protocol error") if the file is too short to be one.
    pub fn new(file: File) -> io::Result<Reader> {
        let length = file.metadata()?.len();
        if length < HEADER {
            return Err(damaged());
        }
        Ok(Reader { file, length })
    }

    /// The data of the first record with this key.
    ///
    /// # Errors
    /// EPROTO if the file is damaged, or the error of reading it. Neither says whether the key is there.
    pub fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let hash = hash(key);
        let (table, slots) = self.pair(u64::from(hash & 0xff).saturating_mul(8))?;
        if slots == 0 {
            return Ok(None);
        }
        let first = (hash >> 8) % slots;
        for at in (first..slots).chain(0..first) {
            let slot = u64::from(table).saturating_add(u64::from(at).saturating_mul(8));
            let (found, position) = self.pair(slot)?;
            if position == 0 {
                return Ok(None);
            }
            if found == hash
                && let Some(data) = self.record(position, key)?
            {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    fn record(&self, position: u32, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let start = u64::from(position);
        let (key_length, data_length) = self.pair(start)?;
        let key_start = start.saturating_add(8);
        let data_start = key_start.saturating_add(u64::from(key_length));
        if data_start.saturating_add(u64::from(data_length)) > self.length || data_length > DATA_LIMIT {
            return Err(damaged());
        }
        if u64::from(key_length) != key.len() as u64 || self.bytes(key_start, key_length)? != key {
            return Ok(None);
        }
        self.bytes(data_start, data_length).map(Some)
    }

    fn pair(&self, position: u64) -> io::Result<(u32, u32)> {
        if position.saturating_add(8) > self.length {
            return Err(damaged());
        }
        let mut bytes = [0; 8];
        self.read(&mut bytes, position)?;
        let [a, b, c, d, e, f, g, h] = bytes;
        Ok((u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])))
    }

    fn bytes(&self, position: u64, length: u32) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length as usize];
        self.read(&mut bytes, position)?;
        Ok(bytes)
    }

    fn read(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, position).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged(),
            _ => error,
        })
    }
}

/// Whether an error of this module says that the file is no database, or a damaged one.
pub fn is_damage(error: &io::Error) -> bool {
    error.raw_os_error() == Some(nix::libc::EPROTO)
}

fn damaged() -> io::Error {
    nix::errno::Errno::EPROTO.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(bytes: &[u8]) -> io::Result<Reader> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Reader::new(file)
    }

    fn build(records: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut builder = Builder::in_memory();
        for (key, data) in records {
            builder.add(key, data).unwrap();
        }
        builder.finish().unwrap().into_inner()
    }

    #[test]
    fn one_record_lies_where_the_format_says() {
        let file = build(&[(b"1.2.3.4", b"D\0")]);
        assert_eq!(file.len(), 2081);
        assert_eq!(file[0x678..0x680], [0x11, 8, 0, 0, 2, 0, 0, 0]);
        assert_eq!(file[0x800..0x811], *b"\x07\0\0\0\x02\0\0\x001.2.3.4D\0");
        assert_eq!(file[0x811..0x819], [0xcf, 0xfa, 0x4c, 0x3c, 0, 8, 0, 0]);
    }

    #[test]
    fn an_empty_database_is_its_header_and_has_nothing() {
        let file = build(&[]);
        assert_eq!(file.len(), 2048);
        assert_eq!(open(&file).unwrap().get(b"").unwrap(), None);
    }

    #[test]
    fn the_first_of_equal_keys_is_found_and_others_are_not() {
        let keys: Vec<Vec<u8>> = (0..500).map(|n: u32| n.to_string().into_bytes()).collect();
        let mut records: Vec<(&[u8], &[u8])> =
            keys.iter().map(|key| (key.as_slice(), key.as_slice())).collect();
        records.push((b"7", b"later"));
        records.push((b"", b"empty key"));
        let reader = open(&build(&records)).unwrap();
        for key in &keys {
            assert_eq!(reader.get(key).unwrap().as_deref(), Some(key.as_slice()));
        }
        assert_eq!(reader.get(b"").unwrap().as_deref(), Some(&b"empty key"[..]));
        assert_eq!(reader.get(b"500").unwrap(), None);
    }

    #[test]
    fn records_come_in_the_order_in_which_they_were_added() {
        let records: [(&[u8], &[u8]); 3] = [(b"b", b"1"), (b"a", b""), (b"b", b"2")];
        let file = build(&records);
        let mut found = Vec::new();
        for_each_record(file.as_slice(), |key, data| {
            found.push((key.to_vec(), data.to_vec()));
            Ok(())
        })
        .unwrap();
        assert_eq!(found, records.map(|(key, data)| (key.to_vec(), data.to_vec())));
        let end = 2048 + 3 * 8 + 5;
        for length in 0..end {
            assert!(for_each_record(&file[..length], |_, _| Ok(())).is_err(), "{length}");
        }
        for_each_record(&[0; 3000][..], |_, _| panic!("there is none")).unwrap();
    }

    /// M5: any truncation is an error or "not there"; nothing panics or reads past the file.
    #[test]
    fn m5_truncated_and_damaged_files_are_errors() {
        let file = build(&[(b"a", b"1"), (b"b", b"2"), (b"", b"3")]);
        for length in 0..file.len() {
            let answer = open(&file[..length]).and_then(|reader| reader.get(b"a"));
            assert!(
                answer.is_err() || length >= 2048 && answer.unwrap().is_none_or(|data| data == b"1"),
                "{length}"
            );
        }
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 0xff;
            let _ = open(&changed).and_then(|reader| reader.get(b"b"));
        }
    }
}
