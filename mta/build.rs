//! Gathers the files that qmail-setup installs as they are: scripts, boot scripts and manual pages. Says how the
//! programs on a message's way are linked.
//!
//! The files become a part of qmail-setup, so that `check` and `install` need no source tree. What lies in the
//! directories is the table: a script or page that is added there is installed.

use linking::Linking;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The lists, with the directories that they consist of.
const LISTS: [(&str, &[&str]); 3] = [
    ("SCRIPTS", &["supervise/scripts", "tcpserver/scripts", "mta/scripts"]),
    ("BOOT_SCRIPTS", &["mta/boot"]),
    ("PAGES", &["docs/man"]),
];

/// Programs on a message's way that look up no users and see no message.
const FIXED: [&str; 2] = ["qmail-clean", "qmail-send"];
/// Those that read what strangers sent.
const ANYWHERE: [&str; 3] = ["qmail-local", "qmail-queue", "qmail-remote"];
/// Those that look up users.
const LOOKING_UP: [&str; 6] =
    ["checkpassword", "qmail-getpw", "qmail-lspawn", "qmail-rspawn", "qmail-smtpd", "qmail-start"];

fn main() -> io::Result<()> {
    linking::link(&FIXED, Linking::Fixed);
    linking::link(&ANYWHERE, Linking::Anywhere);
    linking::link(&LOOKING_UP, Linking::SharedLibc);
    let package = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let tree = package.parent().unwrap_or(&package);
    let mut text = String::new();
    let mut watched = String::from("cargo::rerun-if-changed=build.rs\n");
    for (name, directories) in LISTS {
        let directories: Vec<PathBuf> = directories.iter().map(|directory| tree.join(directory)).collect();
        list(&mut text, name, &directories)?;
        for directory in &directories {
            // One that is not there is not watched: cargo would build anew each time.
            let watched_path = if directory.is_dir() { directory } else { &package };
            let _ = writeln!(watched, "cargo::rerun-if-changed={}", watched_path.display());
        }
    }
    fs::write(Path::new(&variable("OUT_DIR")?).join("copies.rs"), text)?;
    io::Write::write_all(&mut io::stdout(), watched.as_bytes())
}

fn variable(name: &str) -> io::Result<std::ffi::OsString> {
    env::var_os(name).ok_or_else(|| io::Error::other(format!("cargo sets {name}")))
}

/// `pub const NAME: &[(file name, contents)]`, sorted.
fn list(text: &mut String, name: &str, directories: &[PathBuf]) -> io::Result<()> {
    let mut files = Vec::new();
    for directory in directories.iter().filter(|directory| directory.is_dir()) {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let file = entry.file_name().to_string_lossy().into_owned();
            let is_hidden = file.starts_with('.') || file.ends_with('~');
            if entry.path().is_file() && !is_hidden {
                files.push((file, entry.path()));
            }
        }
    }
    files.sort();
    let _ = writeln!(text, "pub(super) const {name}: &[(&str, &[u8])] = &[");
    for (file, path) in files {
        let _ = writeln!(text, "    ({file:?}, include_bytes!({path:?})),");
    }
    text.push_str("];\n");
    Ok(())
}
