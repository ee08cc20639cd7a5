//! Splitting a message into header fields and body, and the names of the fields that mail programs know.

use std::io::{self, BufRead, Read};

/// A header field's name, as far as it matters to a mail program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is the name that stands beside it in NAMES")]
pub enum FieldName {
    ApparentlyTo,
    Bcc,
    Cc,
    ContentLength,
    ContentTransferEncoding,
    ContentType,
    Date,
    DeliveredTo,
    ErrorsTo,
    From,
    MailFollowupTo,
    MessageId,
    NoticeRequestedUponDeliveryTo,
    Received,
    ReplyTo,
    ResentBcc,
    ResentCc,
    ResentDate,
    ResentFrom,
    ResentMessageId,
    ResentReplyTo,
    ResentSender,
    ResentTo,
    ReturnPath,
    ReturnReceiptTo,
    Sender,
    Subject,
    To,
    /// Any other name.
    Other,
}

const NAMES: &[(&str, FieldName)] = &[
    ("Apparently-To", FieldName::ApparentlyTo),
    ("Bcc", FieldName::Bcc),
    ("Cc", FieldName::Cc),
    ("Content-Length", FieldName::ContentLength),
    ("Content-Transfer-Encoding", FieldName::ContentTransferEncoding),
    ("Content-Type", FieldName::ContentType),
    ("Date", FieldName::Date),
    ("Delivered-To", FieldName::DeliveredTo),
    ("Errors-To", FieldName::ErrorsTo),
    ("From", FieldName::From),
    ("Mail-Followup-To", FieldName::MailFollowupTo),
    ("Message-ID", FieldName::MessageId),
    ("Notice-Requested-Upon-Delivery-To", FieldName::NoticeRequestedUponDeliveryTo),
    ("Received", FieldName::Received),
    ("Reply-To", FieldName::ReplyTo),
    ("Resent-Bcc", FieldName::ResentBcc),
    ("Resent-Cc", FieldName::ResentCc),
    ("Resent-Date", FieldName::ResentDate),
    ("Resent-From", FieldName::ResentFrom),
    ("Resent-Message-ID", FieldName::ResentMessageId),
    ("Resent-Reply-To", FieldName::ResentReplyTo),
    ("Resent-Sender", FieldName::ResentSender),
    ("Resent-To", FieldName::ResentTo),
    ("Return-Path", FieldName::ReturnPath),
    ("Return-Receipt-To", FieldName::ReturnReceiptTo),
    ("Sender", FieldName::Sender),
    ("Subject", FieldName::Subject),
    ("To", FieldName::To),
];

impl FieldName {
    /// The name of a field, compared without regard to case; blanks before the colon do not count.
    pub fn of(field: &[u8]) -> FieldName {
        let Some(name) = name(field) else { return FieldName::Other };
        let known = NAMES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
        known.map_or(FieldName::Other, |(_, name)| *name)
    }
}

/// The name that a line begins with, if it begins a field: printable, no blanks inside, and a colon after it.
pub fn name(line: &[u8]) -> Option<&[u8]> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let before = line.get(..colon)?;
    let length = before.iter().rposition(|byte| !matches!(byte, b' ' | b'\t'))?.saturating_add(1);
    let name = before.get(..length)?;
    name.iter().all(u8::is_ascii_graphic).then_some(name)
}

/// What stands behind the colon of a field, with the blank before it and the newline after it.
pub fn contents(field: &[u8]) -> &[u8] {
    let colon = field.iter().position(|byte| *byte == b':');
    colon.and_then(|colon| field.get(colon.saturating_add(1)..)).unwrap_or_default()
}

/// The header of a message, and what of the body was read to see that the header ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The fields in order, each with its continuation lines and a newline at its end.
    pub fields: Vec<Vec<u8>>,
    /// How the body begins: an empty line, and the line that was no field if one ended the header.
    /// Empty if the message ends within its header.
    pub body_start: Vec<u8>,
}

/// Why a header could not be read.
#[derive(Debug)]
pub enum HeaderError {
    /// It is longer than the caller allows.
    TooLong,
    /// The input failed.
    Read(io::Error),
}

/// Reads the header of a message of at most `limit` bytes; what follows stays in `input`.
///
/// A line that is no field ends the header and begins the body, after an empty line that is inserted. A line
/// `From …`, as mbox files have it, becomes the field `MBOX-Line`.
pub fn read_header(input: &mut impl BufRead, limit: usize) -> Result<Header, HeaderError> {
    let mut header = Header::default();
    let mut length: usize = 0;
    loop {
        let mut line = read_line(input, limit.saturating_sub(length)).map_err(HeaderError::Read)?;
        if line.is_empty() {
            return Ok(header);
        }
        length = length.saturating_add(line.len());
        let kind = LineKind::of(&line, !header.fields.is_empty());
        match kind {
            LineKind::Empty => {
                header.body_start = line;
                return Ok(header);
            }
            LineKind::Body => {
                header.body_start = b"\n".to_vec();
                header.body_start.append(&mut line);
                return Ok(header);
            }
            LineKind::Continuation | LineKind::Mbox | LineKind::Field if length > limit => {
                return Err(HeaderError::TooLong);
            }
            LineKind::Continuation | LineKind::Mbox | LineKind::Field => {}
        }
        if line.last() != Some(&b'\n') {
            line.push(b'\n');
        }
        match (kind, header.fields.last_mut()) {
            (LineKind::Continuation, Some(field)) => field.append(&mut line),
            (LineKind::Mbox, _) => header.fields.push([b"MBOX-Line: ", line.as_slice()].concat()),
            _ => header.fields.push(line),
        }
    }
}

