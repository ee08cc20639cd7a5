//! How qmail-inject was asked to work: its options, and the letters of the variable QMAILINJECT.

use unix::environment::Environment;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};

/// The command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where recipients come from.
    pub recipients: RecipientSource,
    /// The envelope sender of the last `-f`.
    pub sender: Option<Vec<u8>>,
    /// What becomes of the message.
    pub destination: Destination,
    /// Recipients given as arguments.
    pub arguments: Vec<Vec<u8>>,
}

/// Where recipients come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecipientSource {
    /// `-a`
    Arguments,
    /// `-h`, and what the absence of arguments means without an option.
    Header,
    /// `-H`
    ArgumentsAndHeader,
}

/// What becomes of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// `-N`: the queue.
    Queue,
    /// `-n`: standard output.
    Print,
}

impl Options {
    /// Reads the command line.
    ///
    /// # Errors
    /// Permanent, with getopt's complaint alone: there is no usage line.
    pub fn parse(invocation: &Invocation) -> Result<Options, Failure> {
        let mut source = None;
        let mut sender = None;
        let mut destination = Destination::Queue;
        let mut options = invocation.options("aAhHnNf:");
        let complain =
            |error: unix::options::OptionError| Failure::verbatim(Exit::PERMANENT, error.complaint());
        while let Some(option) = options.next_option().map_err(complain)? {
            match option.letter {
                b'a' => source = Some(RecipientSource::Arguments),
                b'A' => source = None,
                b'h' => source = Some(RecipientSource::Header),
                b'H' => source = Some(RecipientSource::ArgumentsAndHeader),
                b'n' => destination = Destination::Print,
                b'N' => destination = Destination::Queue,
                _ => sender = Some(option.argument),
            }
        }
        let arguments = options.operands().to_vec();
        let usual = if arguments.is_empty() { RecipientSource::Header } else { RecipientSource::Arguments };
        Ok(Options { recipients: source.unwrap_or(usual), sender, destination, arguments })
    }
}

/// What the letters of QMAILINJECT ask for; unknown letters ask for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// `c`: the personal name in From stands in a comment after the address.
    pub name_as_comment: bool,
    /// `s`: a Return-Path field that comes in is ignored.
    pub drop_return_path: bool,
    /// `f`: a From field that comes in is ignored.
    pub drop_from: bool,
    /// `i`: a Message-ID field that comes in is ignored.
    pub drop_message_id: bool,
    /// `r`: the sender is different for each recipient.
    pub sender_per_recipient: bool,
    /// `m`: the sender is different for each message.
    pub sender_per_message: bool,
}

impl Wishes {
    /// Reads the variable.
    pub fn from_environment(environment: &Environment) -> Wishes {
        let letters = environment.get("QMAILINJECT").unwrap_or_default();
        let asked = |letter: u8| letters.contains(&letter);
        Wishes {
            name_as_comment: asked(b'c'),
            drop_return_path: asked(b's'),
            drop_from: asked(b'f'),
            drop_message_id: asked(b'i'),
            sender_per_recipient: asked(b'r'),
            sender_per_message: asked(b'm'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options, Failure> {
        let arguments = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        Options::parse(&Invocation { name: "qmail-inject", called_as: b"qmail-inject".to_vec(), arguments })
    }

    #[test]
    fn without_an_option_arguments_are_the_recipients_if_there_are_any() {
        assert_eq!(parse(&[]).unwrap().recipients, RecipientSource::Header);
        assert_eq!(parse(&["joe"]).unwrap().recipients, RecipientSource::Arguments);
        assert_eq!(parse(&["-h", "-A", "joe"]).unwrap().recipients, RecipientSource::Arguments);
        assert_eq!(parse(&["-a"]).unwrap().recipients, RecipientSource::Arguments);
        assert_eq!(parse(&["-aH", "joe"]).unwrap().recipients, RecipientSource::ArgumentsAndHeader);
    }

    #[test]
    fn the_last_sender_and_the_last_destination_win() {
        let options = parse(&["-nfa", "-f", "b", "-N", "--", "-x"]).unwrap();
        assert_eq!(options.sender.as_deref(), Some(&b"b"[..]));
        assert_eq!(options.destination, Destination::Queue);
        assert_eq!(options.arguments, [b"-x"]);
    }

    #[test]
    fn an_unknown_option_cannot_be_helped_by_trying_again() {
        assert_eq!(parse(&["-Q"]).unwrap_err().exit(), Exit::PERMANENT);
        assert_eq!(parse(&["-f"]).unwrap_err().exit(), Exit::PERMANENT);
    }

    #[test]
    fn unknown_letters_of_qmailinject_ask_for_nothing() {
        let mut environment = Environment::empty();
        environment.set("QMAILINJECT", "xrz c");
        let expected = Wishes { name_as_comment: true, sender_per_recipient: true, ..Wishes::default() };
        assert_eq!(Wishes::from_environment(&environment), expected);
    }
}
