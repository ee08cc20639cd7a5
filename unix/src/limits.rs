//! Resource limits.

pub use nix::sys::resource::Resource;
use nix::sys::resource::{getrlimit, setrlimit};
use std::io;

/// The limit that holds and the one up to which it may be raised. No limit is the largest number.
pub fn soft_and_hard(resource: Resource) -> io::Result<(u64, u64)> {
    Ok(getrlimit(resource)?)
}

/// Sets the limit that holds, and leaves the one up to which it may be raised.
pub fn set_soft(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    Ok(setrlimit(resource, soft, hard)?)
}

/// Raises the number of descriptors that this process may open to the hard limit, and returns it.
pub fn raise_open_files() -> io::Result<u64> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(hard)
}
