//! Named pipes that hold commands: made once, opened so that they never end.

use crate::file;
use nix::sys::stat::Mode;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// Makes a FIFO with mode 0600. One that is there already is fine.
pub fn make(path: &Path) -> io::Result<()> {
    match nix::unistd::mkfifo(path, Mode::from_bits_truncate(0o600)) {
        Ok(()) | Err(nix::errno::Errno::EEXIST) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Opens a FIFO for reading without waiting for a writer.
///
/// # Errors
/// EPROTO if it is not a FIFO: reading another kind of file would never block.
pub fn open_reader(path: &Path) -> io::Result<File> {
    check(file::open_read(path)?)
}

/// Opens a FIFO for writing without waiting.
///
/// # Errors
/// ENXIO if nobody has it open for reading; EPROTO if it is not a FIFO.
pub fn open_writer(path: &Path) -> io::Result<File> {
    check(file::open_write(path)?)
}

/// The suite's wording for what went wrong when one was opened.
pub fn describe(error: &io::Error) -> &'static str {
    if error.raw_os_error() == Some(nix::libc::EPROTO) {
        "not a fifo"
    } else {
        crate::failure::describe(error)
    }
}

/// Whether opening for writing failed because nobody has the FIFO open for reading.
pub fn has_no_reader(error: &io::Error) -> bool {
    error.raw_os_error() == Some(nix::libc::ENXIO)
}

fn check(file: File) -> io::Result<File> {
    if file.metadata()?.file_type().is_fifo() { Ok(file) } else { Err(nix::errno::Errno::EPROTO.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_reader_and_another_kind_of_file_are_told_apart() {
        let scratch = tempfile::tempdir().expect("a scratch directory");
        let pipe = scratch.path().join("pipe");
        make(&pipe).expect("a new FIFO");
        make(&pipe).expect("the FIFO that is there already");
        assert!(has_no_reader(&open_writer(&pipe).expect_err("nobody reads")));
        let _reader = open_reader(&pipe).expect("a reader that does not wait");
        open_writer(&pipe).expect("a writer beside the reader");

        let plain = scratch.path().join("plain");
        std::fs::write(&plain, "").expect("a regular file");
        assert_eq!(describe(&open_reader(&plain).expect_err("not a FIFO")), "not a fifo");
        assert_eq!(describe(&open_writer(&plain).expect_err("not a FIFO")), "not a fifo");
    }
}
