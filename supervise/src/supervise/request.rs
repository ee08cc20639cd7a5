//! What the command line asks for, in the words of either generation.

use super::service_dir::Layout;
use super::state::Want;
use unix::failure::Failure;
use unix::program::Invocation;

const USAGE: &str = "supervise [ -rsudox5 ] dir program args ...";

/// A command line that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// With a program it is the form of daemontools 0.53, without one that of 0.76.
    pub layout: Layout,
    /// The service directory, as it was named.
    pub directory: Vec<u8>,
    /// The program and its arguments; empty in the form of 0.76.
    pub program: Vec<Vec<u8>>,
    /// What the options want of the service, if they say.
    pub want: Option<Want>,
    /// Whether up is normal.
    pub normally_up: bool,
    /// Whether supervise ends with the first process.
    pub exiting: bool,
    /// `-5`: whether the older form keeps no files for the newer tools.
    pub old_files_only: bool,
}

impl Request {
    /// Reads the command line. Options count from left to right.
    pub fn read(invocation: &Invocation) -> Result<Request, Failure> {
        let mut options = invocation.options("rsudox5");
        let (mut want, mut normally_up, mut exiting, mut old_files_only) = (None, true, false, false);
        while let Some(option) = options.next_option().map_err(|error| error.with_usage(USAGE))? {
            match option.letter {
                b'r' => (normally_up, want) = (true, Some(Want::Up)),
                b's' => (normally_up, want) = (false, Some(Want::Down)),
                b'u' => want = Some(Want::Up),
                b'd' => want = Some(Want::Down),
                b'o' => want = Some(Want::Once),
                b'x' => exiting = true,
                _ => old_files_only = true,
            }
        }
        let (directory, program) = options.operands().split_first().ok_or_else(|| Failure::usage(USAGE))?;
        let layout = if program.is_empty() { Layout::Nested } else { Layout::Flat };
        Ok(Request {
            layout,
            directory: directory.clone(),
            program: program.to_vec(),
            want,
            normally_up,
            exiting,
            old_files_only,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Request, Failure> {
        let arguments = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        Request::read(&Invocation { name: "supervise", called_as: b"supervise".to_vec(), arguments })
    }

    fn wants(options: &str) -> (Option<Want>, bool, bool) {
        let request = read(&[options, "dir", "program"]).expect("a complete command line");
        (request.want, request.normally_up, request.exiting)
    }

    #[test]
    fn options_count_from_left_to_right() {
        assert_eq!(wants("--"), (None, true, false));
        assert_eq!(wants("-s"), (Some(Want::Down), false, false));
        assert_eq!(wants("-so"), (Some(Want::Once), false, false));
        assert_eq!(wants("-os"), (Some(Want::Down), false, false));
        assert_eq!(wants("-sr"), (Some(Want::Up), true, false));
        assert_eq!(wants("-xd"), (Some(Want::Down), true, true));
        assert_eq!(wants("-du"), (Some(Want::Up), true, false));
    }

    #[test]
    fn a_program_chooses_the_older_form() {
        let request = read(&["dir", "program", "-d"]).expect("a complete command line");
        assert_eq!(request.layout, Layout::Flat);
        assert_eq!(request.program, [b"program".to_vec(), b"-d".to_vec()]);
        assert_eq!(read(&["dir"]).expect("a complete command line").layout, Layout::Nested);
    }

    #[test]
    fn without_a_directory_or_with_an_unknown_option_it_is_wrong_usage() {
        assert!(read(&[]).is_err());
        assert!(read(&["-d"]).is_err());
        assert!(read(&["-q", "dir", "program"]).is_err());
    }
}
