//! What lines are selected by: text with stars.

/// What a whole line is compared with.
///
/// A `*` takes everything before the next byte that is the one after the `*`, and never takes more later; at the end
/// it takes everything. Every other byte stands for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<u8>);

impl Pattern {
    /// The pattern that such a text is. Every text is one.
    pub fn new(text: &[u8]) -> Pattern {
        Pattern(text.to_vec())
    }

    /// Whether it fits the whole line.
    pub fn matches(&self, line: &[u8]) -> bool {
        let mut rest = line;
        let mut pattern = self.0.iter();
        while let Some(byte) = pattern.next() {
            let skipped = match (byte, pattern.as_slice().first()) {
                (b'*', None) => return true,
                // The byte after the star is compared next; that it may be a star again is the original's way.
                (b'*', Some(end)) => match memchr::memchr(*end, rest) {
                    Some(at) => at,
                    None => return false,
                },
                (byte, _) if rest.first() == Some(byte) => 1,
                _ => return false,
            };
            rest = rest.get(skipped..).unwrap_or_default();
        }
        rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, line: &str) -> bool {
        Pattern::new(pattern.as_bytes()).matches(line.as_bytes())
    }

    #[test]
    fn the_whole_line_must_match() {
        assert!(matches("abc", "abc") && matches("", ""));
        assert!(!matches("abc", "abcd") && !matches("abc", "ab") && !matches("", "a"));
    }

    #[test]
    fn a_star_takes_the_shortest_run_and_never_goes_back() {
        assert!(matches("ab*cd*e", "abxcdye"));
        assert!(!matches("ab*cd*e", "abccde"));
        assert!(matches("* status: *", "@4000000037c219bf2ef02e94 status: exit 0"));
        assert!(matches("*", "") && matches("a*", "a") && !matches("*a", "aa"));
    }

    #[test]
    fn a_star_after_a_star_waits_for_a_star_in_the_line() {
        assert!(matches("**", "ab*") && matches("**", "ab*cd"));
        assert!(!matches("**", "ab"));
    }
}
