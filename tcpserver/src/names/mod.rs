//! Questions about names, put to `tcpnames`, so that whoever asks needs no DNS library in its own memory.
//!
//! Questions are arguments, as `name=192.0.2.1`, and each is answered by a line (tcpnames(8)).

pub mod program;

use crate::dns::Trouble;
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use unix::descriptor;
use unix::environment::Environment;
use unix::exec::{Program, Search};
use unix::failure::{self, Failure};
use unix::process::{self, Ended};
use unix::starter::{Run, Start, Starter, Then};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// The first name of an address.
    Name(IpAddr),
    /// The same, if the name has that address.
    ConfirmedName(IpAddr),
    /// The addresses of a name.
    Addresses(Vec<u8>),
}

/// What is answered: a name, or addresses with a space between them.
pub type Answer = Result<Vec<u8>, Trouble>;

impl Question {
    /// The question as an argument.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Question::Name(address) => format!("name={address}").into_bytes(),
            Question::ConfirmedName(address) => format!("confirmed={address}").into_bytes(),
            Question::Addresses(name) => [b"addresses=", name.as_slice()].concat(),
        }
    }

    /// The question that an argument is; `None`: it is not one.
    pub fn decode(argument: &[u8]) -> Option<Question> {
        let address = |text| std::str::from_utf8(text).ok()?.parse().ok();
        if let Some(text) = argument.strip_prefix(b"name=") {
            address(text).map(Question::Name)
        } else if let Some(text) = argument.strip_prefix(b"confirmed=") {
            address(text).map(Question::ConfirmedName)
        } else {
            argument.strip_prefix(b"addresses=").map(|name| Question::Addresses(name.to_vec()))
        }
    }
}

/// An answer as a line without its newline: `+` and what was found, `-` if there is nothing, `?` and why nobody knows.
fn encode(answer: &Answer) -> Vec<u8> {
    match answer {
        Ok(found) => [b"+", found.as_slice()].concat(),
        Err(Trouble::Absent) => b"-".to_vec(),
        Err(Trouble::Temporary(why)) => [b"?", why.as_bytes()].concat(),
    }
}

fn decode(line: &[u8]) -> Option<Answer> {
    match line.split_first()? {
        (b'+', found) => Some(Ok(found.to_vec())),
        (b'-', []) => Some(Err(Trouble::Absent)),
        (b'?', why) => Some(Err(Trouble::Temporary(String::from_utf8_lossy(why).into_owned()))),
        _ => None,
    }
}

/// Who is asked: the program `tcpnames` beside the one that this is.
#[derive(Clone, Debug)]
pub struct Names {
    program: PathBuf,
}

impl Names {
    /// Finds the program. Found at the start, it is still known when ours is replaced by a newer one.
    ///
    /// # Errors
    /// If it is not there: better no service than one that knows nobody's name.
    pub fn beside_us() -> Result<Names, Failure> {
        let program = std::env::current_exe().map(|ours| ours.with_file_name(PROGRAM));
        let found = program.and_then(|program| program.metadata().map(|_| program));
        let program = found.map_err(|error| Failure::temporary("unable to find tcpnames").because(&error))?;
        Ok(Names { program })
    }

    /// Puts these questions; an answer stands where its question does. Waits for a minute or so at most.
    pub fn ask<const N: usize>(&self, questions: [Option<Question>; N]) -> [Option<Answer>; N] {
        let asked: Vec<Vec<u8>> = questions.iter().flatten().map(Question::encode).collect();
        let output = if asked.is_empty() { Ok(Vec::new()) } else { self.run(asked) };
        let trouble = output.as_ref().err().map_or("protocol error", failure::describe);
        let output = output.as_deref().unwrap_or_default();
        let mut lines = output.split(|byte| *byte == b'\n');
        questions.map(|question| {
            question?;
            let answer = lines.next().and_then(decode);
            Some(
                answer
                    .unwrap_or_else(|| Err(Trouble::Temporary(format!("unable to run tcpnames: {trouble}")))),
            )
        })
    }

    /// The addresses of a name.
    ///
    /// # Errors
    /// As the DNS has them.
    pub fn addresses(&self, name: &[u8]) -> Result<Vec<IpAddr>, Trouble> {
        let [answer] = self.ask([Some(Question::Addresses(name.to_vec()))]);
        let found = answer.unwrap_or(Err(Trouble::Absent))?;
        let text = String::from_utf8_lossy(&found);
        text.split(' ')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map_err(|_| Trouble::Temporary(String::from("tcpnames gave something that is not an address")))
    }

    /// Runs the program; what it says.
    fn run(&self, questions: Vec<Vec<u8>>) -> io::Result<Vec<u8>> {
        let (reader, writer) = descriptor::pipe()?;
        let words: Vec<Vec<u8>> =
            std::iter::once(self.program.as_os_str().as_bytes().to_vec()).chain(questions).collect();
        let program = Program::prepare(&words, &Environment::inherited(), Search::Direct)?;
        let run = Run {
            program,
            descriptors: vec![(writer.as_raw_fd(), 1)],
            not_placed: None,
            not_run: None,
            failed: NOT_RUN,
        };
        let child = Starter::new().start(Start { lines: Vec::new(), then: Then::Run(Box::new(run)) })?;
        drop(writer);
        let output = read_all(reader);
        match process::wait_for(child)? {
            Ended::Exited(0) => output,
            Ended::Exited(_) | Ended::Killed { .. } => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

fn read_all(reader: OwnedFd) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::from(reader).read_to_end(&mut bytes)?;
    Ok(bytes)
}

const PROGRAM: &str = "tcpnames";
/// Status of a child that did not become the program.
const NOT_RUN: u8 = 111;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_the_same_after_its_way_through_an_argument() {
        let address: IpAddr = "2001:db8::1".parse().unwrap();
        for question in [
            Question::Name(address),
            Question::ConfirmedName(address),
            Question::Addresses(b"www=x.example\xff".to_vec()),
        ] {
            assert_eq!(Question::decode(&question.encode()), Some(question));
        }
        for other in [&b"name=www.example"[..], b"confirmed=", b"www.example", b""] {
            assert_eq!(Question::decode(other), None);
        }
    }

    #[test]
    fn an_answer_is_the_same_after_its_way_through_a_line() {
        for answer in
            [Ok(b"www.example".to_vec()), Err(Trouble::Absent), Err(Trouble::Temporary("timed out".into()))]
        {
            assert_eq!(decode(&encode(&answer)), Some(answer));
        }
        for other in [&b""[..], b"-x", b"www.example"] {
            assert_eq!(decode(other), None);
        }
    }

    #[test]
    fn who_cannot_be_asked_is_trouble_and_not_absence() {
        let names = Names { program: "/nonexistent/tcpnames".into() };
        let [first, second] = names.ask([None, Some(Question::Addresses(b"x".to_vec()))]);
        assert_eq!(first, None);
        assert!(matches!(second, Some(Err(Trouble::Temporary(_)))));
        assert_eq!(names.ask([None]), [None]);
    }
}
