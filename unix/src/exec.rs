//! Becoming another program: the suite's search along PATH, and its rules for which error counts.

use crate::environment::Environment;
use nix::errno::Errno;
use nix::libc;
use nix::unistd::AccessFlags;
use std::ffi::{CStr, CString, OsString, c_char};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

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
    let Some(name) = words.first() else { return Errno::ENOENT.into() };
    match Program::along(path, name, words, environment, search) {
        Ok(program) => program.exec(),
        Err(error) => error,
    }
}

/// The file that a name means along this process's own PATH, if there is one that may be run.
pub fn find(name: &[u8]) -> Option<PathBuf> {
    let path = crate::environment::get("PATH");
    let candidates = candidates(name, path.as_deref().unwrap_or(DEFAULT_PATH), Search::Path).ok()?;
    let may_run = |file: &PathBuf| nix::unistd::access(file, AccessFlags::X_OK).is_ok() && file.is_file();
    candidates.into_iter().map(|file| PathBuf::from(OsString::from_vec(file.into_bytes()))).find(may_run)
}

/// A program with its arguments and environment, in the form that the kernel takes: to be run with no memory
/// asked for any more, as a child that shares its parent's has to.
pub struct Program {
    /// Where it may be, in order.
    candidates: Vec<CString>,
    arguments: Strings,
    environment: Strings,
    search: Search,
}

impl Program {
    /// Makes everything ready for [`exec`](Program::exec).
    ///
    /// # Errors
    /// If a word or variable has a NUL inside, or there is no word.
    pub fn prepare(words: &[Vec<u8>], environment: &Environment, search: Search) -> io::Result<Program> {
        let name = words.first().ok_or(Errno::ENOENT)?;
        Program::named(name, words, environment, search)
    }

    /// The same for a program that is told another name than the one that it is found by.
    ///
    /// # Errors
    /// As for [`prepare`](Program::prepare).
    pub fn named(
        name: &[u8],
        words: &[Vec<u8>],
        environment: &Environment,
        search: Search,
    ) -> io::Result<Program> {
        Program::along(environment.get("PATH"), name, words, environment, search)
    }

    fn along(
        path: Option<&[u8]>,
        name: &[u8],
        words: &[Vec<u8>],
        environment: &Environment,
        search: Search,
    ) -> io::Result<Program> {
        let mut arguments = Vec::new();
        for word in words {
            if word.contains(&0) {
                return Err(Errno::EINVAL.into());
            }
            arguments.extend_from_slice(word);
            arguments.push(0);
        }
        Ok(Program {
            candidates: candidates(name, path.unwrap_or(DEFAULT_PATH), search)?,
            arguments: Strings::new(arguments),
            environment: Strings::new(environment.strings()?),
            search,
        })
    }

    /// Becomes the program. Returns only if that failed.
    pub fn exec(&self) -> io::Error {
        self.first_of(|candidate| self.attempt(candidate)).into()
    }

    /// The same by another way of calling the kernel, which gets the path, the arguments and the environment as
    /// `execve` does. Asks for no memory. There is no way round a script without `#!`.
    pub(crate) fn attempt_with(
        &self,
        execve: impl Fn(&CStr, *const *const c_char, *const *const c_char) -> Errno,
    ) -> Errno {
        let (arguments, environment) =
            (self.arguments.addresses.as_ptr(), self.environment.addresses.as_ptr());
        self.first_of(|candidate| execve(candidate, arguments, environment))
    }

    /// Tries the candidates until one runs, and says which error counts if none does.
    fn first_of(&self, attempt: impl Fn(&CStr) -> Errno) -> Errno {
        let mut forbidden = None;
        for candidate in &self.candidates {
            match attempt(candidate) {
                Errno::ENOENT | Errno::ENOTDIR if self.candidates.len() > 1 => {}
                errno @ (Errno::EACCES | Errno::EPERM | Errno::EISDIR) => forbidden = Some(errno),
                errno => return errno,
            }
        }
        forbidden.unwrap_or(Errno::ENOENT)
    }

    fn attempt(&self, candidate: &CStr) -> Errno {
        let errno = execve(candidate, &self.arguments, &self.environment);
        if errno != Errno::ENOEXEC || self.search != Search::PathOrShell {
            return errno;
        }
        let first = self.arguments.block.split_inclusive(|byte| *byte == 0).next().map_or(0, <[u8]>::len);
        let rest = self.arguments.block.get(first..).unwrap_or_default();
        let words = [c"/bin/sh".to_bytes_with_nul(), candidate.to_bytes_with_nul(), rest].concat();
        execve(c"/bin/sh", &Strings::new(words), &self.environment)
    }
}

/// The paths that a name may mean.
fn candidates(name: &[u8], path: &[u8], search: Search) -> io::Result<Vec<CString>> {
    if search == Search::Direct || name.contains(&b'/') {
        return Ok(vec![CString::new(name)?]);
    }
    let directories = path.split(|byte| *byte == b':');
    let in_directory = |directory: &[u8]| {
        let directory = if directory.is_empty() { b"." } else { directory };
        Ok(CString::new([directory, b"/", name].concat())?)
    };
    directories.map(in_directory).collect()
}

/// Strings, and their addresses with a null at the end.
struct Strings {
    /// Each ends in a NUL and has none before that. Never changed, so that the addresses stay true.
    block: Vec<u8>,
    addresses: Vec<*const c_char>,
}

impl Strings {
    fn new(block: Vec<u8>) -> Strings {
        let strings = block.split_inclusive(|byte| *byte == 0);
        let addresses =
            strings.map(|string| string.as_ptr().cast()).chain(std::iter::once(std::ptr::null())).collect();
        Strings { block, addresses }
    }
}

fn execve(path: &CStr, arguments: &Strings, environment: &Strings) -> Errno {
    // SAFETY: both lists are addresses of strings that their owner still holds, with a null at the end.
    unsafe { libc::execve(path.as_ptr(), arguments.addresses.as_ptr(), environment.addresses.as_ptr()) };
    Errno::last()
}
