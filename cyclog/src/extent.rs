//! Where a log file ends. No I/O.

/// How long a file may be, and from where on it prefers to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Bytes that a file may have.
    pub size: u64,
    /// A newline ends the file when at most so many bytes of `size`, itself among them, were left.
    pub margin: u64,
}

/// What of some bytes goes into a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// So many bytes from the start.
    pub length: usize,
    /// Whether the file is complete with them.
    pub ends_file: bool,
}

impl Extent {
    /// What of `bytes` goes into a file that holds `written` bytes and is not complete.
    ///
    /// `written + part.length <= size`, and a part that does not end the file is all of `bytes`.
    pub fn part(&self, written: u64, bytes: &[u8]) -> Part {
        let room = usize::try_from(self.size.saturating_sub(written)).unwrap_or(usize::MAX);
        let fitting = bytes.get(..room).unwrap_or(bytes);
        // The newline that ends the file is its byte number size - margin, counted from 0, or a later one.
        let before = self.size.saturating_sub(self.margin).saturating_sub(written);
        let skipped = usize::try_from(before).unwrap_or(usize::MAX);
        let newline = fitting.get(skipped..).and_then(|late| memchr::memchr(b'\n', late));
        match newline {
            Some(at) => Part { length: skipped.saturating_add(at).saturating_add(1), ends_file: true },
            None => Part { length: fitting.len(), ends_file: fitting.len() == room },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{ProptestConfig, any, proptest};

    /// The files that input makes when it comes in pieces.
    fn files(extent: Extent, pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut files = vec![Vec::new()];
        let mut complete = false;
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() {
                if complete {
                    files.push(Vec::new());
                }
                let file = files.last_mut().unwrap();
                let part = extent.part(file.len() as u64, rest);
                file.extend_from_slice(&rest[..part.length]);
                rest = &rest[part.length..];
                complete = part.ends_file;
                assert!(complete || rest.is_empty());
            }
        }
        files
    }

    fn lengths(extent: Extent, input: &[u8]) -> Vec<usize> {
        files(extent, &[input]).iter().map(Vec::len).collect()
    }

    #[test]
    fn a_file_ends_at_the_first_newline_in_the_margin() {
        let input: String = (1..=400).map(|number| format!("{number}\n")).collect();
        let extent = Extent { size: 600, margin: 50 };
        assert_eq!(lengths(extent, input.as_bytes()), [552, 552, 388]);
    }

    #[test]
    fn a_file_without_a_newline_in_the_margin_ends_at_its_size() {
        let extent = Extent { size: 600, margin: 50 };
        assert_eq!(lengths(extent, &[b'x'; 1300]), [600, 600, 100]);
        assert_eq!(lengths(extent, &[b'x'; 1200]), [600, 600]);
        let early = [&[b'x'; 549][..], b"\n", &[b'x'; 100]].concat();
        assert_eq!(lengths(extent, &early), [600, 50]);
        let first_in_margin = [&[b'x'; 550][..], b"\n", &[b'x'; 100]].concat();
        assert_eq!(lengths(extent, &first_in_margin), [551, 100]);
    }

    #[test]
    fn without_margin_newlines_do_not_matter_and_a_large_one_ends_a_file_at_each() {
        assert_eq!(lengths(Extent { size: 512, margin: 0 }, &[b'\n'; 1000]), [512, 488]);
        assert_eq!(lengths(Extent { size: 600, margin: 9999 }, b"one\ntwo\nx"), [4, 4, 1]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn what_goes_in_is_what_the_files_hold(
            input in proptest::collection::vec(any::<u8>(), 0..600), at in 0_usize..600,
            size in 1_u64..100, margin in 0_u64..120,
        ) {
            let extent = Extent { size, margin };
            let text: Vec<u8> = input.iter().map(|byte| if byte % 8 == 0 { b'\n' } else { *byte }).collect();
            let (head, tail) = text.split_at(at.min(text.len()));
            let files = files(extent, &[head, tail]);
            assert_eq!(files.concat(), text);
            assert_eq!(files, super::tests::files(extent, &[&text]));
            let (_, complete) = files.split_last().unwrap();
            for file in complete {
                let length = file.len() as u64;
                assert!(length == size || length < size && length + margin > size && file.ends_with(b"\n"));
            }
        }
    }
}
