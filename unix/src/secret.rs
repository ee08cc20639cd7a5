//! Bytes that nobody is to find in memory later: passwords.

use std::ops::Deref;

/// Bytes that are overwritten when they are no longer needed. They are never moved to another place meanwhile.
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Room for so many bytes, all of them 0.
    pub fn zeroed(length: usize) -> Secret {
        Secret(vec![0; length].into_boxed_slice())
    }

    /// A copy of these bytes.
    pub fn copy_of(bytes: &[u8]) -> Secret {
        Secret(bytes.into())
    }

    /// The bytes, to be written.
    pub fn room(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Deref for Secret {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Overwrites bytes with zeroes, whether or not anybody reads them again.
pub fn wipe(bytes: &mut [u8]) {
    for byte in bytes {
        // SAFETY: the pointer comes from a reference, so it may be written; u8 needs no drop. A plain assignment before the
        // memory is given back would be left out by the compiler.
        unsafe { std::ptr::write_volatile(byte, 0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wiped_is_zero() {
        let mut bytes = *b"password";
        wipe(&mut bytes);
        assert_eq!(bytes, [0; 8]);
        let mut secret = Secret::zeroed(3);
        secret.room().copy_from_slice(b"abc");
        assert_eq!(&*secret, b"abc");
        assert_eq!(&*Secret::copy_of(b"xy"), b"xy");
    }
}
