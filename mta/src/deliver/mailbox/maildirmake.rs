//! `maildirmake` makes an empty maildir.
//!
//! Reads    nothing.      Writes  a directory with tmp, new and cur in it, for its owner alone.
//! Runs as  the user.     Exits   0 · 100 called wrongly · 111 a directory could not be made.
//! Manual   maildirmake(1), maildir(5).

use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use unix::failure::Failure;
use unix::process;
use unix::program::{Exit, Invocation};

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let name = invocation.arguments.first().ok_or(Failure::usage("maildirmake name"))?;
    process::set_umask(0o077);
    make(Path::new(OsStr::from_bytes(name)))?;
    Ok(Exit::SUCCESS)
}

fn make(maildir: &Path) -> Result<(), Failure> {
    make_directory(maildir)?;
    ["tmp", "new", "cur"].iter().try_for_each(|name| make_directory(&maildir.join(name)))
}

fn make_directory(path: &Path) -> Result<(), Failure> {
    DirBuilder::new().mode(0o700).create(path).map_err(|error| {
        let name = path.as_os_str().as_bytes();
        Failure::temporary([b"unable to mkdir ", name].concat()).because(&error)
    })
}
