//! `dot-forward` does what a `.forward` file says.
//!
//! Reads    fd 0: the message, a file; the files that it is given; USER, HOST, UFLINE, RPLINE, DTLINE and NEWSENDER,
//!          which qmail-local sets; control/{me, defaultdomain, defaulthost, plusdomain}.
//! Writes   the queue, by qmail-queue; the standard input of programs.
//! Runs as  the owner of the file.     Trusts  the files.
//! Exits    0 deliver here · 99 done · 100 called wrongly, or refused by a program or the queue · 111 try again.
//! Manual   dot-forward(1).    Next in the flow: queue::client.
//!
//! A file is read to its end before anything is done: one that cannot be understood runs no program.

use super::completion::Completion;
use super::line::{self, Item, Listed};
use super::programs;
use crate::control::Control;
use crate::deliver::commands::redirect;
use crate::message::tokens::Malformed;
use crate::setup::home::Home;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use unix::environment::Environment;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::{descriptor, file};

const USAGE: &str = "dot-forward [ -nN ] file ...";
/// The later lines of the `.qmail` file do not count.
const DONE: Exit = Exit(99);

/// What a file asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    /// The user's own address: delivery as if there were no file.
    DeliverHere,
    /// `|command`, without the bar.
    Run(Vec<u8>),
    Forward(Vec<u8>),
}

/// The user for whom the message is.
struct User {
    name: Vec<u8>,
    host: Vec<u8>,
}

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let mut only_show = false;
    let mut options = invocation.options("nN");
    while let Some(option) = options.next_option().map_err(|error| error.with_usage(USAGE))? {
        only_show = option.letter == b'n';
    }
    let environment = invocation.environment();
    let user = User { name: variable(&environment, "USER"), host: variable(&environment, "HOST") };
    let completion = Completion::read(&Control::new(Home::of_this_program()?.control()))?;
    for name in options.operands() {
        let Some(text) = read(name)? else { continue };
        let actions = user.actions(&text, &completion)?;
        if actions.is_empty() {
            if only_show {
                say(&[b"skipping empty file ", name]);
            }
            continue;
        }
        if only_show {
            let (here, elsewhere): (Vec<&Action>, Vec<&Action>) =
                actions.iter().partition(|action| **action == Action::DeliverHere);
            elsewhere.into_iter().chain(here.first().copied()).for_each(show);
        } else {
            act(invocation, &environment, &actions)?;
        }
        let is_here = actions.contains(&Action::DeliverHere);
        return Ok(if is_here { Exit::SUCCESS } else { DONE });
    }
    if only_show {
        show(&Action::DeliverHere);
    }
    Ok(Exit::SUCCESS)
}

fn variable(environment: &Environment, name: &str) -> Vec<u8> {
    environment.get(name).unwrap_or_default().to_vec()
}

/// A file, or nothing if it is not there.
fn read(name: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
    file::read_if_present(Path::new(OsStr::from_bytes(name)))
        .map_err(|error| Failure::temporary([b"unable to read ", name].concat()).because(&error))
}

impl User {
    /// The actions of a file, in order; of one line, from right to left.
    fn actions(&self, text: &[u8], completion: &Completion) -> Result<Vec<Action>, Failure> {
        let mut actions = Vec::new();
        for line in text.split_inclusive(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"#")) {
            let unparsable = |Malformed| unparsable(line);
            for item in line::items(line, false).map_err(unparsable)? {
                let Item::Address(address) = item else { continue };
                if address.text.contains(&0) {
                    return Err(unparsable(Malformed));
                }
                actions.extend(self.action(&address, completion)?);
            }
        }
        Ok(actions)
    }

    fn action(&self, address: &Listed, completion: &Completion) -> Result<Option<Action>, Failure> {
        let own =
            if address.has_host { [&self.name, &b"@"[..], &self.host].concat() } else { self.name.clone() };
        Ok(match address.text.first() {
            None => None,
            Some(_) if address.text.eq_ignore_ascii_case(&own) => Some(Action::DeliverHere),
            Some(b'/') if !address.has_host => {
                let text = [b"file delivery ", address.text.as_slice(), b" not supported"].concat();
                return Err(Failure::temporary(text));
            }
            Some(b'|') if !address.has_host => {
                Some(Action::Run(address.text.get(1..).unwrap_or_default().to_vec()))
            }
            Some(_) => Some(Action::Forward(completion.complete(address))),
        })
    }
}

