//! The parts of a bounce that programs read: a `multipart/report` (RFC 6522) with the text of QSBMF, the status of
//! each recipient (RFC 3464), and the message that failed.
//!
//! The status is made of the bounce record, which has the recipients and the reports on them.

use crate::message::date;
use crate::queue::layout::{Kind, MessageNumber};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use unix::file;

/// What has to be known of the contents before the first part is written.
#[derive(Debug)]
pub struct Parts {
    /// A line that nobody who wrote a part could know.
    boundary: String,
    text: Encoding,
    original: Encoding,
}

/// Which bytes a part consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Ascii,
    Utf8,
    Unknown,
}

impl Encoding {
    fn charset(self) -> &'static str {
        match self {
            Encoding::Ascii => "us-ascii",
            Encoding::Utf8 => "utf-8",
            Encoding::Unknown => "unknown-8bit",
        }
    }

    fn transfer(self) -> &'static str {
        if self == Encoding::Ascii { "7bit" } else { "8bit" }
    }

    /// The encoding of both.
    fn with(self, other: Encoding) -> Encoding {
        match (self, other) {
            (Encoding::Ascii, one) | (one, Encoding::Ascii) => one,
            (Encoding::Utf8, Encoding::Utf8) => Encoding::Utf8,
            _ => Encoding::Unknown,
        }
    }

    fn of_line(line: &[u8]) -> Encoding {
        match line {
            _ if line.is_ascii() => Encoding::Ascii,
            _ if std::str::from_utf8(line).is_ok() => Encoding::Utf8,
            _ => Encoding::Unknown,
        }
    }
}

impl Parts {
    /// Looks at the files of a message.
    pub fn of(message: MessageNumber, introduction: &[u8]) -> io::Result<Parts> {
        let record = encoding_of_file(&Kind::Bounce.path(message))?;
        Ok(Parts {
            boundary: boundary()?,
            text: record.with(Encoding::of_line(introduction)),
            original: encoding_of_file(&Kind::Mess.path(message))?,
        })
    }

    /// Fields for the header of the bounce, and what stands before its text.
    pub fn start(&self) -> Vec<u8> {
        let Parts { boundary, text, original } = self;
        let (charset, transfer) = (text.charset(), text.transfer());
        format!(
            "MIME-Version: 1.0\n\
             Content-Type: multipart/report; report-type=delivery-status;\n\tboundary=\"{boundary}\"\n\
             Content-Transfer-Encoding: {}\n\n\
             --{boundary}\n\
             Content-Type: text/plain; charset={charset}\n\
             Content-Transfer-Encoding: {transfer}\n\n",
            text.with(*original).transfer()
        )
        .into_bytes()
    }

    /// What stands between the text and the message: the status of each recipient.
    ///
    /// # Errors
    /// The bounce record cannot be read.
    pub fn middle(&self, message: MessageNumber, reporting_host: &[u8]) -> io::Result<Vec<u8>> {
        let Parts { boundary, original, .. } = self;
        let mut part = format!("\n--{boundary}\nContent-Type: message/delivery-status\n\n");
        let _ = writeln!(part, "Reporting-MTA: dns; {}", plain(reporting_host));
        if let Some(birth) =
            fs::metadata(Kind::Info.path(message)).ok().and_then(|info| info.mtime().try_into().ok())
        {
            let _ = writeln!(part, "Arrival-Date: {}", date::rfc5322(birth));
        }
        let record = file::open_read(&Kind::Bounce.path(message))?;
        for failed in read_record(BufReader::new(record))? {
            part.push_str(&failed.fields());
        }
        let transfer = original.transfer();
        let _ = write!(
            part,
            "\n--{boundary}\nContent-Type: message/rfc822\nContent-Transfer-Encoding: {transfer}\n\n"
        );
        Ok(part.into_bytes())
    }

    /// What stands behind the message.
    pub fn end(&self) -> Vec<u8> {
        format!("\n--{}--\n", self.boundary).into_bytes()
    }
}

fn encoding_of_file(path: &Path) -> io::Result<Encoding> {
    let mut file = BufReader::new(file::open_read(path)?);
    let mut encoding = Encoding::Ascii;
    // A line may be as long as the message. What is cut within a character has no known character set.
    let mut line = Vec::new();
    while encoding != Encoding::Unknown {
        line.clear();
        if file.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        encoding = encoding.with(Encoding::of_line(&line));
    }
    Ok(encoding)
}

