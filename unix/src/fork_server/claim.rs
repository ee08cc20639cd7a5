//! Who may carry out a call: the copy that has come to it first, or its caller, who wants to do without. Never both.

use nix::sys::eventfd::{EfdFlags, EventFd};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// The right to carry out a call, which can be had once. It goes with the call, as a descriptor.
pub(super) struct Claim(File);

impl Claim {
    /// Nobody has it yet.
    pub fn new() -> io::Result<Claim> {
        let event = EventFd::from_value_and_flags(1, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        Ok(Claim::from(OwnedFd::from(event)))
    }

    /// Takes it. False: the other side has it, or it cannot be known. Reading an eventfd(2) sets it to zero, and at zero it cannot be read.
    pub fn take(&self) -> bool {
        (&self.0).read(&mut [0; 8]).is_ok()
    }

    /// The descriptor.
    pub fn number(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl From<OwnedFd> for Claim {
    fn from(descriptor: OwnedFd) -> Claim {
        Claim(File::from(descriptor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_can_be_had_once() {
        let claim = Claim::new().unwrap();
        assert_eq!([claim.take(), claim.take()], [true, false]);
    }
}
