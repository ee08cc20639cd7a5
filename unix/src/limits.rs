//! Resource limits.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::io;

/// Raises the number of descriptors that this process may open to the hard limit, and returns it.
pub fn raise_open_files() -> io::Result<u64> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(hard)
}
