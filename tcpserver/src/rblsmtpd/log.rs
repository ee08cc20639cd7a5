//! The line about a client that is turned away.

use super::session::{Reply, printable};
use unix::process::Pid;

/// `rblsmtpd: 192.0.2.66 pid 4711: 451 why not`; with a list `rblsmtpd: 192.0.2.66 pid 4711 list 451 why_not`.
///
/// The second form is that of a patch which was in wide use, and which log watchers look for (fail2ban's filter
/// `qmail`). They count words, so the list and the text become one word each.
pub(super) fn line(client: &[u8], pid: Pid, list: Option<&[u8]>, reply: &Reply) -> Vec<u8> {
    let start = [b"rblsmtpd: ", printable(client).as_slice(), b" pid ", pid.to_string().as_bytes()].concat();
    let Some(list) = list else { return [&start, &b": "[..], reply.line()].concat() };
    let (code, text) = reply.line().split_at_checked(CODE_LENGTH).unwrap_or((reply.line(), b""));
    let text = text.strip_prefix(b" ").unwrap_or(text);
    [start.as_slice(), b" ", &one_word(list), b" ", code, b" ", &one_word(text)].concat()
}

/// A text as one word that is not empty.
fn one_word(text: &[u8]) -> Vec<u8> {
    if text.is_empty() {
        return b"-".to_vec();
    }
    printable(text).into_iter().map(|byte| if byte == b' ' { b'_' } else { byte }).collect()
}

/// Digits of a reply code.
const CODE_LENGTH: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rblsmtpd::lists::Verdict;
    use crate::rblsmtpd::options::TurnedAway;

    fn logged(client: &str, list: Option<&str>, text: &str) -> String {
        let verdict = Verdict::TurnedAway { how: TurnedAway::ForNow, text: text.into(), list: None };
        let reply = Reply::to(&verdict).unwrap();
        String::from_utf8(line(client.as_bytes(), Pid::from_raw(7), list.map(str::as_bytes), &reply)).unwrap()
    }

    #[test]
    fn the_line_has_the_list_if_it_is_to() {
        assert_eq!(logged("192.0.2.1", None, "go away"), "rblsmtpd: 192.0.2.1 pid 7: 451 go away");
        let expected = "rblsmtpd: 192.0.2.1 pid 7 bl.example 451 go_away";
        assert_eq!(logged("192.0.2.1", Some("bl.example"), "go away"), expected);
    }

    #[test]
    fn list_and_text_are_one_word_each_whatever_they_hold() {
        assert_eq!(logged("::1", Some("a b\n"), "x\ty  z "), "rblsmtpd: ::1 pid 7 a_b? 451 x?y__z_");
        assert_eq!(logged("::1", Some(""), "x"), "rblsmtpd: ::1 pid 7 - 451 x");
    }
}
