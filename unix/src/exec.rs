//! Becoming another program: the suite's search along PATH, and its rules for which error counts.

use crate::environment::Environment;
use nix::errno::Errno;
use std::convert::Infallible;
use std::ffi::{CStr, CString};
use std::io;

/// Where `PATH` points when it is not set.
const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin";

/// How a program is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// The name is a path; PATH is not looked at.
    Direct,
    /// Along PATH; a script without `#!` fails with "exec format error", as in daemontools 0.76.
    Path,
    /// Along PATH; a script without `#!` is run by `/bin/sh`, as `execvp` and daemontools 0.53 do.
    PathOrShell,
}

/// Replaces this process by `words[0]` with the arguments `words`. Returns only if that failed.
///
/// With a search, a name that contains `/` is run directly. A missing file moves on to the next directory;
/// one that may not be run is remembered and reported if nothing else is found; anything else ends the search.
pub fn exec(words: &[Vec<u8>], environment: &Environment, search: Search) -> io::Error {
    exec_along(environment.get("PATH"), words, environment, search)
}

/// The same with a PATH of the caller's, for a program whose own new PATH is not yet to count.
pub fn exec_along(
    path: Option<&[u8]>,
    words: &[Vec<u8>],
    environment: &Environment,
    search: Search,
) -> io::Error {
    match try_exec(path.unwrap_or(DEFAULT_PATH), words, environment, search) {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

fn try_exec(
    path: &[u8],
    words: &[Vec<u8>],
    environment: &Environment,
    search: Search,
) -> io::Result<Infallible> {
    let strings = environment.to_strings()?;
    let arguments: Vec<CString> =
        words.iter().map(|word| CString::new(word.as_slice())).collect::<Result<_, _>>()?;
    let Some(program) = words.first() else { return Err(Errno::ENOENT.into()) };
    if search == Search::Direct || program.contains(&b'/') {
        return Err(attempt(program, &arguments, &strings, search));
    }
    let mut forbidden = None;
    for directory in path.split(|byte| *byte == b':') {
        let directory: &[u8] = if directory.is_empty() { b"." } else { directory };
        let candidate = [directory, b"/", program].concat();
        let error = attempt(&candidate, &arguments, &strings, search);
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOENT | Errno::ENOTDIR) => {}
            Some(Errno::EACCES | Errno::EPERM | Errno::EISDIR) => forbidden = Some(error),
            _ => return Err(error),
        }
    }
    Err(forbidden.unwrap_or_else(|| Errno::ENOENT.into()))
}

fn attempt(program: &[u8], arguments: &[CString], strings: &[CString], search: Search) -> io::Error {
    let Ok(program) = CString::new(program) else { return Errno::ENOENT.into() };
    let Err(errno) = nix::unistd::execve(&program, arguments, strings);
    if errno != Errno::ENOEXEC || search != Search::PathOrShell {
        return errno.into();
    }
    let shell: &CStr = c"/bin/sh";
    let rest = arguments.iter().skip(1).map(CString::as_c_str);
    let words: Vec<&CStr> = [shell, program.as_c_str()].into_iter().chain(rest).collect();
    let Err(errno) = nix::unistd::execve(shell, &words, strings);
    errno.into()
}
