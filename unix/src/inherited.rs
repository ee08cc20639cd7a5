//! What this process was given, noted before Rust's runtime changes it.
//!
//! The runtime opens `/dev/null` on each of the descriptors 0–2 that is closed. A program that must not take
//! "nothing was given" for "an empty file was given" (`qmail-queue` with its message) asks here.

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};

static CLOSED: AtomicU8 = AtomicU8::new(0);

/// Whether the standard descriptor (0, 1 or 2) was closed when the process started.
pub fn was_closed(number: u8) -> bool {
    number < 3 && CLOSED.load(Ordering::Relaxed) & (1 << number) != 0
}

/// Nothing, if the standard descriptor was open when the process started.
///
/// # Errors
/// EBADF ("file descriptor not open") if it was not.
pub fn check(number: u8) -> io::Result<()> {
    if was_closed(number) { Err(nix::errno::Errno::EBADF.into()) } else { Ok(()) }
}

extern "C" fn note_closed_descriptors() {
    for number in 0..3_u8 {
        // SAFETY: F_GETFD looks at the descriptor table and changes nothing.
        if unsafe { nix::libc::fcntl(i32::from(number), nix::libc::F_GETFD) } == -1 {
            CLOSED.fetch_or(1 << number, Ordering::Relaxed);
        }
    }
}

// SAFETY: the loader calls each entry of .init_array once, in the only thread, before main and so before
// Rust's runtime; the function uses nothing that the runtime would have to set up.
#[used]
#[unsafe(link_section = ".init_array")]
static NOTE_BEFORE_MAIN: extern "C" fn() = note_closed_descriptors;