/// Most of a line that is looked at in one piece.
const LONGEST_LINE: u64 = 64 * 1024;

/// 128 random bits: whoever wrote the message could not put this line into it.
fn boundary() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().fold("=_".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// One failed recipient, with the lines of the report on him.
#[derive(Debug, Default, PartialEq, Eq)]
struct Failed {
    recipient: Vec<u8>,
    report: Vec<Vec<u8>>,
}

/// Takes a bounce record apart: `<recipient>:`, the lines of the report, an empty line.
fn read_record(mut record: impl BufRead) -> io::Result<Vec<Failed>> {
    let mut all: Vec<Failed> = Vec::new();
    let mut begins = true;
    let mut line = Vec::new();
    while record.read_until(b'\n', &mut line)? > 0 {
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        match all.last_mut() {
            _ if text.is_empty() => begins = true,
            Some(failed) if !begins => failed.report.push(text.to_vec()),
            _ => {
                let recipient = text.strip_prefix(b"<").unwrap_or(text);
                let recipient = recipient.strip_suffix(b">:").unwrap_or(recipient).to_vec();
                all.push(Failed { recipient, report: Vec::new() });
                begins = false;
            }
        }
        line.clear();
    }
    Ok(all)
}

impl Failed {
    /// RFC 3464 §2.3. Every field is plain ASCII, whatever the report says.
    fn fields(&self) -> String {
        let mut fields = format!(
            "\nFinal-Recipient: rfc822; {}\nAction: failed\nStatus: {}\n",
            plain(&self.recipient),
            self.status()
        );
        if let Some(diagnostic) = self.diagnostic() {
            let _ = writeln!(fields, "Diagnostic-Code: {diagnostic}");
        }
        fields
    }

    /// The status code (RFC 3463) that the report begins with, or has in parentheses, or that the other host
    /// gave; of a permanent failure, because that is what it is by now.
    fn status(&self) -> String {
        let begins = self.report.first().and_then(|line| status_at(line.trim_ascii_start()));
        let in_parentheses = || self.report.iter().find_map(|line| status_in_parentheses(line));
        let by_host = || self.remote_reply().find_map(|line| status_at(line.get(4..)?));
        begins.or_else(in_parentheses).or_else(by_host).unwrap_or_else(|| "5.0.0".to_owned())
    }

    /// The lines of the other host's reply, if there is one.
    fn remote_reply(&self) -> impl Iterator<Item = &[u8]> {
        let from = self.report.iter().position(|line| line.starts_with(REMOTE_REPLY));
        let lines = from.and_then(|from| self.report.get(from..)).unwrap_or_default();
        let reply = lines.iter().filter(|line| !line.starts_with(AFTER_REPLY));
        reply.map(|line| line.strip_prefix(REMOTE_REPLY).unwrap_or(line))
    }

    fn diagnostic(&self) -> Option<String> {
        let mut kind = "smtp; ";
        let mut lines: Vec<String> = self.remote_reply().map(plain).collect();
        if lines.is_empty() {
            kind = "x-qmail; ";
            lines = self.report.iter().map(|line| plain(line)).collect();
        }
        lines.retain(|line| !line.is_empty());
        (!lines.is_empty()).then(|| kind.to_owned() + &lines.join("\n "))
    }
}

/// What qmail-remote puts before the reply of the host that it talked to.
const REMOTE_REPLY: &[u8] = b"Remote host said: ";
/// And what it puts after it.
const AFTER_REPLY: &[u8] = b"Giving up on ";

/// `5.1.1` at the beginning of a text, and nothing that would make it something else behind it.
fn status_at(text: &[u8]) -> Option<String> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.').unwrap_or(text.len());
    let code = std::str::from_utf8(text.get(..end)?).ok()?;
    let numbers: Vec<&str> = code.split('.').collect();
    let [class, subject, detail] = numbers.as_slice() else { return None };
    let is_number = |digits: &str| (1..=3).contains(&digits.len());
    (*class == "5" && is_number(subject) && is_number(detail)).then(|| code.to_owned())
}

