//! `faulty` runs a program and lets one of its system calls go wrong: see [`harness::fault`].
//!
//! `faulty ORDER program arg ...` takes its order from that file. Installed in the place of `HOME/bin/NAME`, with the real
//! program beside it as `NAME.real`, it looks for an order for NAME in `HOME/faults`, and becomes the program if there is none.
//!
//! It ends as the program does: with its status, or by the same signal.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod calls;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod tracer;

use harness::fault::Order;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The exit status where the experiment itself went wrong: no program of ours has it.
const BROKEN: u8 = 99;

fn main() -> ExitCode {
    let own = std::env::current_exe().expect("our own path");
    let mut words: Vec<OsString> = std::env::args_os().collect();
    if own.file_name() == Some(OsStr::new("faulty")) {
        let order = PathBuf::from(words.remove(1));
        words.remove(0);
        let program = PathBuf::from(&words[0]);
        return run(&program, &words, Some(&order));
    }
    if std::env::var_os("FORK_SERVER").is_some() {
        // Kept, it would be one process for all of its calls. So each has a process of its own, as an order expects.
        return ExitCode::from(BROKEN);
    }
    let order = find_order(&own, &words);
    let mut real = own.into_os_string();
    real.push(".real");
    run(Path::new(&real), &words, order.as_deref())
}

fn run(program: &Path, words: &[OsString], order: Option<&Path>) -> ExitCode {
    let mut command = Command::new(program);
    command.arg0(&words[0]).args(&words[1..]);
    match order.and_then(take) {
        Some((order, seen)) => tracer::run(&mut command, order, &seen),
        None => {
            let _ = command.exec();
            ExitCode::from(BROKEN)
        }
    }
}

/// The order that is meant for this call of a program, if there is one.
fn find_order(own: &Path, words: &[OsString]) -> Option<PathBuf> {
    let faults = own.ancestors().nth(2)?.join("faults");
    let name = own.file_name()?.to_owned();
    let with = |word: &OsString| [name.as_bytes(), b":", word.as_bytes()].concat();
    let words = words.iter().skip(1).filter(|word| !word.as_bytes().contains(&b'/'));
    let names = std::iter::once(name.as_bytes().to_vec()).chain(words.map(with));
    names.map(|name| faults.join(OsStr::from_bytes(&name))).find(|path| path.exists())
}

/// Takes an order, so that nobody else does; also the path for what is seen.
fn take(path: &Path) -> Option<(Order, PathBuf)> {
    let beside = |end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let taken = beside(".taken");
    fs::rename(path, &taken).ok()?;
    let order = fs::read_to_string(&taken).ok()?.parse().ok()?;
    Some((order, beside(".seen")))
}

/// Where we cannot change a call nothing is traced, and the laboratory says so.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod tracer {
    pub fn run(_: &mut super::Command, _: super::Order, _: &super::Path) -> super::ExitCode {
        super::ExitCode::from(super::BROKEN)
    }
}
