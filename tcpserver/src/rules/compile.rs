//! `tcprules` compiles access rules into the database that `tcpserver -x` reads.
//!
//! Called  `tcprules rules.cdb rules.tmp`, the second being a name in the same directory.
//! Reads    fd 0: rules, one a line.      Writes  rules.tmp, which then becomes rules.cdb.
//! Runs as  whoever may write the database.   Trusts  nobody.
//! Exits    0 the new rules are on disk · 100 a line is wrong · 111 trouble with a file; rules.cdb is as it was.
//! Manual   tcprules(8).    Next in the flow: rules::lookup, in tcpserver.

use crate::rules::block::Block;
use crate::rules::syntax::{self, Line, Malformed};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use unix::cdb::Builder;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::{descriptor, file};

/// Runs the program.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let [database, temporary, ..] = invocation.arguments.as_slice() else {
        return Err(Failure::usage("tcprules rules.cdb rules.tmp"));
    };
    if database == temporary {
        return Err(Failure::permanent([&b"the temporary file is the database: "[..], database].concat()));
    }
    install(database, temporary, |file| {
        let mut input = BufReader::with_capacity(BUFFER, descriptor::input());
        let file = Flowing { file, waiting: 0 };
        let compiled = compile(&mut input, file, |number, line| {
            invocation.warn([&b"no colon, so no rule: "[..], &printable(line), &place(number)].concat());
        });
        compiled.map(|flowing| flowing.file).map_err(|trouble| match trouble {
            Trouble::Malformed { number, line } => {
                let line = printable(&line);
                Failure::permanent([&b"unable to parse this line: "[..], &line, &place(number)].concat())
            }
            Trouble::Unreadable(error) => Failure::temporary("unable to read input").because(&error),
            Trouble::Unwritable(error) => about("unable to write to ", temporary).because(&error),
        })
    })?;
    Ok(Exit::SUCCESS)
}

fn place(number: usize) -> Vec<u8> {
    format!(" (line {number} of standard input)").into_bytes()
}

/// The line as it may be shown: one line, and nothing that a terminal obeys.
fn printable(line: &[u8]) -> Vec<u8> {
    line.iter().map(|byte| if matches!(byte, b' '..=b'~') { *byte } else { b'?' }).collect()
}

fn about(what: &str, name: &[u8]) -> Failure {
    Failure::temporary([what.as_bytes(), name].concat())
}

/// Why rules have no compiled form.
#[derive(Debug)]
enum Trouble {
    /// This line, counted from 1, is not a rule.
    Malformed { number: usize, line: Vec<u8> },
    /// The rules cannot be read.
    Unreadable(io::Error),
    /// The database cannot be written, or would not fit its format.
    Unwritable(io::Error),
}

/// Writes the database for a text of rules. `ignored` is told of lines that look like something and mean nothing.
fn compile<W: Write + Seek>(
    rules: &mut impl BufRead,
    output: W,
    mut ignored: impl FnMut(usize, &[u8]),
) -> Result<W, Trouble> {
    let mut database = Builder::new(output).map_err(Trouble::Unwritable)?;
    let mut blocks: HashSet<Block> = HashSet::new();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if rules.read_until(b'\n', &mut line).map_err(Trouble::Unreadable)? == 0 {
            break;
        }
        let line = syntax::trim_end(&line);
        match syntax::parse(line) {
            Ok(Line::Blank) => {}
            Ok(Line::WithoutColon) => ignored(number, line),
            // Of two rules for one block the second would never apply.
            Ok(Line::Rule(rule)) if rule.block().is_some_and(|block| !blocks.insert(block)) => {
                return Err(Trouble::Malformed { number, line: line.to_vec() });
            }
            Ok(Line::Rule(rule)) => {
                rule.each_key(|key| database.add(key, &rule.data)).map_err(Trouble::Unwritable)?;
            }
            Err(Malformed) => return Err(Trouble::Malformed { number, line: line.to_vec() }),
        }
    }
    for (key, lengths) in lengths(&blocks) {
        let lengths: Vec<u8> = lengths.into_iter().collect();
        database.add(key, &lengths).map_err(Trouble::Unwritable)?;
    }
    database.finish().map_err(Trouble::Unwritable)
}

