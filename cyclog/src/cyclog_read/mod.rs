//! `cyclog-read` shows a log, all its files in order.
//!
//! Reads    the directory of a cyclog or multilog.
//! Writes   fd 1: the lines, oldest first.   fd 2: warnings.
//! Runs as  anybody who may read the files.   Trusts  nobody: lines pass unchanged, but for stamps with `-t`.
//! Exits    0 all has been written · 100 misuse · 111 the directory, a file or fd 1 fails. With `-f` it goes on.
//! Manual   cyclog-read(1).    Comes after cyclog and multilog, when somebody looks.
//!
//! Nothing is locked, and the logger may go on: a file that is renamed while it is read is read to its end, once.

mod position;
mod source;

use crate::filter::Filter;
use crate::line_start::LineStarts;
use crate::names;
use crate::{tai64nlocal, tailocal};
use position::{Listing, Next, Place, Position};
use source::Source;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use unix::descriptor;
use unix::failure::{Failure, because, is_absent};
use unix::file;
use unix::local_time;
use unix::program::{Exit, Invocation};

/// Runs `cyclog-read [-f | --follow] [-t | --local-time] dir`.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let options = Options::parse(&invocation.arguments).ok_or_else(|| Failure::usage(USAGE))?;
    let mut reader = Reader {
        invocation,
        follows: options.follows,
        output: Output::new(options.local_time),
        directory: options.directory,
        position: Position::default(),
        listing: Listing::default(),
    };
    while reader.next_file()? {}
    reader.output.finish()?;
    Ok(Exit::SUCCESS)
}

struct Options {
    /// Whether it waits for more at the end.
    follows: bool,
    /// Whether stamps become local time.
    local_time: bool,
    directory: PathBuf,
}

impl Options {
    fn parse(arguments: &[Vec<u8>]) -> Option<Options> {
        let words = arguments.iter().map(|word| OsString::from_vec(word.clone()));
        let mut parser = lexopt::Parser::from_args(words);
        let (mut follows, mut local_time, mut directory) = (false, false, None);
        while let Some(argument) = parser.next().ok()? {
            match argument {
                lexopt::Arg::Short('f') | lexopt::Arg::Long("follow") => follows = true,
                lexopt::Arg::Short('t') | lexopt::Arg::Long("local-time") => local_time = true,
                lexopt::Arg::Value(value) if directory.is_none() => directory = Some(PathBuf::from(value)),
                _ => return None,
            }
        }
        Some(Options { follows, local_time, directory: directory? })
    }
}

struct Reader<'a> {
    invocation: &'a Invocation,
    follows: bool,
    directory: PathBuf,
    position: Position,
    /// What was in the directory when it was last read.
    listing: Listing,
    output: Output,
}

