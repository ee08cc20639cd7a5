//! The command line of this process as `ps` shows it, and writing over its last argument.
//!
//! The kernel shows the memory in which it once put the arguments. Where that lies is noted before main:
//! the C library hands it to the entries of .init_array.

use nix::libc::{c_char, c_int};
use std::ffi::CStr;
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

static LAST_ARGUMENT: AtomicPtr<c_char> = AtomicPtr::new(std::ptr::null_mut());

/// The memory of this process's last argument, without the NUL that ends it.
pub struct LastArgument(&'static [AtomicU8]);

impl LastArgument {
    /// Takes it, once; nothing if there is none, or if the C library does not tell where it is.
    ///
    /// From now on `std::env::args` may give what was written here.
    pub fn take() -> Option<LastArgument> {
        let first = LAST_ARGUMENT.swap(std::ptr::null_mut(), Ordering::Relaxed);
        if first.is_null() {
            return None;
        }
        // SAFETY: the kernel put a string with a NUL at its end there, which nobody has changed: only this
        // type writes to it, and it has not been made before.
        let length = unsafe { CStr::from_ptr(first) }.count_bytes();
        // SAFETY: these bytes lie in the process's stack, which may be written and lasts as long as the process.
        // Nothing else refers to them except strings that are being copied, and those never while a byte is
        // stored: the suite's programs read their arguments before they take this, in the only thread.
        Some(LastArgument(unsafe { std::slice::from_raw_parts(first.cast::<AtomicU8>(), length) }))
    }

    /// How many bytes can be shown.
    pub fn length(&self) -> usize {
        self.0.len()
    }

    /// Shows these bytes; what is over is not shown, and what is missing stays as it was.
    pub fn show(&self, bytes: &[u8]) {
        for (place, byte) in self.0.iter().zip(bytes) {
            place.store(*byte, Ordering::Relaxed);
        }
    }
}

#[cfg(target_env = "gnu")]
extern "C" fn note_last_argument(count: c_int, arguments: *const *mut c_char) {
    let Some(last) = usize::try_from(count).ok().and_then(|count| count.checked_sub(1)) else { return };
    // SAFETY: glibc passes main's argc and argv to each entry of .init_array; argv has argc pointers.
    LAST_ARGUMENT.store(unsafe { *arguments.add(last) }, Ordering::Relaxed);
}

// SAFETY: the loader calls each entry of .init_array once, in the only thread, before main; glibc passes the
// arguments that the function expects. The function uses nothing that Rust's runtime would have to set up.
#[cfg(target_env = "gnu")]
#[used]
#[unsafe(link_section = ".init_array")]
static NOTE_BEFORE_MAIN: extern "C" fn(c_int, *const *mut c_char) = note_last_argument;
