//! What the command line of `tcpserver` asks for.

use super::peers::PeerLimits;
use crate::rules::block::Block;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;
use unix::failure::Failure;
use unix::options::Opt;
use unix::program::Invocation;
use unix::{environment, number};

/// How much is said on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verbosity {
    /// Nothing, not even why the program ends (-q).
    Silent,
    /// What goes wrong (-Q).
    Errors,
    /// Each connection as well (-v).
    All,
}

/// Whether the name of the peer is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PeerName {
    /// It is not (-H).
    Unknown,
    /// It is (-h).
    AsClaimed,
    /// It is, and forgotten unless it has the address of the peer (-p).
    Confirmed,
}

/// The access rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    pub path: PathBuf,
    /// Everybody may connect while there is no such file (-X).
    pub may_be_absent: bool,
}

/// The whole command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub verbosity: Verbosity,
    /// Children at a time.
    pub limit: u64,
    /// Of those, how many one peer may have (-C, -n, -f).
    pub peer_limits: PeerLimits,
    pub backlog: i32,
    /// Other servers may listen on the same port: the one that takes over, in a restart (-S).
    pub share_port: bool,
    /// Those who connect for others and say for whom. If there are any, nobody else is served (-Y).
    pub balancers: Vec<Block>,
    /// The program is kept, and copies itself for each connection (-k).
    pub keep_program: bool,
    pub rules: Option<Rules>,
    pub banner: Vec<u8>,
    /// 0: the group and groups stay.
    pub gid: u32,
    /// 0: the user stays.
    pub uid: u32,
    pub print_port: bool,
    /// Small packets go out at once (TCP_NODELAY).
    pub no_delay: bool,
    pub keep_ip_options: bool,
    pub peer_name: PeerName,
    /// The name of this side; without one it is looked up.
    pub local_name: Option<Vec<u8>>,
    /// How long an ident server of the peer may take; `None`: it is not asked.
    pub ident: Option<Duration>,
    pub host: Vec<u8>,
    pub port: Vec<u8>,
    /// The program and its arguments; never empty.
    pub program: Vec<Vec<u8>>,
}

/// Options as they come in, each letter overriding what went before.
struct Raw {
    options: Options,
    look_up: bool,
    paranoid: bool,
    ident: bool,
    ident_seconds: u64,
    rules: Option<PathBuf>,
    rules_may_be_absent: bool,
}

/// Reads the command line. The verbosity is known even when the operands are not right.
pub(super) fn read(invocation: &Invocation) -> Result<(Verbosity, Result<Options, Failure>), Failure> {
    let mut letters = invocation.options(LETTERS);
    let mut raw = Raw::default();
    while let Some(option) = letters.next_option().map_err(|error| error.with_usage(USAGE))? {
        raw.apply(option)?;
    }
    let verbosity = raw.options.verbosity;
    Ok((verbosity, raw.finish(letters.operands())))
}

impl Default for Raw {
    fn default() -> Raw {
        let options = Options {
            verbosity: Verbosity::Errors,
            limit: 40,
            peer_limits: PeerLimits::default(),
            share_port: false,
            balancers: Vec::new(),
            backlog: i32::from(u16::MAX),
            keep_program: false,
            rules: None,
            banner: Vec::new(),
            gid: 0,
            uid: 0,
            print_port: false,
            no_delay: false,
            keep_ip_options: false,
            peer_name: PeerName::AsClaimed,
            local_name: None,
            ident: None,
            host: Vec::new(),
            port: Vec::new(),
            program: Vec::new(),
        };
        Raw {
            options,
            look_up: true,
            paranoid: false,
            ident: true,
            ident_seconds: 26,
            rules: None,
            rules_may_be_absent: false,
        }
    }
}

impl Raw {
    fn apply(&mut self, option: Opt) -> Result<(), Failure> {
        let Raw { options, .. } = self;
        match option.letter {
            b'q' => options.verbosity = Verbosity::Silent,
            b'Q' => options.verbosity = Verbosity::Errors,
            b'v' => options.verbosity = Verbosity::All,
            b'c' => options.limit = option.number(),
            b'C' => options.peer_limits.address = Some(option.number()),
            b'n' => options.peer_limits.network = Some(option.number()),
            b'f' => options.peer_limits.second = Some(option.number()),
            b'Y' => options.balancers = blocks(&option.argument)?,
            b'S' => options.share_port = true,
            b'k' => options.keep_program = true,
            b'K' => options.keep_program = false,
            b'b' => options.backlog = i32::try_from(option.number()).unwrap_or(i32::MAX),
            b'x' => self.rules = Some(path(option.argument)),
            b'X' => self.rules_may_be_absent = true,
            b'B' => options.banner = option.argument,
            b'g' => options.gid = id(&option.argument)?,
            b'u' => options.uid = id(&option.argument)?,
            b'U' => {
                options.uid = id_in("UID")?.unwrap_or(options.uid);
                options.gid = id_in("GID")?.unwrap_or(options.gid);
            }
            b'1' => options.print_port = true,
            b'd' => options.no_delay = false,
            b'D' => options.no_delay = true,
            b'o' => options.keep_ip_options = true,
            b'O' => options.keep_ip_options = false,
            b'h' => self.look_up = true,
            b'H' => self.look_up = false,
            b'p' => self.paranoid = true,
            b'P' => self.paranoid = false,
            b'l' => options.local_name = Some(option.argument),
            b'r' => self.ident = true,
            b'R' => self.ident = false,
            b't' => self.ident_seconds = option.number(),
            _ => return Err(Failure::usage(USAGE)),
        }
        Ok(())
    }

