//! `qmail-setup` installs the mail system, checks an installation, and runs one to try it out.
//!
//! Reads    its own directory, where the programs to install lie.   Writes  the home; standard output: what it did.
//! Runs as  root for a real installation; any user for one of his own.
//! Exits    0 · 100 misuse, or `check` found differences · 111 it could not be done.
//! Manual   qmail-setup(8).

pub mod accounts;
pub mod check;
pub mod config;
mod copies;
pub mod hierarchy;
pub mod home;
pub mod install;
pub mod run;
pub mod services;

use hierarchy::{Entry, Owner, What};
use home::{Home, QUEUE_GROUP, Role};
use std::borrow::Cow;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use unix::account;
use unix::descriptor;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};

const USAGE: &str =
    "qmail-setup accounts | install HOME | check HOME | config HOME HOSTNAME | run DIR [ PORT [ once ] ]";

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let words: Vec<&[u8]> = invocation.arguments.iter().map(Vec::as_slice).collect();
    match words.as_slice() {
        [b"accounts"] => accounts::create_missing(),
        [b"install", home] => install::install(&absolute(home)?),
        [b"check", home] => check::check(&absolute(home)?),
        [b"config", home, host] => config::configure(&absolute(home)?, host),
        [b"run", directory] => {
            run::run(&absolute(directory)?, run::DEFAULT_PORT, run::Stay::UntilInterrupted)
        }
        [b"run", directory, port] => {
            run::run(&absolute(directory)?, port_number(port)?, run::Stay::UntilInterrupted)
        }
        [b"run", directory, port, b"once"] => {
            run::run(&absolute(directory)?, port_number(port)?, run::Stay::Once)
        }
        _ => Err(Failure::usage(USAGE)),
    }
}

fn port_number(text: &[u8]) -> Result<u16, Failure> {
    let number =
        unix::number::whole(text).and_then(|number| u16::try_from(number).ok()).filter(|port| *port > 0);
    number.ok_or_else(|| Failure::permanent("a port is a number from 1 to 65535"))
}

/// The home as other programs will see it: they are started from anywhere.
fn absolute(path: &[u8]) -> Result<PathBuf, Failure> {
    let path = Path::new(std::ffi::OsStr::from_bytes(path));
    std::path::absolute(path).map_err(|error| trouble("find", path, &error))
}

/// `unable to WHAT PATH: reason`.
fn trouble(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::temporary(format!("unable to {what} {}", path.display())).because(error)
}

/// One line of what was done, on standard output.
fn say(text: impl AsRef<str>) {
    let line = format!("{}\n", text.as_ref());
    // Somebody who closed the output does not want to hear it.
    let _ = descriptor::output().write_all(line.as_bytes());
}

/// Numbers of an entry's owner and group, and the mode as it is in this home.
#[derive(Clone, Copy, Debug)]
struct Attributes {
    uid: u32,
    gid: u32,
    mode: u32,
}

/// Everything that the home has to have, with the numbers of its accounts. Each account is looked up once.
///
/// # Errors
/// One is missing.
fn plan(home: &Home) -> Result<Vec<(Entry, Attributes)>, Failure> {
    let gid = home.group(QUEUE_GROUP)?;
    let root = if home.is_single_user() { account::effective_uid() } else { 0 };
    let mut accounts = Vec::new();
    for role in Role::ALL {
        accounts.push((role, home.account(role)?.uid));
    }
    let number = |owner: Owner| match owner {
        Owner::Root => root,
        Owner::Account(role) => {
            accounts.iter().find(|(known, _)| *known == role).map_or(root, |(_, uid)| *uid)
        }
    };
    // One user who owns everything needs no setuid program.
    let mode = |mode: u32| if home.is_single_user() { mode & 0o1777 } else { mode };
    let with_attributes = |entry: Entry| {
        let attributes = Attributes { uid: number(entry.owner), gid, mode: mode(entry.mode) };
        (entry, attributes)
    };
    Ok(hierarchy::entries().into_iter().map(with_attributes).collect())
}

/// What a script or manual page has to have in it; nothing for what is no such file.
fn text(entry: &Entry, home: &Home) -> Option<Cow<'static, [u8]>> {
    match &entry.what {
        What::Copy(text) => Some(Cow::Borrowed(*text)),
        What::BootScript(text) => Some(Cow::Owned(services::with_home(text, home))),
        _ => None,
    }
}

/// Where qmail-setup itself lies, and all other programs with it.
fn own_directory() -> std::io::Result<PathBuf> {
    let program = std::fs::read_link("/proc/self/exe")?;
    program.parent().map(Path::to_path_buf).ok_or_else(|| std::io::ErrorKind::NotFound.into())
}