impl Reader<'_> {
    /// Writes the next file. False at the end of the log, which with `-f` never comes.
    fn next_file(&mut self) -> Result<bool, Failure> {
        let Some(next) = self.next()? else {
            if self.follows {
                std::thread::sleep(PAUSE);
            }
            return Ok(self.follows);
        };
        let path = self.path(&next);
        let (file, inode) = match open(&path) {
            Ok(opened) => opened,
            // It was renamed or removed since; the next listing tells.
            Err(error) if is_absent(&error) => {
                self.listing = Listing::default();
                return Ok(true);
            }
            Err(error) => return Err(self.failure(&path, &error)),
        };
        // A file with a passing name is another one if the log was rotated since: then all is looked at again.
        if !matches!(next, Next::Placed(_)) && self.list()? != self.listing {
            return Ok(true);
        }
        self.position.take(next.clone(), inode);
        self.write_file(&next, file, &path)?;
        Ok(self.follows || next != Next::Current)
    }

    /// What comes next. The directory is read again when all files in it that have their final names have been.
    fn next(&mut self) -> Result<Option<Next>, Failure> {
        if let Some(placed @ Next::Placed(_)) = self.position.next(&self.listing) {
            return Ok(Some(placed));
        }
        self.listing = self.list()?;
        Ok(self.position.next(&self.listing))
    }

    /// Writes a file up to its end, and with `-f` what is added to it until another one comes after it.
    fn write_file(&mut self, next: &Next, file: File, path: &Path) -> Result<(), Failure> {
        let mut source = Source::new(file).map_err(|error| self.failure(path, &error))?;
        let can_grow = self.follows && source.can_grow();
        let mut buffer = vec![0; READ_SIZE];
        let mut is_over = !can_grow;
        loop {
            match source.read(&mut buffer) {
                Ok(0) if is_over => break,
                Ok(0) => is_over = self.has_successor(next)?,
                Ok(length) => self.output.write(buffer.get(..length).unwrap_or_default())?,
                Err(error) => return Err(self.failure(path, &error)),
            }
        }
        if !source.was_whole().map_err(|error| self.failure(path, &error))? {
            self.invocation.warn([b"unable to read all of ", path.as_os_str().as_bytes()].concat());
        }
        if is_unfinished(next) {
            self.output.end_line()?;
        }
        Ok(())
    }

    /// Whether the file that is read gets no more lines: the logger has gone on to another one. If not, some time
    /// has passed.
    fn has_successor(&mut self, next: &Next) -> Result<bool, Failure> {
        let has_one = match next {
            Next::Placed(place) if is_labelled(place) => true,
            Next::Previous => true,
            Next::Placed(_) | Next::Current => self.next()?.is_some(),
        };
        if !has_one {
            std::thread::sleep(PAUSE);
        }
        Ok(has_one)
    }

    fn list(&self) -> Result<Listing, Failure> {
        let read = || -> io::Result<Listing> {
            let names = names::list(&self.directory)?;
            let mut placed: Vec<Place> = names.iter().filter_map(|name| Place::of(name)).collect();
            placed.sort();
            Ok(Listing { placed, previous: self.inode("previous")?, current: self.inode("current")? })
        };
        read().map_err(|error| self.failure(&self.directory, &error))
    }

    fn inode(&self, name: &str) -> io::Result<Option<u64>> {
        match fs::symlink_metadata(self.directory.join(name)) {
            Ok(metadata) => Ok(metadata.is_file().then_some(metadata.ino())),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn path(&self, next: &Next) -> PathBuf {
        let name: &[u8] = match next {
            Next::Placed(place) => place.name(),
            Next::Previous => b"previous",
            Next::Current => b"current",
        };
        self.directory.join(OsStr::from_bytes(name))
    }

    fn failure(&self, path: &Path, error: &io::Error) -> Failure {
        let text = [b"unable to read ", path.as_os_str().as_bytes()].concat();
        Failure::temporary(because(text, error))
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = file::open_read(path)?;
    let inode = file.metadata()?.ino();
    Ok((file, inode))
}

/// Whether a name is one that multilog gives to finished files.
fn is_labelled(place: &Place) -> bool {
    place.name().get(crate::label::LENGTH) == Some(&b'.')
}

/// Whether multilog found the file unfinished after a crash: a line that it was writing does not go on in the next.
fn is_unfinished(next: &Next) -> bool {
    matches!(next, Next::Placed(place) if is_labelled(place) && place.name().ends_with(b".u"))
}

/// Standard output, with stamps as local time if that is wanted.
struct Output {
    filters: Vec<Box<dyn Filter>>,
    within_line: bool,
}

impl Output {
    fn new(local_time: bool) -> Output {
        let mut filters: Vec<Box<dyn Filter>> = Vec::new();
        if local_time {
            filters.push(Box::new(LineStarts::new(tai64nlocal::Converter::new(local_time::at::<i64>))));
            filters.push(Box::new(LineStarts::new(tailocal::Converter::new(local_time::at::<u64>))));
        }
        Output { filters, within_line: false }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.within_line = bytes.last().is_some_and(|last| *last != b'\n');
        let mut changed = bytes.to_vec();
        for filter in &mut self.filters {
            let input = std::mem::take(&mut changed);
            filter.change(&input, &mut changed);
        }
        write(&changed)
    }

    /// Ends the line that was begun, if one was.
    fn end_line(&mut self) -> Result<(), Failure> {
        if self.within_line { self.write(b"\n") } else { Ok(()) }
    }

    fn finish(&mut self) -> Result<(), Failure> {
        let mut held = Vec::new();
        for filter in &mut self.filters {
            let input = std::mem::take(&mut held);
            filter.change(&input, &mut held);
            filter.finish(&mut held);
        }
        write(&held)
    }
}

fn write(bytes: &[u8]) -> Result<(), Failure> {
    descriptor::output()
        .write_all(bytes)
        .map_err(|error| Failure::temporary("unable to write output").because(&error))
}

const USAGE: &str = "cyclog-read [ -f | --follow ] [ -t | --local-time ] dir";
/// How long nothing is looked for at the end of a log.
const PAUSE: Duration = Duration::from_millis(200);
/// Bytes that are read at once.
const READ_SIZE: usize = 64 * 1024;