fn unparsable(line: &[u8]) -> Failure {
    Failure::temporary([b"unable to parse this line: ", line].concat())
}

fn show(action: &Action) {
    match action {
        Action::DeliverHere => say(&[b"direct delivery"]),
        Action::Run(command) => say(&[b"pipe through ", command]),
        Action::Forward(address) => say(&[b"forward ", address]),
    }
}

fn say(parts: &[&[u8]]) {
    descriptor::write_error_line(parts);
}

/// Programs first: if one of them fails, nothing was forwarded yet.
fn act(invocation: &Invocation, environment: &Environment, actions: &[Action]) -> Result<(), Failure> {
    let lines = ["UFLINE", "RPLINE", "DTLINE"].map(|name| variable(environment, name)).concat();
    let mut recipients = Vec::new();
    for action in actions {
        match action {
            Action::DeliverHere => {}
            Action::Run(command) => {
                let words = [b"/bin/sh".to_vec(), b"-c".to_vec(), command.clone()];
                programs::run(invocation.name, &words, command, &lines)?;
            }
            Action::Forward(address) => recipients.push(address.clone()),
        }
    }
    if recipients.is_empty() {
        return Ok(());
    }
    let delivered_to = variable(environment, "DTLINE");
    let sender = variable(environment, "NEWSENDER");
    let pid = redirect::queue(&delivered_to, &sender, &recipients, b"unable to forward message: ")?;
    say(&[invocation.name.as_bytes(), format!(": info: qp {pid}").as_bytes()]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actions(text: &str) -> Result<Vec<Action>, Failure> {
        let directory = tempfile::tempdir().unwrap();
        let completion = Completion::read(&Control::new(directory.path().to_path_buf())).unwrap();
        let user = User { name: b"joe".to_vec(), host: b"h.x".to_vec() };
        user.actions(text.as_bytes(), &completion)
    }

    fn forward(address: &str) -> Action {
        Action::Forward(address.as_bytes().to_vec())
    }

    #[test]
    fn the_users_own_address_is_delivered_here() {
        for own in ["joe", "JOE", "Joe@H.x", "\"joe\"", "x <joe>"] {
            assert_eq!(actions(own).unwrap(), [Action::DeliverHere], "{own}");
        }
        assert_eq!(actions("joe@h").unwrap(), [forward("joe@h.me")]);
        assert_eq!(actions("\"joe@h.x\"").unwrap(), [forward("joe@h.x@me.me")]);
    }

    #[test]
    fn commands_have_to_be_quoted_and_files_are_refused() {
        assert_eq!(actions("\"|vac bob\"").unwrap(), [Action::Run(b"vac bob".to_vec())]);
        assert_eq!(actions("|vac bob").unwrap(), [forward("bob@me.me"), Action::Run(b"vac".to_vec())]);
        assert_eq!(actions("\"|x\"@y, \"/x\"@y").unwrap(), [forward("/x@y.me"), forward("|x@y.me")]);
        for file in ["/x", "\"/x y\"", ":include:/x"] {
            assert_eq!(actions(file).unwrap_err().exit(), Exit::TEMPORARY, "{file}");
        }
    }

    #[test]
    fn comments_are_lines_and_a_line_that_is_none_of_addresses_is_named() {
        assert_eq!(actions("#a\n\nb\n# c").unwrap(), [forward("b@me.me")]);
        assert_eq!(actions("a\n(x\n").unwrap_err().text(), b"unable to parse this line: (x\n");
        assert_eq!(actions("a\0b\n").unwrap_err().text(), b"unable to parse this line: a\0b\n");
    }
}
