//! One look at a service directory: what its files say, or why they do not.

use crate::supervise::service_dir::Layout;
use crate::supervise::status::{Details, LENGTH_0_53, LENGTH_0_76, Status};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use unix::failure::{because, describe, is_absent};
use unix::{directory, fifo, file};

/// More than any status file of ours.
const LONGEST_STATUS: u64 = 256;

/// What a service directory says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The generation that it belongs to.
    pub layout: Layout,
    /// Whether supervise runs. In the newer layout it does, or there is [`Trouble`].
    pub is_supervised: bool,
    /// Whether up is normal.
    pub normally_up: bool,
    /// The status.
    pub status: Status,
    /// What is known beyond it.
    pub details: Option<Details>,
}

/// Why a directory says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It takes the place of the line, without the name.
    Line(String),
    /// It is to be warned of.
    Warning(Vec<u8>),
}

impl Trouble {
    /// What it says.
    pub fn text(&self) -> &[u8] {
        match self {
            Trouble::Line(text) => text.as_bytes(),
            Trouble::Warning(text) => text,
        }
    }
}

/// Enters a directory and looks at it. Whoever calls this goes back.
pub fn look_at(name: &[u8]) -> Result<Seen, Trouble> {
    directory::enter(Path::new(OsStr::from_bytes(name)))
        .map_err(|error| Trouble::Warning(because([b"unable to chdir to ", name].concat(), &error)))?;
    match Layout::of_working_directory() {
        Layout::Flat => look_at_flat(name),
        Layout::Nested => look_at_nested().map_err(Trouble::Line),
    }
}

fn look_at_flat(name: &[u8]) -> Result<Seen, Trouble> {
    let text = [b"unable to read status in ", name].concat();
    let bytes = read_status(Layout::Flat).map_err(|error| Trouble::Warning(because(&text, &error)))?;
    let (status, normally_up) = Status::decode_0_53(&bytes)
        .ok_or_else(|| Trouble::Warning([text.as_slice(), b": bad format"].concat()))?;
    let has_no_reader =
        fifo::open_writer(Layout::Flat.alive()).is_err_and(|error| fifo::has_no_reader(&error));
    let details = bytes.get(LENGTH_0_53..).and_then(Details::decode);
    Ok(Seen { layout: Layout::Flat, is_supervised: !has_no_reader, normally_up, status, details })
}

fn look_at_nested() -> Result<Seen, String> {
    let normally_up = match fs::metadata("down") {
        Ok(_) => false,
        Err(error) if is_absent(&error) => true,
        Err(error) => return Err(format!("unable to stat down: {}", describe(&error))),
    };
    match fifo::open_writer(Layout::Nested.alive()) {
        Ok(_) => {}
        Err(error) if fifo::has_no_reader(&error) => return Err("supervise not running".to_owned()),
        Err(error) => return Err(format!("unable to open supervise/ok: {}", fifo::describe(&error))),
    }
    let bytes = read_status(Layout::Nested)
        .map_err(|error| format!("unable to open supervise/status: {}", describe(&error)))?;
    let status = Status::decode_0_76(&bytes)
        .ok_or_else(|| "unable to read supervise/status: bad format".to_owned())?;
    let details = bytes.get(LENGTH_0_76..).and_then(Details::decode);
    Ok(Seen { layout: Layout::Nested, is_supervised: true, normally_up, status, details })
}

fn read_status(layout: Layout) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let path: &Path = layout.status();
    file::open_read(path)?.take(LONGEST_STATUS).read_to_end(&mut bytes)?;
    Ok(bytes)
}
