//! `softlimit` runs a program with new soft limits on memory, files, processes and time.
//!
//! Reads    nothing.    Writes  nothing.
//! Runs as  anybody: a soft limit may be changed by everybody, up to the hard one.    Trusts  its caller.
//! Exits    with the status of the program · 100 wrong usage · 111 no such limit here, no such program.
//! Manual   softlimit(8).
//!
//! A memory limit that is too small does not show as a message: the program crashes while it is loaded.

use super::{Chained, run};
use unix::exec::Search;
use unix::failure::Failure;
use unix::limits::{self, Resource};
use unix::number;
use unix::options::Opt;
use unix::program::Invocation;

const USAGE: &str = "softlimit [-a allbytes] [-c corebytes] [-d databytes] [-f filebytes] [-l lockbytes] \
                     [-m membytes] [-o openfiles] [-p processes] [-r residentbytes] [-s stackbytes] \
                     [-t cpusecs] child";

/// A limit as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// As much as the hard limit allows: `=`.
    Hard,
    /// So much, or as much as the hard limit allows.
    AtMost(u64),
}

/// Runs `softlimit`.
pub fn main(invocation: &Invocation) -> Chained {
    let mut options = invocation.options("a:c:d:f:l:m:o:p:r:s:t:");
    while let Some(option) = options.next_option().map_err(|error| error.with_usage(USAGE))? {
        let wanted = Wanted::read(&option.argument).ok_or_else(|| Failure::usage(USAGE))?;
        for resource in resources(&option) {
            limit(*resource, wanted)?;
        }
    }
    let program = options.operands();
    if program.is_empty() {
        return Err(Failure::usage(USAGE));
    }
    Err(run(program, Search::Path))
}

fn resources(option: &Opt) -> &'static [Resource] {
    use Resource::{
        RLIMIT_AS, RLIMIT_CORE, RLIMIT_CPU, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_MEMLOCK, RLIMIT_NOFILE,
        RLIMIT_NPROC, RLIMIT_RSS, RLIMIT_STACK,
    };
    match option.letter {
        b'a' => &[RLIMIT_AS],
        b'c' => &[RLIMIT_CORE],
        b'd' => &[RLIMIT_DATA],
        b'f' => &[RLIMIT_FSIZE],
        b'l' => &[RLIMIT_MEMLOCK],
        b'm' => &[RLIMIT_DATA, RLIMIT_STACK, RLIMIT_MEMLOCK, RLIMIT_AS],
        b'o' => &[RLIMIT_NOFILE],
        b'p' => &[RLIMIT_NPROC],
        b'r' => &[RLIMIT_RSS],
        b's' => &[RLIMIT_STACK],
        _ => &[RLIMIT_CPU],
    }
}

fn limit(resource: Resource, wanted: Wanted) -> Result<(), Failure> {
    let (_, hard) = limits::soft_and_hard(resource)
        .map_err(|error| Failure::temporary("getrlimit failed").because(&error))?;
    let soft = match wanted {
        Wanted::Hard => hard,
        Wanted::AtMost(most) => most.min(hard),
    };
    limits::set_soft(resource, soft, hard)
        .map_err(|error| Failure::temporary("setrlimit failed").because(&error))
}

impl Wanted {
    /// Nothing for anything but digits and `=`. No digits at all are 0, and more than fit are no limit.
    fn read(text: &[u8]) -> Option<Wanted> {
        let (most, length) = number::scan(text);
        match text {
            b"=" => Some(Wanted::Hard),
            _ => (length == text.len()).then_some(Wanted::AtMost(most)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_or_as_much_as_is_allowed() {
        assert_eq!(Wanted::read(b"300000"), Some(Wanted::AtMost(300_000)));
        assert_eq!(Wanted::read(b"="), Some(Wanted::Hard));
        assert_eq!(Wanted::read(b""), Some(Wanted::AtMost(0)));
        assert_eq!(Wanted::read(b"99999999999999999999999"), Some(Wanted::AtMost(u64::MAX)));
        for junk in ["5x", "=5", "-5", "3 "] {
            assert_eq!(Wanted::read(junk.as_bytes()), None);
        }
    }
}