fn status_in_parentheses(line: &[u8]) -> Option<String> {
    line.windows(2).enumerate().filter(|(_, pair)| *pair == b"(#").find_map(|(at, _)| {
        let rest = line.get(at.saturating_add(2)..)?;
        let code = status_at(rest)?;
        (rest.get(code.len()) == Some(&b')')).then_some(code)
    })
}

/// A text for a field: printable ASCII, without blanks at its ends, and no longer than a line may be.
fn plain(text: &[u8]) -> String {
    let printable = |byte: &u8| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '?' };
    let text: String = text
        .iter()
        .map(|byte| if *byte == b'\t' { b' ' } else { *byte })
        .take(FIELD_LIMIT)
        .map(|byte| printable(&byte))
        .collect();
    text.trim().to_owned()
}

/// RFC 5322 §2.1.1 allows 998 bytes on a line, and the name of the field takes some. Of an address that is longer,
/// which no other host takes (RFC 5321 §4.5.3.1.3), the text of the bounce has the rest.
const FIELD_LIMIT: usize = 960;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn failed(report: &str) -> Failed {
        let report = report.lines().map(|line| line.as_bytes().to_vec()).collect();
        Failed { recipient: b"joe@far.example".to_vec(), report }
    }

    #[test]
    fn a_record_is_taken_apart_into_recipients_and_reports() {
        let record = b"<a@x>:\nno such user\nsorry\n\n<odd>:>:\n<b@y>:\n\n<c@z>:\n\ntorn";
        let found = read_record(&record[..]).unwrap();
        let shown: Vec<(String, usize)> = found
            .iter()
            .map(|one| (String::from_utf8_lossy(&one.recipient).into_owned(), one.report.len()))
            .collect();
        assert_eq!(
            shown,
            [("a@x", 2), ("odd>:", 1), ("c@z", 0), ("torn", 0)].map(|(a, n)| (a.to_owned(), n))
        );
    }

    #[test]
    fn the_status_is_that_of_the_report() {
        for (report, status) in [
            ("5.7.1 not you", "5.7.1"),
            ("Sorry, no mailbox here by that name. (#5.1.1)", "5.1.1"),
            ("192.0.2.1 does not like recipient.\nRemote host said: 550 5.1.10 no\nGiving up.", "5.1.10"),
            ("192.0.2.1 does not like recipient.\nRemote host said: 550 no", "5.0.0"),
            ("Sorry. (#4.4.1)\nI'm not going to try again; too long in the queue.", "5.0.0"),
            ("4.2.1 busy", "5.0.0"),
            ("5.1.1.1 odd", "5.0.0"),
            ("5..1 odd (#5.1) (#5.2.2", "5.0.0"),
            ("", "5.0.0"),
        ] {
            assert_eq!(failed(report).status(), status, "{report}");
        }
    }

    #[test]
    fn the_diagnostic_is_the_hosts_reply_or_our_own_words() {
        let own = failed("a\u{e9} b\n \n\tc");
        assert_eq!(own.diagnostic().as_deref(), Some("x-qmail; a?? b\n c"));
        let host = failed(
            "192.0.2.1 does not like recipient.\nRemote host said: 550-a\n550 b\nGiving up on 192.0.2.1.",
        );
        assert_eq!(host.diagnostic().as_deref(), Some("smtp; 550-a\n 550 b"));
        assert_eq!(failed("").diagnostic(), None);
    }

    proptest! {
        /// M6, M7: whatever a report says, the status is fields of printable lines, and none is empty.
        #[test]
        fn m6_no_report_breaks_out_of_its_field(record in proptest::collection::vec(
            prop_oneof![Just(b'\n'), Just(b'<'), Just(b'>'), Just(b':'), Just(b' '), any::<u8>()], 0..200)) {
            for one in read_record(&record[..]).unwrap() {
                let fields = one.fields();
                let lines: Vec<&str> = fields.strip_prefix('\n').unwrap().lines().collect();
                prop_assert!(lines[0].starts_with("Final-Recipient: rfc822; "));
                prop_assert!(lines[1..3] [0] == "Action: failed" && lines[2].starts_with("Status: 5."));
                for line in lines {
                    prop_assert!(!line.trim().is_empty() && line.bytes().all(|byte| matches!(byte, b' '..=b'~')));
                }
            }
        }
    }
}