    fn finish(self, operands: &[Vec<u8>]) -> Result<Options, Failure> {
        let [host, port, program @ ..] = operands else { return Err(Failure::usage(USAGE)) };
        if program.is_empty() {
            return Err(Failure::usage(USAGE));
        }
        let may_be_absent = self.rules_may_be_absent;
        Ok(Options {
            rules: self.rules.map(|path| Rules { path, may_be_absent }),
            peer_name: match (self.look_up, self.paranoid) {
                (false, _) => PeerName::Unknown,
                (true, false) => PeerName::AsClaimed,
                (true, true) => PeerName::Confirmed,
            },
            ident: self.ident.then(|| Duration::from_secs(self.ident_seconds)),
            host: host.clone(),
            port: port.clone(),
            program: program.to_vec(),
            ..self.options
        })
    }
}

fn path(name: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    PathBuf::from(std::ffi::OsString::from_vec(name))
}

/// Addresses and blocks of addresses, separated by commas.
fn blocks(text: &[u8]) -> Result<Vec<Block>, Failure> {
    let block = |word: &[u8]| {
        let address = || std::str::from_utf8(word).ok()?.parse::<IpAddr>().ok();
        let block =
            Block::parse(word).or_else(|| address().map(|address| Block::of_one(address.to_canonical())));
        block.ok_or_else(|| Failure::permanent([&b"not an address or block: "[..], word].concat()))
    };
    text.split(|byte| *byte == b',').map(block).collect()
}

/// A number of a user or group. A name in its place must not mean root.
fn id(text: &[u8]) -> Result<u32, Failure> {
    let value = number::whole(text).and_then(|value| u32::try_from(value).ok());
    value.ok_or_else(|| Failure::permanent([&b"not the number of a user or group: "[..], text].concat()))
}

fn id_in(variable: &str) -> Result<Option<u32>, Failure> {
    environment::get(variable).map(|text| id(&text)).transpose()
}

/// Those that tcpserver has always had, and ours: C, f, k, K, n, S and Y.
const LETTERS: &str = "dDvqQhHrR1UXx:t:u:g:l:b:B:c:pPoOC:f:n:SkKY:";

const USAGE: &str = "tcpserver [ -1SkKUXpPhHrRoOdDqQv ] [ -c limit ] [ -C limit ] [ -n limit ] [ -f limit ] \
    [ -Y balancers ] [ -x rules.cdb ] [ -B banner ] [ -g gid ] [ -u uid ] [ -b backlog ] [ -l localname ] [ -t timeout ] \
    host port program";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options, Failure> {
        let arguments = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        read(&Invocation { name: "tcpserver", called_as: b"tcpserver".to_vec(), arguments })?.1
    }

    #[test]
    fn the_letters_of_the_faq_are_understood() {
        let options =
            parse(&["-v", "-x/etc/tcp.smtp.cdb", "-c400", "-u7770", "-g", "2108", "0", "smtp", "prog", "-x"])
                .unwrap();
        assert_eq!(options.verbosity, Verbosity::All);
        assert_eq!((options.limit, options.uid, options.gid), (400, 7770, 2108));
        assert_eq!(options.rules.unwrap().path, PathBuf::from("/etc/tcp.smtp.cdb"));
        assert_eq!(options.program, [b"prog".to_vec(), b"-x".to_vec()]);
        assert_eq!(options.ident, Some(Duration::from_secs(26)));
    }

    #[test]
    fn later_letters_override_earlier_ones() {
        let options = parse(&["-HRpl0", "-h", "-r", "-t5", "-qQ", "0", "1", "p"]).unwrap();
        assert_eq!(options.peer_name, PeerName::Confirmed);
        assert_eq!(options.ident, Some(Duration::from_secs(5)));
        assert_eq!(options.verbosity, Verbosity::Errors);
        assert_eq!(parse(&["-pH", "0", "1", "p"]).unwrap().peer_name, PeerName::Unknown);
        assert_eq!(parse(&["-R", "0", "1", "p"]).unwrap().ident, None);
    }

    #[test]
    fn a_user_name_for_a_number_is_refused() {
        for words in
            [["-uqmaild", "0", "1", "p"], ["-g", "nofiles", "0", "1"], ["-u4294967296", "0", "1", "p"]]
        {
            assert!(parse(&words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn balancers_are_addresses_and_blocks() {
        let options = parse(&["-Y192.0.2.1,2001:db8::/32", "0", "1", "p"]).unwrap();
        let contains = |address: &str| {
            let address = address.parse().unwrap();
            options.balancers.iter().any(|block| block.contains(address))
        };
        assert!(contains("192.0.2.1") && contains("2001:db8:1::"));
        assert!(!contains("192.0.2.2") && !contains("2001:db9::"));
        for wrong in ["-Ybalancer", "-Y192.0.2.1,", "-Y192.0.2.1/24"] {
            assert!(parse(&[wrong, "0", "1", "p"]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_usage_line_names_every_option() {
        let (_, flags) = USAGE.split_once("[ -").unwrap();
        let (flags, _) = flags.split_once(" ]").unwrap();
        for (at, letter) in LETTERS.char_indices().filter(|(_, letter)| *letter != ':') {
            let takes_argument = LETTERS[at + 1..].starts_with(':');
            let named = if takes_argument {
                USAGE.contains(&format!("[ -{letter} "))
            } else {
                flags.contains(letter)
            };
            assert!(named, "{letter}");
        }
    }

    #[test]
    fn host_port_and_program_are_needed() {
        for words in [&[][..], &["0"], &["0", "25"]] {
            assert!(parse(words).is_err(), "{words:?}");
        }
    }
}
