//! `qbiff` tells a user on his terminals that mail has come.
//!
//! Reads    fd 0: the message; USER, SENDER and LOCAL, which qmail-local sets; the list of logins.
//! Writes   the terminals of that user that he lets messages come to.
//! Runs as  the owner of the `.qmail` file.     Trusts  nothing in the message: only printable ASCII is shown.
//! Exits    0, always: the mail has come, whether somebody is told or not.
//! Manual   qbiff(1).

use crate::message::header_field::{self, FieldName};
use crate::message::printable;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::terminal::{self, Login};
use unix::{account, descriptor};

/// As much of the header is read to find the subject.
const HEADER_LIMIT: usize = 64 * 1024;
/// As much of the message is shown, with the blanks before it.
const TEXT_LENGTH: usize = 78;

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let environment = invocation.environment();
    let variables = ["USER", "SENDER", "LOCAL"].map(|name| environment.get(name));
    if let [Some(user), Some(sender), Some(local)] = variables {
        let notice = notice(local, sender, &mut BufReader::new(descriptor::input()));
        for line in lines_of(user, &terminal::logins()) {
            announce(&line, &notice);
        }
    }
    Ok(Exit::SUCCESS)
}

/// The terminals that a user is logged in on. A name so long that the list may have cut it is nobody's.
fn lines_of(user: &[u8], logins: &[Login]) -> Vec<Vec<u8>> {
    if user.len() > terminal::LONGEST_NAME {
        return Vec::new();
    }
    let his = logins.iter().filter(|login| login.user == user && is_below_dev(&login.line));
    his.map(|login| login.line.clone()).collect()
}

/// The list of logins is written by programs that may be wrong: no way leads out of `/dev`.
fn is_below_dev(line: &[u8]) -> bool {
    !line.is_empty() && !line.starts_with(b"/") && !line.contains(&b'.')
}

/// Somebody who cannot be told now will find his mail later.
fn announce(line: &[u8], notice: &[u8]) {
    let path = Path::new("/dev").join(OsStr::from_bytes(line));
    if let Ok(mut terminal) = terminal::open_for_messages(&path, account::real_uid()) {
        let _ = terminal.write_all(notice);
    }
}

/// What is shown: a bell, a line that says for whom and from whom, and a line of the message.
fn notice(local: &[u8], sender: &[u8], message: &mut impl BufRead) -> Vec<u8> {
    let head = [b"*** TO <", local, b"> FROM <", sender, b">"].concat();
    let parts: [&[u8]; 5] = [
        b"\r\n\x07",
        &printable::with(b'_', &head),
        b"\r\n",
        &printable::with(b'/', &text(message)),
        b"\r\n",
    ];
    parts.concat()
}

/// The subject and the beginning of the body, in one line.
fn text(message: &mut impl BufRead) -> Vec<u8> {
    let mut text = b"    ".to_vec();
    if let Ok(header) = header_field::read_header(message, HEADER_LIMIT) {
        let subjects = header.fields.iter().filter(|field| FieldName::of(field) == FieldName::Subject);
        text.extend(subjects.flat_map(|field| header_field::contents(field)));
        text.extend(header.body_start);
        let _ = message.take(TEXT_LENGTH as u64).read_to_end(&mut text);
    }
    text.truncate(TEXT_LENGTH);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice_text(local: &[u8], sender: &[u8], message: &[u8]) -> String {
        String::from_utf8(notice(local, sender, &mut &message[..])).unwrap()
    }

    #[test]
    fn the_notice_has_addresses_subject_and_the_beginning_of_the_body() {
        let notice = notice_text(b"joe-x", b"a@b", b"From: z\nSubject: hi there\nTo: y\n\nline 1\nline 2\n");
        assert_eq!(notice, "\r\n\x07*** TO <joe-x> FROM <a@b>\r\n     hi there//line 1/line 2/\r\n");
    }

    /// M6
    #[test]
    fn m6_no_control_character_of_a_message_reaches_the_terminal() {
        let every: Vec<u8> = (0..=255).collect();
        let message = [b"Subject: \x1b]0;x\x07\n\n".as_slice(), &every].concat();
        let notice = notice_text(&every, &every, &message);
        let inside = notice.trim_start_matches("\r\n\x07");
        assert_eq!(inside.matches(|c: char| c.is_control()).collect::<String>(), "\r\n\r\n");
        let last = notice.trim_end().rsplit("\r\n").next().unwrap();
        assert_eq!(last.len(), TEXT_LENGTH);
    }

    #[test]
    fn a_message_of_any_size_and_shape_makes_one_line() {
        for message in
            [&b""[..], b"no header", b"Subject: x", &[b'x'; 100_000], &b"Subject: y\n".repeat(10_000)]
        {
            let notice = notice_text(b"", b"", message);
            assert_eq!(notice.matches("\r\n").count(), 3);
            assert!(notice.len() < 120);
        }
    }

    #[test]
    fn only_the_users_own_terminals_below_dev_are_told() {
        let login = |user: &str, line: &str| Login { user: user.into(), line: line.into() };
        let logins = [
            login("joe", "pts/1"),
            login("joe", "tty2"),
            login("jo", "pts/2"),
            login("joe", "/etc/x"),
            login("joe", "../x"),
            login("joe", ""),
        ];
        assert_eq!(lines_of(b"joe", &logins), [&b"pts/1"[..], b"tty2"]);
        let long = "u".repeat(terminal::LONGEST_NAME + 1);
        assert!(lines_of(long.as_bytes(), &[login(&long, "tty1")]).is_empty());
    }
}
