//! What the guide shows against what a command printed.
//!
//! A line of three dots stands for any lines. Dates, times and the numbers of processes, messages and the like are
//! others each time: what has one of the forms in [`VARIES`] stands for anything of that form. A message has one number,
//! though, and where the guide has that number in another line, or in a command, it means the same message.

use std::collections::BTreeMap;

/// In each, `0` is any number, `~` the three letters of a month, and what begins with `^` begins a line.
const VARIES: &[&str] = &[
    // The stamps of logs, read by people; dates as in the queue and in messages; seconds since 1970.
    "0-0-0 0:0:0.0",
    "0-0-0 0:0:0",
    "0 ~ 0 0:0:0",
    "250 ok 0 qp 0",
    "^0 up pid 0",
    " 0 seconds",
    // Processes, accounts, and sizes of messages whose lines name them.
    "pid 0",
    "qp 0",
    "(qmail 0 ",
    "uid 0",
    "-u 0 -g 0 ",
    "bytes 0",
    " 0 bytes",
    // Files of a maildir and of a log, and what ls says of the latter.
    "0.M0P0.",
    "@0",
    "qmaill nofiles 0 ~ 0 0:0",
    // A message's name for itself.
    "<0.0.qmail@",
];
/// The same, of messages: the first number is theirs.
const MESSAGES: &[&str] = &["msg 0", "#0  0 ", "^0: "];

/// The messages that the guide has named so far, with the numbers that they have here.
#[derive(Default)]
pub struct Numbers {
    known: BTreeMap<String, String>,
}

impl Numbers {
    /// A command of the guide, with its messages' numbers as they are here.
    pub fn placed(&self, command: &str) -> String {
        let (mut placed, mut rest) = (String::new(), command);
        while let Some(start) = rest.find(|byte: char| byte.is_ascii_digit()) {
            let (before, number_and_rest) = rest.split_at(start);
            let (number, after) = number_and_rest.split_at(digits(number_and_rest));
            placed.push_str(before);
            placed.push_str(self.known.get(number).map_or(number, String::as_str));
            rest = after;
        }
        placed + rest
    }

    /// Whether these lines are what the guide shows; if so, the numbers of their messages are kept.
    pub fn agree(&mut self, shown: &[String], printed: &[&str]) -> bool {
        let Some(pairs) = paired(shown, printed) else { return false };
        let mut known = self.known.clone();
        for (ours, theirs) in pairs {
            for (ours, theirs) in form(ours).1.into_iter().zip(form(theirs).1) {
                if known.entry(ours).or_insert_with(|| theirs.clone()) != &theirs {
                    return false;
                }
            }
        }
        self.known = known;
        true
    }
}

/// The lines of the guide, each with the one that it stands for; nothing if they do not fit.
fn paired<'a>(shown: &'a [String], printed: &[&'a str]) -> Option<Vec<(&'a str, &'a str)>> {
    match (shown.split_first(), printed.split_first()) {
        (None, None) => Some(Vec::new()),
        (Some((dots, rest)), _) if dots == "..." => {
            (0..=printed.len()).find_map(|skipped| paired(rest, printed.get(skipped..)?))
        }
        (Some((ours, our_rest)), Some((theirs, their_rest))) if form(ours).0 == form(theirs).0 => {
            let mut pairs = paired(our_rest, their_rest)?;
            pairs.push((ours, theirs));
            Some(pairs)
        }
        _ => None,
    }
}

