//! The loop of a program that stands in a pipe: what one read gives is changed and written before the next
//! read, so that nothing waits inside while the program does.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use unix::descriptor;
use unix::failure::Failure;
use unix::poll::{Interest, wait_one};
use unix::program::Exit;

/// What a filter does to the bytes that pass through it.
pub trait Filter {
    /// Takes the next bytes of input and appends to `output` what is to be written.
    fn change(&mut self, input: &[u8], output: &mut Vec<u8>);

    /// The input has ended: appends what was held back.
    fn finish(&mut self, output: &mut Vec<u8>);
}

/// Copies standard input to standard output through the filter.
///
/// A read error counts as the end of the input, exit 0, as in the original programs.
///
/// # Errors
/// A write that fails ends the program with 111 and no message.
pub fn run(filter: &mut impl Filter) -> Result<Exit, Failure> {
    copy(filter, |_| Ok(()))
}

/// Copies standard input to standard output through the filter.
///
/// # Errors
/// A read or write that fails ends the program with 111 and no message.
pub fn run_strictly(filter: &mut impl Filter) -> Result<Exit, Failure> {
    copy(filter, |_| Err(Failure::silent(Exit::TEMPORARY)))
}

fn copy(
    filter: &mut impl Filter,
    unreadable: impl FnOnce(io::Error) -> Result<(), Failure>,
) -> Result<Exit, Failure> {
    let mut input = vec![0; READ_SIZE];
    let mut output = Vec::new();
    let ended = loop {
        match read_some(&mut input) {
            Ok(0) => break Ok(()),
            Ok(length) => pass(filter, input.get(..length).unwrap_or_default(), &mut output, write)?,
            Err(error) => break unreadable(error),
        }
    };
    filter.finish(&mut output);
    write(&output)?;
    ended.map(|()| Exit::SUCCESS)
}

/// Changes the bytes and writes all that comes of it. `output` is memory to use, empty before and after, which
/// does not grow with the bytes.
pub fn pass(
    filter: &mut impl Filter,
    bytes: &[u8],
    output: &mut Vec<u8>,
    mut write: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for piece in bytes.chunks(PIECE_SIZE) {
        filter.change(piece, output);
        if output.len() >= READ_SIZE {
            write(output)?;
            output.clear();
        }
    }
    write(output)?;
    output.clear();
    Ok(())
}

/// The first line of the text, with its newline if it has come, and what follows it.
pub fn split_line(text: &[u8]) -> (&[u8], &[u8]) {
    let length = memchr::memchr(b'\n', text).map_or(text.len(), |at| at.saturating_add(1));
    text.split_at_checked(length).unwrap_or((text, b""))
}

/// Reads what standard input has, waiting until it has something; 0 is the end.
pub fn read_some(buffer: &mut [u8]) -> io::Result<usize> {
    let mut input = descriptor::input();
    loop {
        match input.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Whoever else has the descriptor made it non-blocking.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                wait_one(input.as_fd(), Interest::Read, None)?;
            }
            result => return result,
        }
    }
}

fn write(bytes: &[u8]) -> Result<(), Failure> {
    descriptor::output().write_all(bytes).map_err(|_| Failure::silent(Exit::TEMPORARY))
}

/// The size of a pipe on Linux: one read can empty it.
const READ_SIZE: usize = 64 * 1024;
/// Input that is changed between two looks at the size of the output, which bounds the memory.
const PIECE_SIZE: usize = 4096;
