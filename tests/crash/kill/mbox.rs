//! What is in an mbox that deliveries were broken off in.
//!
//! An mbox has no place to write a message before it is there: a killed delivery leaves the beginning of one, and the next
//! message comes behind it. Readers have to find that one; the piece before it is no message.

/// The messages of an mbox, as they came, and how many pieces of messages lie between them.
pub fn messages(mbox: &str) -> (Vec<String>, usize) {
    let mut starts: Vec<usize> = mbox.match_indices("\nFrom ").map(|(place, _)| place + 1).collect();
    if mbox.starts_with("From ") {
        starts.insert(0, 0);
    }
    let ends = starts.iter().skip(1).copied().chain([mbox.len()]);
    let parts: Vec<&str> = starts.iter().zip(ends).map(|(start, end)| &mbox[*start..end]).collect();
    let whole = |part: &&str| part.lines().rev().nth(1).is_some_and(|line| line.starts_with("end "));
    let messages: Vec<String> =
        parts.iter().filter(|part| whole(part)).map(|part| part[..part.len() - 1].to_owned()).collect();
    let pieces = parts.len() - messages.len();
    (messages, pieces)
}

#[test]
fn a_message_behind_a_piece_is_found_if_it_begins_a_line() {
    let message = "From a\nSubject: x\n\nend 1\n\n";
    assert_eq!(messages(&[message, message].concat()).0.len(), 2);
    assert_eq!(
        messages(&["From a\nSubj\n", message].concat()),
        (vec![message.trim_end().to_owned() + "\n"], 1)
    );
    assert_eq!(messages(&["From a\nSubj", message].concat()).0.len(), 1);
    assert_eq!(messages("From a\nSubj"), (Vec::new(), 1));
}
