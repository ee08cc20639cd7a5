//! Waiting for descriptors and the clock at the same time.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// What to wait for on one descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Something to read, or the end.
    Read,
    /// Room to write, or nobody left to read.
    Write,
}

/// Waits until a descriptor is ready, the time is over (`None`: no limit) or a signal was caught.
///
/// The answer has one entry for each descriptor, in order: ready or not. A signal gives "none ready".
/// A time-out is rounded up to whole milliseconds, so that nobody wakes a moment too early and spins.
pub fn wait(descriptors: &[(BorrowedFd<'_>, Interest)], limit: Option<Duration>) -> io::Result<Vec<bool>> {
    let mut polled: Vec<PollFd<'_>> = descriptors
        .iter()
        .map(|(descriptor, interest)| {
            let flags = match interest {
                Interest::Read => PollFlags::POLLIN,
                Interest::Write => PollFlags::POLLOUT,
            };
            PollFd::new(*descriptor, flags)
        })
        .collect();
    match nix::poll::poll(&mut polled, timeout(limit)) {
        Ok(_) => Ok(polled.iter().map(|entry| entry.any().unwrap_or(true)).collect()),
        Err(Errno::EINTR) => Ok(vec![false; polled.len()]),
        Err(errno) => Err(errno.into()),
    }
}

/// Waits for one descriptor; whether it became ready in time.
pub fn wait_one(descriptor: BorrowedFd<'_>, interest: Interest, limit: Option<Duration>) -> io::Result<bool> {
    Ok(wait(&[(descriptor, interest)], limit)?.first().copied().unwrap_or(false))
}

fn timeout(limit: Option<Duration>) -> PollTimeout {
    let Some(limit) = limit else { return PollTimeout::NONE };
    let milliseconds = limit.as_nanos().div_ceil(1_000_000);
    i32::try_from(milliseconds)
        .ok()
        .and_then(|number| PollTimeout::try_from(number).ok())
        .unwrap_or(PollTimeout::MAX)
}
