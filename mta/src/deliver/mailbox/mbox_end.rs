//! The end of an mbox, where the next message goes, and what a writer that was interrupted has left there.
//!
//! A power cut during a delivery may leave the file longer than what was written: NULs stand for the rest. Or the last message
//! is a part of one, with neither its newline nor the blank line. A message that is written behind either of them would not begin
//! at a line of its own, and no reader would find it.

use std::io::{self, Read, Seek, SeekFrom};

const BLOCK: u64 = 4096;

/// Where the next message goes.
#[derive(Debug, PartialEq, Eq)]
pub struct End {
    /// How long the text is, without NULs behind it: no message ends in one, for a newline follows each.
    pub length: u64,
    /// What the text lacks, so that the next message begins with a line of its own after a blank one.
    pub separator: &'static [u8],
}

/// Finds the end.
pub fn find(mbox: &mut (impl Read + Seek)) -> io::Result<End> {
    let length = length_without_nuls(mbox)?;
    mbox.seek(SeekFrom::Start(length.saturating_sub(2)))?;
    let mut end = Vec::new();
    mbox.take(length.min(2)).read_to_end(&mut end)?;
    let separator: &[u8] = match end.as_slice() {
        b"" | b"\n\n" => b"",
        [.., b'\n'] => b"\n",
        _ => b"\n\n",
    };
    Ok(End { length, separator })
}

fn length_without_nuls(mbox: &mut (impl Read + Seek)) -> io::Result<u64> {
    let mut length = mbox.seek(SeekFrom::End(0))?;
    while length > 0 {
        let start = length.saturating_sub(1) / BLOCK * BLOCK;
        mbox.seek(SeekFrom::Start(start))?;
        let mut block = Vec::new();
        mbox.take(length.saturating_sub(start)).read_to_end(&mut block)?;
        if let Some(last) = block.iter().rposition(|byte| *byte != 0) {
            let text = u64::try_from(last).map_err(io::Error::other)?.saturating_add(1);
            return Ok(start.saturating_add(text));
        }
        length = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_at_the_end_is_known_and_nuls_are_no_text() {
        let end_of = |text: &[u8]| find(&mut io::Cursor::new(text)).unwrap();
        let end = |length, separator| End { length, separator };
        assert_eq!(end_of(b""), end(0, b""));
        assert_eq!(end_of(b"x\n\n"), end(3, b""));
        assert_eq!(end_of(b"\0x\n"), end(3, b"\n"));
        assert_eq!(end_of(b"x"), end(1, b"\n\n"));
        assert_eq!(end_of(b"x\n\n\0\0"), end(3, b""));
        assert_eq!(end_of(b"\0\0\0"), end(0, b""));
        let torn = [&b"x".repeat(5000)[..], &b"\0".repeat(10_000)].concat();
        assert_eq!(end_of(&torn), end(5000, b"\n\n"));
    }
}
