//! What the command line of `rblsmtpd` asks for. The order of lists and flags matters.

use std::time::Duration;
use unix::failure::Failure;
use unix::program::Invocation;

/// A list that is asked, with the flags in force where it is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A client on it is let in (-a).
    Allow { base: Vec<u8>, if_it_fails: IfItFails },
    /// A client on it is turned away (-r).
    Block { base: Vec<u8>, turned_away: TurnedAway, if_it_fails: IfItFails },
}

/// How a client is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TurnedAway {
    /// It may try again (-B).
    ForNow,
    /// Its mail bounces (-b).
    ForGood,
}

/// What a lookup that fails means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IfItFails {
    /// The client gets the benefit of the doubt (-C).
    Lenient,
    /// It does not (-c).
    Strict,
}

/// The whole command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub steps: Vec<Step>,
    /// Whether the log has the list that names a client (-l).
    pub logs_lists: bool,
    /// How long a client is talked to; zero: it is only told why.
    pub patience: Duration,
    /// The SMTP server and its arguments; never empty.
    pub program: Vec<Vec<u8>>,
}

/// Reads the command line.
pub(super) fn read(invocation: &Invocation) -> Result<Options, Failure> {
    let mut letters = invocation.options("bBcClt:r:a:");
    let mut steps = Vec::new();
    let (mut patience, mut logs_lists) = (Duration::from_secs(60), false);
    let (mut turned_away, mut if_it_fails) = (TurnedAway::ForNow, IfItFails::Lenient);
    while let Some(option) = letters.next_option().map_err(|error| error.with_usage(USAGE))? {
        match option.letter {
            b'b' => turned_away = TurnedAway::ForGood,
            b'B' => turned_away = TurnedAway::ForNow,
            b'c' => if_it_fails = IfItFails::Strict,
            b'C' => if_it_fails = IfItFails::Lenient,
            b'l' => logs_lists = true,
            b't' => patience = Duration::from_secs(option.number()),
            b'a' => steps.push(Step::Allow { base: option.argument, if_it_fails }),
            b'r' => steps.push(Step::Block { base: option.argument, turned_away, if_it_fails }),
            _ => return Err(Failure::usage(USAGE)),
        }
    }
    let program = letters.operands().to_vec();
    if program.is_empty() {
        return Err(Failure::usage(USAGE));
    }
    Ok(Options { steps, logs_lists, patience, program })
}

const USAGE: &str = "rblsmtpd [ -bBcCl ] [ -t timeout ] [ -r base ] [ -a base ] smtpd [ arg ... ]";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_hold_for_the_lists_after_them() {
        let words = ["-rone", "-bc", "-r", "two", "-atwo", "-BC", "-rthree", "-t9", "smtpd", "-b"];
        let arguments = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let invocation = Invocation { name: "rblsmtpd", called_as: b"rblsmtpd".to_vec(), arguments };
        let options = read(&invocation).unwrap();
        let block = |base: &str, turned_away, if_it_fails| Step::Block {
            base: base.into(),
            turned_away,
            if_it_fails,
        };
        assert_eq!(
            options.steps,
            [
                block("one", TurnedAway::ForNow, IfItFails::Lenient),
                block("two", TurnedAway::ForGood, IfItFails::Strict),
                Step::Allow { base: b"two".into(), if_it_fails: IfItFails::Strict },
                block("three", TurnedAway::ForNow, IfItFails::Lenient),
            ]
        );
        assert_eq!(options.patience, Duration::from_secs(9));
        assert_eq!(options.program, [b"smtpd".to_vec(), b"-b".to_vec()]);
    }
}
