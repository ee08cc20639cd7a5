//! Options as the suite's users have always typed them: `-s1000`, `-s 1000`, `-RHl0`, `--`.
//!
//! Options end at the first argument that does not start with `-`, at a lone `-` (which stays an operand)
//! or after `--`. An attached empty argument takes the next word. There are no long options.

use crate::failure::Failure;
use crate::number;

/// One option as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opt {
    /// Its letter.
    pub letter: u8,
    /// Its argument; empty for a letter that takes none.
    pub argument: Vec<u8>,
}

impl Opt {
    /// The argument as a number: leading digits, 0 if there are none.
    pub fn number(&self) -> u64 {
        number::scan(&self.argument).0
    }
}

/// An option that the program does not have, or one without its argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionError {
    complaint: Vec<u8>,
}

impl OptionError {
    /// The complaint, followed by the program's usage line; exit 100.
    pub fn with_usage(self, usage: &'static str) -> Failure {
        Failure::bad_option(self.complaint, usage)
    }

    /// The complaint as one line of text, for programs whose usage line has a form of its own.
    pub fn complaint(&self) -> &[u8] {
        &self.complaint
    }
}

/// Reads options from the left; what is left over are the operands.
pub struct Options<'a> {
    called_as: &'a [u8],
    words: &'a [Vec<u8>],
    letters: &'static str,
    /// What is left of a word of clustered letters.
    cluster: &'a [u8],
}

impl<'a> Options<'a> {
    pub(crate) fn new(called_as: &'a [u8], words: &'a [Vec<u8>], letters: &'static str) -> Self {
        Options { called_as, words, letters, cluster: b"" }
    }

    /// The next option, or nothing where the operands begin.
    pub fn next_option(&mut self) -> Result<Option<Opt>, OptionError> {
        if self.cluster.is_empty() {
            let Some((word, rest)) = self.words.split_first() else { return Ok(None) };
            match word.strip_prefix(b"-") {
                None | Some(b"") => return Ok(None),
                Some(b"-") => {
                    self.words = rest;
                    return Ok(None);
                }
                Some(cluster) => {
                    self.cluster = cluster;
                    self.words = rest;
                }
            }
        }
        let Some((&letter, rest)) = self.cluster.split_first() else { return Ok(None) };
        self.cluster = rest;
        match self.takes_argument(letter) {
            None => Err(self.complain(b"illegal option", letter)),
            Some(false) => Ok(Some(Opt { letter, argument: Vec::new() })),
            Some(true) => self.argument_of(letter).map(Some),
        }
    }

    /// Passes over the rest of a word of clustered letters, for an option that swallows whatever is attached.
    pub fn skip_cluster(&mut self) {
        self.cluster = b"";
    }

    /// What follows the options.
    pub fn operands(self) -> &'a [Vec<u8>] {
        self.words
    }

    fn takes_argument(&self, letter: u8) -> Option<bool> {
        let letters = self.letters.as_bytes();
        let at = letters.iter().position(|known| *known == letter && letter != b':')?;
        Some(letters.get(at.saturating_add(1)) == Some(&b':'))
    }

    fn argument_of(&mut self, letter: u8) -> Result<Opt, OptionError> {
        let attached = std::mem::take(&mut self.cluster);
        if !attached.is_empty() {
            return Ok(Opt { letter, argument: attached.to_vec() });
        }
        let Some((word, rest)) = self.words.split_first() else {
            return Err(self.complain(b"option requires an argument", letter));
        };
        self.words = rest;
        Ok(Opt { letter, argument: word.clone() })
    }

    fn complain(&self, what: &[u8], letter: u8) -> OptionError {
        OptionError { complaint: [self.called_as, b": ", what, b" -- ", &[letter]].concat() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(letters: &'static str, words: &[&str]) -> (Vec<(char, String)>, Vec<String>, Option<String>) {
        let words: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let mut options = Options::new(b"prog", &words, letters);
        let mut seen = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        loop {
            match options.next_option() {
                Ok(Some(option)) => seen.push((char::from(option.letter), text(&option.argument))),
                Ok(None) => break,
                Err(error) => return (seen, Vec::new(), Some(text(error.complaint()))),
            }
        }
        (seen, options.operands().iter().map(|word| text(word)).collect(), None)
    }

    #[test]
    fn letters_cluster_and_arguments_attach_or_follow() {
        let (seen, operands, _) = parse("RHl:s:", &["-RHl0", "-s", "12", "host", "-x"]);
        let expected = [('R', ""), ('H', ""), ('l', "0"), ('s', "12")];
        assert_eq!(seen, expected.map(|(letter, argument)| (letter, argument.to_owned())));
        assert_eq!(operands, ["host", "-x"]);
    }

    #[test]
    fn what_is_attached_to_a_letter_can_be_passed_over() {
        let words = [b"-Jabc".to_vec(), b"-x".to_vec()];
        let mut options = Options::new(b"prog", &words, "Jx");
        assert_eq!(options.next_option().unwrap().unwrap().letter, b'J');
        options.skip_cluster();
        assert_eq!(options.next_option().unwrap().unwrap().letter, b'x');
    }

    #[test]
    fn a_lone_dash_is_an_operand_and_two_end_the_options() {
        assert_eq!(parse("a", &["-a", "-", "x"]).1, ["-", "x"]);
        assert_eq!(parse("a", &["-a", "--", "-b"]).1, ["-b"]);
    }

    #[test]
    fn unknown_letters_and_missing_arguments_are_named() {
        assert_eq!(parse("a:", &["-q"]).2.as_deref(), Some("prog: illegal option -- q"));
        assert_eq!(parse("a:", &["-:"]).2.as_deref(), Some("prog: illegal option -- :"));
        assert_eq!(parse("a:", &["-a"]).2.as_deref(), Some("prog: option requires an argument -- a"));
    }
}