/// A line with what varies in it replaced by its form, and the numbers of messages in it.
fn form(line: &str) -> (String, Vec<String>) {
    let (mut form, mut messages, mut rest) = (String::new(), Vec::new(), line.trim_end());
    while let Some(first) = rest.chars().next() {
        let at_start = form.is_empty();
        let of_message = MESSAGES.iter().find_map(|shape| Some((*shape, matched(shape, rest, at_start)?)));
        if let Some((shape, length)) = of_message {
            let number = rest.trim_start_matches(|byte: char| !byte.is_ascii_digit());
            messages.push(number[..digits(number)].to_owned());
            form.push_str(shape);
            rest = &rest[length..];
        } else if let Some((shape, length)) =
            VARIES.iter().find_map(|shape| Some((*shape, matched(shape, rest, at_start)?)))
        {
            form.push_str(shape);
            rest = &rest[length..];
        } else {
            // A number is taken whole, or what is left of it would look like one of those above.
            let length = digits(rest).max(first.len_utf8());
            form.push_str(&rest[..length]);
            rest = &rest[length..];
        }
    }
    (form, messages)
}

/// How much of the text has this form.
fn matched(shape: &str, text: &str, at_start: bool) -> Option<usize> {
    let shape = match shape.strip_prefix('^') {
        Some(shape) if at_start => shape,
        Some(_) => return None,
        None => shape,
    };
    let mut rest = text;
    for part in shape.chars() {
        let length = match part {
            '0' => Some(digits(rest)).filter(|length| *length > 0)?,
            '~' => rest.get(..3)?.bytes().all(|byte| byte.is_ascii_alphabetic()).then_some(3)?,
            _ => rest.starts_with(part).then_some(part.len_utf8())?,
        };
        rest = &rest[length..];
    }
    Some(text.len() - rest.len())
}

/// How many digits a text begins with.
fn digits(text: &str) -> usize {
    text.len() - text.trim_start_matches(|byte: char| byte.is_ascii_digit()).len()
}

#[test]
fn what_varies_is_known_by_its_form_and_all_else_is_as_shown() {
    let agree = |shown: &str, printed: &str| {
        let shown: Vec<String> = shown.lines().map(str::to_owned).collect();
        Numbers::default().agree(&shown, &printed.lines().collect::<Vec<_>>())
    };
    for (shown, printed) in [
        ("2026-11-22 18:10:54.844610 new msg 10437678", "2027-01-02 03:04:05.000001 new msg 607"),
        ("a: up (pid 186) 1 seconds", "a: up (pid 2) 17 seconds"),
        ("250 ok 1795830889 qp 195", "250 ok 1 qp 2"),
        ("22 Nov 2026 18:10:54 GMT  #12345678  230  <s>", "2 Nov 2026 18:10:54 GMT  #7  23  <s>  "),
        ("a\n...\nz", "a\nb\nz\nz"),
        ("...", ""),
    ] {
        assert!(agree(shown, printed), "{printed}");
    }
    for (shown, printed) in [
        ("messages in queue: 1", "messages in queue: 2"),
        ("a: up (pid 186) 1 seconds", "a: down 1 seconds"),
        ("new msg 1\nend msg 1", "new msg 2\nend msg 3"),
        ("553 no", "250 no"),
        ("a\n...\nz", "a\nb"),
        ("", "a"),
        ("a", ""),
    ] {
        assert!(!agree(shown, printed), "{printed}");
    }
}

#[test]
fn every_form_is_one_that_the_guide_has() {
    let guide = std::fs::read_to_string(harness::source_tree().join("docs/guide.md")).expect("the guide");
    let forms: Vec<String> = guide.lines().map(|line| form(line).0).collect();
    for shape in VARIES.iter().chain(MESSAGES) {
        let shape = shape.trim_start_matches('^');
        assert!(forms.iter().any(|form| form.contains(shape)), "{shape}");
    }
}

#[test]
fn a_message_keeps_its_number() {
    let mut numbers = Numbers::default();
    assert!(numbers.agree(&["new msg 10437678".to_owned()], &["new msg 607"]));
    assert_eq!(numbers.placed("hold 10437678 # 1043767"), "hold 607 # 1043767");
    assert!(!numbers.agree(&["end msg 10437678".to_owned()], &["end msg 608"]));
    assert!(numbers.agree(&["10437678: held".to_owned()], &["607: held"]));
}
