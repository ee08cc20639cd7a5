//! The session before the login, as a pure state machine: RFC 1939 §4, §7.
//!
//! | state | USER | PASS | APOP | QUIT | NOOP, CAPA | any other |
//! |---|---|---|---|---|---|---|
//! | no name | name known | error | login | end | answer | error |
//! | name known | name known | login | login | end | answer | error |
//!
//! One login is tried for a connection.

use crate::retrieve::command::Command;

/// What is to be done about a command.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// It worked.
    Ok,
    /// It did not, for this reason.
    Error(&'static str),
    /// List what the server can do.
    Capabilities,
    /// The client has had enough.
    Quit,
    /// Check who it is.
    Authenticate(Credentials),
}

/// What the client says it is, and how it proves that.
#[derive(Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The name.
    pub name: Vec<u8>,
    /// The password; for APOP, the digest.
    pub password: Vec<u8>,
}

/// A session in which nobody has logged in.
#[derive(Debug, Default)]
pub struct Session {
    name: Option<Vec<u8>>,
}

impl Session {
    /// Answers a command.
    pub fn answer(&mut self, command: Command) -> Step {
        let Command::Words(verb, argument) = command else { return Step::Error(SYNTAX) };
        match verb.as_slice() {
            b"user" => self.user(argument),
            b"pass" => self.password(argument),
            b"apop" => digest(&argument),
            b"quit" => Step::Quit,
            b"noop" => Step::Ok,
            b"capa" => Step::Capabilities,
            _ => Step::Error("authorization first"),
        }
    }

    fn user(&mut self, name: Vec<u8>) -> Step {
        if name.is_empty() {
            return Step::Error(SYNTAX);
        }
        self.name = Some(name);
        Step::Ok
    }

    fn password(&mut self, password: Vec<u8>) -> Step {
        match self.name.take() {
            None => Step::Error("USER first"),
            Some(name) if password.is_empty() => {
                self.name = Some(name);
                Step::Error(SYNTAX)
            }
            Some(name) => Step::Authenticate(Credentials { name, password }),
        }
    }
}

const SYNTAX: &str = "syntax error";

/// APOP: the name, a space, the digest.
fn digest(argument: &[u8]) -> Step {
    match memchr::memchr(b' ', argument).and_then(|at| argument.split_at_checked(at)) {
        Some((name, digest)) if digest.len() > 1 => {
            let password = digest.get(1..).unwrap_or_default().to_vec();
            Step::Authenticate(Credentials { name: name.to_vec(), password })
        }
        _ => Step::Error(SYNTAX),
    }
}

impl Credentials {
    /// As the program reads them. None of the parts has a NUL in it.
    pub fn to_bytes(&self, stamp: &[u8]) -> Vec<u8> {
        [self.name.as_slice(), b"\0", &self.password, b"\0", stamp, b"\0"].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::line::Line;
    use proptest::prelude::{any, prop_assert, proptest};

    fn session(lines: &[&str]) -> Vec<Step> {
        let mut session = Session::default();
        let command = |line: &&str| Command::parse(Line::Complete(line.as_bytes().to_vec()));
        lines.iter().map(|line| session.answer(command(line))).collect()
    }

    fn login(name: &str, password: &str) -> Step {
        let bytes = |text: &str| text.as_bytes().to_vec();
        Step::Authenticate(Credentials { name: bytes(name), password: bytes(password) })
    }

    #[test]
    fn a_password_needs_a_name_before_it() {
        let steps = session(&["PASS x", "USER", "USER joe", "PASS", "pass  se cret "]);
        let error = Step::Error;
        let expected =
            [error("USER first"), error(SYNTAX), Step::Ok, error(SYNTAX), login("joe", "se cret ")];
        assert_eq!(steps, expected);
        assert_eq!(session(&["USER a", "USER b", "PASS c"])[2], login("b", "c"));
    }

    #[test]
    fn apop_has_both_in_one_line() {
        let steps = session(&["APOP", "APOP joe", "APOP joe ", "APOP joe c4c9 x"]);
        let error = || Step::Error(SYNTAX);
        assert_eq!(steps, [error(), error(), error(), login("joe", "c4c9 x")]);
    }

    #[test]
    fn nothing_else_is_done_before_the_login() {
        let steps = session(&["STAT", "", "RETR 1", "NOOP", "CAPA", "QUIT"]);
        let first = || Step::Error("authorization first");
        assert_eq!(steps, [first(), first(), first(), Step::Ok, Step::Capabilities, Step::Quit]);
    }

    proptest! {
        /// M7, and: whatever a client says, the program reads three words.
        #[test]
        fn m7_credentials_are_always_three_words(lines in proptest::collection::vec(
            ("(USER|PASS|APOP) ", any::<Vec<u8>>()), 0..6)) {
            let mut session = Session::default();
            for (verb, argument) in lines {
                let line = [verb.as_bytes(), &argument].concat();
                if let Step::Authenticate(credentials) = session.answer(Command::parse(Line::Complete(line))) {
                    let bytes = credentials.to_bytes(b"<stamp>");
                    prop_assert!(bytes.iter().filter(|byte| **byte == 0).count() == 3);
                }
            }
        }
    }
}