/// Reads to the end of a line, but never more than one byte beyond the limit. Empty at the end of the input.
fn read_line(input: &mut impl BufRead, limit: usize) -> io::Result<Vec<u8>> {
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut line = Vec::new();
    input.by_ref().take(most).read_until(b'\n', &mut line)?;
    Ok(line)
}

/// What a line is that stands where the header has not ended yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineKind {
    Field,
    Continuation,
    Mbox,
    Empty,
    Body,
}

impl LineKind {
    /// The line may be cut: what it is shows in its beginning, up to the first colon.
    fn of(line: &[u8], after_field: bool) -> LineKind {
        match line {
            [b'\n'] => LineKind::Empty,
            [b' ' | b'\t', ..] if after_field => LineKind::Continuation,
            _ if line.starts_with(b"From ") => LineKind::Mbox,
            _ if name(line).is_some() => LineKind::Field,
            _ => LineKind::Body,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields, the beginning of the body, and the input that is left.
    fn split(text: &str) -> (Vec<String>, String, String) {
        let text_of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut input = text.as_bytes();
        let header = read_header(&mut input, 1000).unwrap();
        (
            header.fields.iter().map(|field| text_of(field)).collect(),
            text_of(&header.body_start),
            text_of(input),
        )
    }

    fn parts(fields: &[&str], start: &str, rest: &str) -> (Vec<String>, String, String) {
        (fields.iter().map(|field| field.to_string()).collect(), start.to_owned(), rest.to_owned())
    }

    #[test]
    fn an_empty_line_ends_the_header_and_belongs_to_the_body() {
        assert_eq!(split("A: b\nC: d\n\nbody\n"), parts(&["A: b\n", "C: d\n"], "\n", "body\n"));
        assert_eq!(split("\nbody"), parts(&[], "\n", "body"));
        assert_eq!(split("\n"), parts(&[], "\n", ""));
    }

    #[test]
    fn lines_that_begin_with_a_blank_continue_a_field() {
        assert_eq!(split("A: b\n c\n\td\n\n"), parts(&["A: b\n c\n\td\n"], "\n", ""));
        assert_eq!(split(" A: b\n\n"), parts(&[], "\n A: b\n", "\n"));
    }

    #[test]
    fn a_line_that_is_no_field_is_the_body_after_an_inserted_empty_line() {
        for line in ["foo bar: x\n", ": x\n", "\r\n", "no colon\n", "\u{e9}: x\n", "x"] {
            let text = format!("A: b\n{line}");
            assert_eq!(split(&text), parts(&["A: b\n"], &format!("\n{line}"), ""), "{line:?}");
        }
    }

    #[test]
    fn an_mbox_line_becomes_a_field_that_can_be_continued() {
        assert_eq!(split("From a b: c\n d\n"), parts(&["MBOX-Line: From a b: c\n d\n"], "", ""));
    }

    #[test]
    fn the_input_may_end_in_the_header_and_a_missing_newline_is_supplied() {
        assert_eq!(split("A: b\nC: d"), parts(&["A: b\n", "C: d\n"], "", ""));
        assert_eq!(split("A: b\n c"), parts(&["A: b\n c\n"], "", ""));
        assert_eq!(split(""), parts(&[], "", ""));
    }

    #[test]
    fn names_are_known_in_any_case_with_blanks_before_the_colon_and_only_as_a_whole() {
        assert_eq!(FieldName::of(b"mail-FOLLOWUP-to \t: x\n"), FieldName::MailFollowupTo);
        assert_eq!(FieldName::of(b"To:x\n"), FieldName::To);
        assert_eq!(FieldName::of(b"Tos: x\n"), FieldName::Other);
        assert_eq!(FieldName::of(b"T: x\n"), FieldName::Other);
    }

    #[test]
    fn a_header_above_the_limit_is_refused_and_a_body_is_not() {
        let exactly = b"A: 34567\n\n";
        assert!(read_header(&mut &exactly[..], 9).is_ok());
        assert!(matches!(read_header(&mut &exactly[..], 8), Err(HeaderError::TooLong)));
        assert!(matches!(read_header(&mut &b"A: b\n 678901\n"[..], 8), Err(HeaderError::TooLong)));
        let mut body = &b"a long line without a colon\n"[..];
        assert_eq!(read_header(&mut body, 8).unwrap().body_start, b"\na long li");
        assert_eq!(body, b"ne without a colon\n");
    }

    proptest::proptest! {
        #[test]
        fn no_byte_of_a_message_is_lost(text in "[A:> \t\n\r]{0,60}") {
            let (fields, start, rest) = split(&text);
            let all = [fields.concat(), start, rest].concat();
            let without_newlines = |text: &str| text.replace('\n', "");
            proptest::prop_assert_eq!(without_newlines(&all), without_newlines(&text));
            proptest::prop_assert!(all.len() <= text.len() + 1);
        }
    }
}
