//! The environment as bytes, and the edits that a program makes before it runs another.

use std::ffi::{CString, OsString};
use std::io;
use std::os::unix::ffi::OsStringExt;

/// The value of one variable of this process.
pub fn get(name: &str) -> Option<Vec<u8>> {
    std::env::var_os(name).map(OsString::into_vec)
}

/// A set of variables to run a program with. Names are unique; order does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    variables: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Environment {
    /// What this process was given.
    pub fn inherited() -> Environment {
        let variables =
            std::env::vars_os().map(|(name, value)| (name.into_vec(), value.into_vec())).collect();
        Environment { variables }
    }

    /// No variables at all.
    pub fn empty() -> Environment {
        Environment::default()
    }

    /// Sets one variable, in place of any value that it had.
    pub fn set(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.remove(name.as_ref());
        self.variables.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
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
        self.variables.retain(|(known, _)| known != name.as_ref());
    }

    /// The value of one variable.
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        self.variables.iter().find(|(known, _)| known == name.as_ref()).map(|(_, value)| value.as_slice())
    }

    /// `NAME=value` strings for `execve`. A NUL inside a name or value is an error, never a cut.
    pub(crate) fn to_strings(&self) -> io::Result<Vec<CString>> {
        self.variables
            .iter()
            .map(|(name, value)| Ok(CString::new([name.as_slice(), b"=", value].concat())?))
            .collect()
    }
}
