//! `qsmhook` runs a local delivery agent as sendmail would, with the flags of its mailer line.
//!
//! Reads    fd 0: the message; SENDER, LOCAL, HOST, UFLINE and RPLINE, which qmail-local sets.
//! Writes   the standard input of the agent.
//! Runs as  the owner of the `.qmail` file.   Trusts  its arguments; the agent has to bear what is in an address.
//! Exits    with the agent's status · 100 called wrongly, or no such program · 111 try again.
//! Manual   qsmhook(1).

use super::preline;
use unix::environment::Environment;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};

const USAGE: &str = "qsmhook [ -DFMPlmns ] [ -x prefix ] cmd [ arg ... ]";

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let options = Options::read(invocation)?;
    let delivery = Delivery::read(&invocation.environment(), &options).ok_or(Failure::usage(USAGE))?;
    if options.command.is_empty() {
        return Err(Failure::usage(USAGE));
    }
    let command: Vec<Vec<u8>> = options.command.iter().map(|word| delivery.expand(word)).collect();
    preline::run(invocation, &delivery.lines, &command)
}

/// The flags of sendmail's mailer line that mean something here.
struct Options<'a> {
    /// Without the line `From sender date`.
    without_from: bool,
    /// With the line `Return-Path`.
    with_return_path: bool,
    /// What is taken off the beginning of the local part: the prefix of a virtual domain.
    prefix: Vec<u8>,
    command: &'a [Vec<u8>],
}

impl Options<'_> {
    fn read(invocation: &Invocation) -> Result<Options<'_>, Failure> {
        let (mut without_from, mut with_return_path, mut prefix) = (false, false, Vec::new());
        // What the other letters ask of sendmail is always so: Date, From and Message-ID, a local agent, one
        // recipient at a time, addresses without quotes.
        let mut options = invocation.options("DFMPlmnsx:");
        // A flag that we do not know is no reason to bounce everybody's mail.
        while let Some(option) =
            options.next_option().map_err(|error| error.with_usage(USAGE).with_status(Exit::TEMPORARY))?
        {
            match option.letter {
                b'n' => without_from = true,
                b'P' => with_return_path = true,
                b'x' => prefix = option.argument,
                _ => {}
            }
        }
        Ok(Options { without_from, with_return_path, prefix, command: options.operands() })
    }
}

/// What qmail-local says about the delivery.
struct Delivery {
    /// The lines that go before the message.
    lines: Vec<u8>,
    sender: Vec<u8>,
    user: Vec<u8>,
    host: Vec<u8>,
}

impl Delivery {
    /// `None` if a variable is missing.
    fn read(environment: &Environment, options: &Options<'_>) -> Option<Delivery> {
        let (from, return_path) = (environment.get("UFLINE")?, environment.get("RPLINE")?);
        let local = environment.get("LOCAL")?;
        let wanted = [(!options.without_from, from), (options.with_return_path, return_path)];
        let lines: Vec<&[u8]> =
            wanted.into_iter().filter_map(|(wanted, line)| wanted.then_some(line)).collect();
        Some(Delivery {
            lines: lines.concat(),
            sender: environment.get("SENDER")?.to_vec(),
            user: local.strip_prefix(options.prefix.as_slice()).unwrap_or(local).to_vec(),
            host: environment.get("HOST")?.to_vec(),
        })
    }

    /// An argument with `%u`, `%g` and `%h` replaced; `%%` is a percent sign. Whatever an address has in it, it
    /// stays within this one argument.
    fn expand(&self, word: &[u8]) -> Vec<u8> {
        let mut expanded = Vec::with_capacity(word.len());
        let mut rest = word;
        while let Some((&byte, after)) = rest.split_first() {
            let value: &[u8] = match (byte, after.first()) {
                (b'%', Some(b'u')) => &self.user,
                (b'%', Some(b'g')) => &self.sender,
                (b'%', Some(b'h')) => &self.host,
                (b'%', Some(b'%')) => b"%",
                _ => {
                    expanded.push(byte);
                    rest = after;
                    continue;
                }
            };
            expanded.extend_from_slice(value);
            rest = after.get(1..).unwrap_or_default();
        }
        expanded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_macros_of_a_mailer_line_are_replaced_and_nothing_within_what_replaces_them() {
        let delivery = Delivery {
            lines: Vec::new(),
            sender: b"s%u@x".to_vec(),
            user: b"joe".to_vec(),
            host: b"h.example".to_vec(),
        };
        let expand = |word: &str| String::from_utf8(delivery.expand(word.as_bytes())).unwrap();
        assert_eq!(expand("%g"), "s%u@x");
        assert_eq!(expand("to=%u@%h 100%% %z %"), "to=joe@h.example 100% %z %");
        assert_eq!(expand(""), "");
    }
}
