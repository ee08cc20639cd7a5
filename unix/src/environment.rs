//! The environment as bytes, and the edits that a program makes before it runs another.

use std::ffi::{OsStr, OsString};
use std::io;
use std::ops::Range;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// The value of one variable of this process.
pub fn get(name: &str) -> Option<Vec<u8>> {
    std::env::var_os(name).map(OsString::into_vec)
}

/// Removes a variable from this process, which has one thread.
pub(crate) fn remove(name: &str) {
    // SAFETY: programs that call this do so before they have a second thread, so nobody reads the environment meanwhile.
    unsafe { std::env::remove_var(name) };
}

/// Makes this the environment of this process, which has one thread: `NAME=value`, each ended by a NUL. What has no name is
/// left out.
pub(crate) fn replace(variables: &[u8]) {
    // SAFETY: as for `remove`; nothing of ours keeps a pointer into the environment.
    unsafe { nix::libc::clearenv() };
    for variable in variables.split(|byte| *byte == 0) {
        let Some(end) = variable.iter().position(|byte| *byte == b'=').filter(|end| *end > 0) else {
            continue;
        };
        let (name, value) = variable.split_at(end);
        let value = value.strip_prefix(b"=").unwrap_or_default();
        // SAFETY: as above; the name is not empty and has no `=`, and neither has a NUL.
        unsafe { std::env::set_var(OsStr::from_bytes(name), OsStr::from_bytes(value)) };
    }
}

/// A set of variables to run a program with. Names are unique; order does not matter.
///
/// It is kept in the form that the kernel takes, so that copying it and handing it over are one copy of bytes each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `NAME=value`, each ended by a NUL.
    block: Vec<u8>,
    /// A name or value had a NUL inside, which no program can be given.
    has_nul: bool,
}

impl Environment {
    /// What this process was given.
    pub fn inherited() -> Environment {
        let mut environment = Environment::empty();
        for (name, value) in std::env::vars_os() {
            environment.push(&name.into_vec(), &value.into_vec());
        }
        environment
    }

    /// No variables at all.
    pub fn empty() -> Environment {
        Environment::default()
    }

    /// Sets one variable, in place of any value that it had.
    pub fn set(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.remove(name.as_ref());
        self.push(name.as_ref(), value.as_ref());
    }

    /// Sets the variable if there is a value and removes it if there is none.
    pub fn set_or_remove(&mut self, name: impl AsRef<[u8]>, value: Option<impl AsRef<[u8]>>) {
        match value {
            Some(value) => self.set(name, value),
            None => self.remove(name),
        }
    }

    /// Removes one variable.
    pub fn remove(&mut self, name: impl AsRef<[u8]>) {
        if let Some(place) = self.find(name.as_ref()) {
            self.block.drain(place);
        }
    }

    /// The value of one variable.
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        let variable = self.block.get(self.find(name.as_ref())?)?;
        value_of(variable, name.as_ref())?.strip_suffix(b"\0")
    }

    /// The `NAME=value` strings for `execve`, each ended by a NUL.
    ///
    /// # Errors
    /// EINVAL if a name or value has a NUL inside, which is never a cut.
    pub(crate) fn strings(&self) -> io::Result<Vec<u8>> {
        if self.has_nul { Err(nix::errno::Errno::EINVAL.into()) } else { Ok(self.block.clone()) }
    }

    fn push(&mut self, name: &[u8], value: &[u8]) {
        self.has_nul |= name.contains(&0) || value.contains(&0);
        for part in [name, b"=", value, b"\0"] {
            self.block.extend_from_slice(part);
        }
    }

    /// Where a variable stands in the block.
    fn find(&self, name: &[u8]) -> Option<Range<usize>> {
        let mut start: usize = 0;
        for variable in self.block.split_inclusive(|byte| *byte == 0) {
            let end = start.saturating_add(variable.len());
            if value_of(variable, name).is_some() {
                return Some(start..end);
            }
            start = end;
        }
        None
    }
}

fn value_of<'a>(variable: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    variable.strip_prefix(name)?.strip_prefix(b"=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_has_one_value_and_no_other_is_taken_for_it() {
        let mut environment = Environment::empty();
        for (name, value) in [("AB", "1"), ("A", "=2"), ("", "3"), ("A", "4=5"), ("B", "")] {
            environment.set(name, value);
        }
        assert_eq!(environment.strings().unwrap(), b"AB=1\0=3\0A=4=5\0B=\0");
        environment.remove("AB");
        let values = ["AB", "A", "", "B"].map(|name| environment.get(name));
        assert_eq!(values, [None, Some(&b"4=5"[..]), Some(b"3"), Some(b"")]);
    }

    #[test]
    fn a_nul_inside_is_an_error() {
        let mut environment = Environment::empty();
        environment.set("A", "b\0C=d");
        assert!(environment.strings().is_err());
    }
}
