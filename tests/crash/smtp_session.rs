//! Messages by SMTP: all that a client says, and what the server's replies to it mean.

use super::ledger::Number;

/// What was said of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is in the queue.
    Accepted,
    /// Not now: an exit status or reply that says so, or none at all.
    Refused,
    /// Never: which a fault of ours must not be taken for.
    RefusedForEver,
}

/// All that the client says, at once, to send these messages to these recipients.
pub fn session(numbers: &[Number], sender: &str, recipients: &[String]) -> String {
    let recipients: String =
        recipients.iter().map(|recipient| format!("RCPT TO:<{recipient}>\r\n")).collect();
    let transaction = |number: &Number| {
        let text = number.text().replace('\n', "\r\n");
        format!("MAIL FROM:<{sender}>\r\n{recipients}DATA\r\n{text}.\r\n")
    };
    let transactions: String = numbers.iter().map(transaction).collect();
    format!("EHLO client\r\n{transactions}QUIT\r\n")
}

/// What the replies to one message mean. What comes after a DATA that was refused is about the lines of the message, which
/// were on their way already.
pub fn answer(replies: &str, recipients: &[String]) -> Answer {
    let is_last_line = |line: &&str| line.as_bytes().get(3) == Some(&b' ');
    let mut replies = replies.lines().filter(is_last_line);
    let is_permanent = |line: &str| line.starts_with('5');
    // The greeting, and the replies to EHLO and MAIL.
    let before_data = 3 + recipients.len();
    if replies.by_ref().take(before_data).any(is_permanent) {
        return Answer::RefusedForEver;
    }
    for wanted in ["354 ", "250 "] {
        match replies.next() {
            Some(reply) if reply.starts_with(wanted) => {}
            Some(reply) if is_permanent(reply) => return Answer::RefusedForEver,
            _ => return Answer::Refused,
        }
    }
    Answer::Accepted
}