/// The lengths of the blocks of each family, by the key that they stand under.
fn lengths(blocks: &HashSet<Block>) -> BTreeMap<&'static [u8], BTreeSet<u8>> {
    let mut lengths: BTreeMap<_, BTreeSet<u8>> = BTreeMap::new();
    for block in blocks {
        lengths.entry(block.lengths_key()).or_default().insert(block.length());
    }
    lengths
}

/// Puts what `write` writes in place of the database. After a crash at any point it is the old one or the new one.
fn install(
    database: &[u8],
    temporary: &[u8],
    write: impl FnOnce(File) -> Result<File, Failure>,
) -> Result<(), Failure> {
    let path = Path::new(OsStr::from_bytes(database));
    let aside = Path::new(OsStr::from_bytes(temporary));
    let file = create_aside(aside).map_err(|error| about("unable to create ", temporary).because(&error))?;
    let installed = write(file)
        .and_then(|file| {
            file.sync_all().map_err(|error| about("unable to write to ", temporary).because(&error))
        })
        .and_then(|()| {
            fs::rename(aside, path).map_err(|error| {
                let what = [&b"unable to move "[..], temporary, b" to ", database].concat();
                Failure::temporary(what).because(&error)
            })
        });
    if installed.is_err() {
        let _ = fs::remove_file(aside);
    }
    installed?;
    // Before this, a power cut may bring the old rules back; after it, not.
    file::sync_directory(path.parent().unwrap_or(Path::new(".")))
        .map_err(|error| about("unable to sync the directory of ", database).because(&error))
}

/// What an earlier run left is removed, not written into: the name may be a link to something else.
fn create_aside(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => file::create_new(path, 0o644),
    }
}

/// A file whose bytes are on their way to the disk while more are made, so that the sync at the end finds little to do.
struct Flowing {
    file: File,
    /// Bytes written since the kernel was last asked to start.
    waiting: usize,
}

impl Write for Flowing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.waiting = self.waiting.saturating_add(written);
        if self.waiting >= FLOW {
            file::begin_writing(&self.file);
            self.waiting = 0;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Flowing {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

/// How much is written before it is sent on its way.
const FLOW: usize = 1 << 22;
/// How much of the rules is read at a time.
const BUFFER: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(mut rules: &[u8], ignored: impl FnMut(usize, &[u8])) -> Result<Vec<u8>, Trouble> {
        compile(&mut rules, io::Cursor::new(Vec::new()), ignored).map(io::Cursor::into_inner)
    }

    #[test]
    fn the_line_that_is_wrong_is_named_by_its_number() {
        let trouble = compiled(b"# rules\n1.2.3.4:deny\n\n1.2.3.5:denyx  \n", |_, _| ()).unwrap_err();
        assert!(matches!(trouble, Trouble::Malformed { number: 4, line } if line == b"1.2.3.5:denyx"));
    }

    #[test]
    fn a_block_has_one_rule() {
        let trouble =
            compiled(b"10.0.0.0/8:deny\n10.0.0.0/9:deny\n10.0.0.0/8:allow\n", |_, _| ()).unwrap_err();
        assert!(matches!(trouble, Trouble::Malformed { number: 3, .. }));
    }

    #[test]
    fn lines_without_a_colon_are_reported_and_change_nothing() {
        let mut seen = Vec::new();
        let bytes = compiled(b"1.2.3.4:deny\n1.2.3.5\n", |number, line| seen.push((number, line.to_vec())));
        assert_eq!(seen, [(2, b"1.2.3.5".to_vec())]);
        assert_eq!(bytes.unwrap(), compiled(b"1.2.3.4:deny", |_, _| ()).unwrap());
    }
}
