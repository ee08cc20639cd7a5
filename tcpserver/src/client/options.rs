//! What the command line of `tcpclient` asks for.

use std::net::IpAddr;
use std::time::Duration;
use unix::failure::Failure;
use unix::number;
use unix::options::Opt;
use unix::program::Invocation;

/// How much is said on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verbosity {
    /// Nothing (-q).
    Silent,
    /// What goes wrong (-Q).
    Errors,
    /// The address that was reached as well (-v).
    All,
}

/// How long a connection may take to come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patience {
    /// In the first round.
    pub first: Duration,
    /// For what took longer in the first round; zero: that was all.
    pub second: Duration,
}

/// The whole command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub verbosity: Verbosity,
    /// Small packets go out at once (TCP_NODELAY).
    pub no_delay: bool,
    /// The name of the other side is looked up.
    pub look_up: bool,
    /// The name of this side; without one it is looked up.
    pub local_name: Option<Vec<u8>>,
    /// How long an ident server may take; `None`: it is not asked.
    pub ident: Option<Duration>,
    pub local_ip: Option<IpAddr>,
    /// 0: the kernel chooses.
    pub local_port: u16,
    pub patience: Patience,
    pub host: Vec<u8>,
    pub port: Vec<u8>,
    /// The program and its arguments; never empty.
    pub program: Vec<Vec<u8>>,
}

/// Reads the command line. The verbosity is known even when the operands are not right.
pub(super) fn read(invocation: &Invocation) -> Result<(Verbosity, Result<Options, Failure>), Failure> {
    let mut letters = invocation.options(LETTERS);
    let mut raw = Raw::default();
    while let Some(option) = letters.next_option().map_err(|error| error.with_usage(USAGE))? {
        raw.apply(option)?;
    }
    Ok((raw.verbosity, raw.finish(letters.operands())))
}

/// Options as they come in, each letter overriding what went before.
struct Raw {
    verbosity: Verbosity,
    no_delay: bool,
    look_up: bool,
    local_name: Option<Vec<u8>>,
    ident: bool,
    ident_seconds: u64,
    local_ip: Option<IpAddr>,
    local_port: u16,
    patience: Patience,
}

impl Default for Raw {
    fn default() -> Raw {
        Raw {
            verbosity: Verbosity::Errors,
            no_delay: false,
            look_up: true,
            local_name: None,
            ident: true,
            ident_seconds: 26,
            local_ip: None,
            local_port: 0,
            patience: Patience { first: Duration::from_secs(2), second: Duration::from_secs(58) },
        }
    }
}

impl Raw {
    fn apply(&mut self, option: Opt) -> Result<(), Failure> {
        match option.letter {
            b'q' => self.verbosity = Verbosity::Silent,
            b'Q' => self.verbosity = Verbosity::Errors,
            b'v' => self.verbosity = Verbosity::All,
            b'd' => self.no_delay = false,
            b'D' => self.no_delay = true,
            b'h' => self.look_up = true,
            b'H' => self.look_up = false,
            b'l' => self.local_name = Some(option.argument),
            b'r' => self.ident = true,
            b'R' => self.ident = false,
            b't' => self.ident_seconds = option.number(),
            b'i' => self.local_ip = Some(address(&option.argument).ok_or_else(|| Failure::usage(USAGE))?),
            b'p' => {
                let port = u16::try_from(option.number());
                self.local_port =
                    port.map_err(|_| Failure::permanent([&b"not a port: "[..], &option.argument].concat()))?;
            }
            b'T' => self.patience = patience(&option.argument),
            _ => return Err(Failure::usage(USAGE)),
        }
        Ok(())
    }

    fn finish(self, operands: &[Vec<u8>]) -> Result<Options, Failure> {
        let [host, port, program @ ..] = operands else { return Err(Failure::usage(USAGE)) };
        if program.is_empty() {
            return Err(Failure::usage(USAGE));
        }
        let ident_time = Duration::from_secs(self.ident_seconds);
        Ok(Options {
            verbosity: self.verbosity,
            no_delay: self.no_delay,
            look_up: self.look_up,
            local_name: self.local_name,
            ident: self.ident.then_some(ident_time),
            local_ip: self.local_ip,
            local_port: self.local_port,
            patience: self.patience,
            host: host.clone(),
            port: port.clone(),
            program: program.to_vec(),
        })
    }
}

fn address(text: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// `x+y` seconds, or `x` for one round.
fn patience(text: &[u8]) -> Patience {
    let (first, length) = number::scan(text);
    let rest = text.get(length..).and_then(|rest| rest.strip_prefix(b"+"));
    let second = rest.map_or(0, |digits| number::scan(digits).0);
    Patience { first: Duration::from_secs(first), second: Duration::from_secs(second) }
}

const LETTERS: &str = "dDvqQhHrRi:p:t:T:l:";

const USAGE: &str = "tcpclient [ -hHrRdDqQv ] [ -i localip ] [ -p localport ] [ -T timeoutconn ] \
    [ -l localname ] [ -t timeoutinfo ] host port program";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options, Failure> {
        let arguments = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        read(&Invocation { name: "tcpclient", called_as: b"tcpclient".to_vec(), arguments })?.1
    }

    #[test]
    fn times_are_for_one_round_or_two() {
        let seconds = |text: &str| {
            let Patience { first, second } = patience(text.as_bytes());
            (first.as_secs(), second.as_secs())
        };
        assert_eq!(seconds("1+3"), (1, 3));
        assert_eq!(seconds("7"), (7, 0));
        assert_eq!(seconds("1+x"), (1, 0));
        assert_eq!(parse(&["0", "1", "p"]).unwrap().patience, patience(b"2+58"));
    }

    #[test]
    fn a_local_address_must_be_one() {
        let local = parse(&["-i", "192.0.2.1", "-p", "20", "0", "1", "p"]).unwrap();
        assert_eq!((local.local_ip.unwrap(), local.local_port), ("192.0.2.1".parse().unwrap(), 20));
        assert!(parse(&["-i", "1.2.3", "0", "1", "p"]).is_err());
        assert!(parse(&["-p70000", "0", "1", "p"]).is_err());
    }

    #[test]
    fn host_port_and_program_are_needed() {
        for words in [&[][..], &["0"], &["0", "25"]] {
            assert!(parse(words).is_err(), "{words:?}");
        }
    }
}
