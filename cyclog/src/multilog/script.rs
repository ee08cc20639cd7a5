//! The script: what the arguments ask for. No I/O.

use super::pattern::Pattern;
use crate::backlog::WhenFull;
use crate::extent::Extent;
use crate::names::Keep;
use std::time::Duration;
use unix::number;

/// What is done with each line.
#[derive(Debug, PartialEq, Eq)]
pub struct Script {
    /// Whether each line gets a TAI64N label first.
    pub labels: bool,
    /// In this order.
    pub actions: Vec<Action>,
}

/// One step. A line starts out selected.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// `-`: a line that matches is not selected from here on.
    Deselect(Pattern),
    /// `+`: a line that matches is selected from here on.
    Select(Pattern),
    /// `e`: selected lines are shown on standard error.
    Alert,
    /// `=`: the file of this name shows the last selected line.
    Status(Vec<u8>),
    /// `.` or `/`: selected lines go into the log in a directory.
    Log(Settings),
}

/// How a log is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The directory.
    pub directory: Vec<u8>,
    /// Where a file ends.
    pub extent: Extent,
    /// Until when a file is written, if not to its size.
    pub period: Option<Duration>,
    /// How much is kept.
    pub keep: Keep,
    /// A command of the shell through which finished files go.
    pub processor: Option<Vec<u8>>,
    /// How long the log waits for it, all its tries for one file together, if not for ever.
    pub processor_limit: Option<Duration>,
    /// What happens when the disk is full.
    pub when_full: WhenFull,
}

impl Settings {
    /// These settings for a directory. A file alone is not larger than all of them may be together.
    fn of(&self, directory: &[u8]) -> Settings {
        let bytes = self.keep.bytes.unwrap_or(u64::MAX);
        let extent = Extent { size: self.extent.size.min(bytes.max(SMALLEST_SIZE)), ..self.extent };
        Settings { directory: directory.to_vec(), extent, ..self.clone() }
    }
}

impl Script {
    /// Reads the arguments. Actions that nobody knows do nothing, as in the original.
    pub fn parse(arguments: &[Vec<u8>]) -> Script {
        let mut settings = Settings {
            directory: Vec::new(),
            extent: extent(DEFAULT_SIZE),
            period: None,
            keep: Keep { files: 10, bytes: None },
            processor: None,
            processor_limit: None,
            when_full: WhenFull::Block,
        };
        let labels = arguments.first().is_some_and(|first| first.starts_with(b"t"));
        let actions = arguments.iter().filter_map(|argument| {
            let (letter, rest) = argument.split_first()?;
            match letter {
                b'-' => return Some(Action::Deselect(Pattern::new(rest))),
                b'+' => return Some(Action::Select(Pattern::new(rest))),
                b'e' => return Some(Action::Alert),
                b'=' => return Some(Action::Status(rest.to_vec())),
                b'.' | b'/' => {
                    return Some(Action::Log(settings.of(argument)));
                }
                b's' => settings.extent = extent(number::scan(rest).0),
                b'n' => settings.keep.files = number::scan(rest).0.max(2),
                b'!' => settings.processor = Some(rest.to_vec()),
                b'P' => settings.processor_limit = at_least_one(rest).map(Duration::from_secs),
                b'R' => settings.period = at_least_one(rest).map(Duration::from_secs),
                b'S' => settings.keep.bytes = at_least_one(rest),
                b'D' => settings.when_full = WhenFull::parse(rest).unwrap_or(settings.when_full),
                _ => {}
            }
            None
        });
        Script { labels, actions: actions.collect() }
    }
}

/// A limit, where 0 means none.
fn at_least_one(text: &[u8]) -> Option<u64> {
    Some(number::scan(text).0).filter(|number| *number > 0)
}

/// Files end at the first line end of which 2,000 bytes or fewer are left to the size.
fn extent(size: u64) -> Extent {
    Extent { size: size.clamp(SMALLEST_SIZE, LARGEST_SIZE), margin: 2001 }
}

/// Bytes of a file, unless the script says otherwise.
const DEFAULT_SIZE: u64 = 99_999;
const SMALLEST_SIZE: u64 = 4096;
const LARGEST_SIZE: u64 = 16_777_215;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Script {
        Script::parse(&arguments.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>())
    }

    fn logs(arguments: &[&str]) -> Vec<Settings> {
        let logs = parse(arguments).actions.into_iter().filter_map(|action| match action {
            Action::Log(settings) => Some(settings),
            _ => None,
        });
        logs.collect()
    }

    #[test]
    fn settings_hold_for_the_directories_after_them() {
        let logs = logs(&["./a", "s5000", "n3", "!cat", "/b", "!", "s1", "n1", "./c", "s99999999"]);
        let brief = |log: &Settings| (log.extent.size, log.keep.files, log.processor.clone());
        assert_eq!(
            logs.iter().map(brief).collect::<Vec<_>>(),
            [(99_999, 10, None), (5000, 3, Some(b"cat".to_vec())), (4096, 2, Some(Vec::new()))]
        );
        assert_eq!(extent(99_999_999).size, 16_777_215);
    }

    #[test]
    fn labels_are_asked_for_by_the_first_argument_only() {
        assert!(parse(&["t"]).labels && parse(&["thanks", "./a"]).labels);
        assert!(!parse(&["./a", "t"]).labels && !parse(&[]).labels && !parse(&["", "t"]).labels);
    }

    #[test]
    fn what_nobody_knows_does_nothing() {
        assert_eq!(parse(&["x", "", "T", "ab"]).actions, []);
        assert_eq!(
            parse(&["-*", "+a", "e", "=f"]).actions,
            [
                Action::Deselect(Pattern::new(b"*")),
                Action::Select(Pattern::new(b"a")),
                Action::Alert,
                Action::Status(b"f".to_vec())
            ]
        );
    }

    #[test]
    fn files_can_end_after_a_time_and_a_log_can_have_a_size() {
        let small = &logs(&["s9000", "S5000", "./a"])[0];
        assert_eq!((small.extent.size, small.keep.bytes), (5000, Some(5000)));
        assert_eq!(logs(&["S1", "./a"])[0].extent.size, 4096);
        let logs = logs(&["R3600", "S1000000", "./a", "R", "S0", "./b"]);
        let limits = logs.iter().map(|log| (log.period, log.keep.bytes));
        let hour = Some(Duration::from_secs(3600));
        assert_eq!(limits.collect::<Vec<_>>(), [(hour, Some(1_000_000)), (None, None)]);
    }

    #[test]
    fn the_time_of_a_processor_is_for_ever_or_as_long_as_the_script_says() {
        let logs = logs(&["!gzip", "./a", "P30", "./b", "P0", "./c"]);
        let limits: Vec<_> = logs.iter().map(|log| log.processor_limit).collect();
        assert_eq!(limits, [None, Some(Duration::from_secs(30)), None]);
    }

    #[test]
    fn the_policy_for_a_full_disk_is_one_that_is_known() {
        let logs = logs(&["Ddrop", "./a", "Dspill=1000", "./b", "Dnonsense", "./c", "Dblock", "./d"]);
        let policies: Vec<WhenFull> = logs.iter().map(|log| log.when_full).collect();
        let spill = WhenFull::Spill(1000);
        assert_eq!(policies, [WhenFull::Drop, spill, spill, WhenFull::Block]);
    }
}
