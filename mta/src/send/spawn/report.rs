//! What an agent's end and output mean for qmail-send. qmail-lspawn(8), qmail-rspawn(8).
//!
//! The first byte of a report is its verdict: K delivered, Z not now, D never.

use unix::process::Ended;

/// Output of qmail-local that is kept; longer output is cut here and marked.
const LOCAL_LIMIT: usize = 3000;
const CUT_TO: usize = 2966;
const CUT_MARK: &[u8] = b"\nError report too long, sorry.\n";
/// Output of qmail-remote that is kept. Its own texts are shorter.
const REMOTE_LIMIT: usize = 64 * 1024;

/// With this the dynamic linker ends a program that it has no memory or no descriptor for. No agent ends so by itself.
const NOT_LINKED: u8 = 127;
/// With this a build that unwinds ends after a panic; others are killed by SIGABRT.
const PANICKED: u8 = 101;

/// Bounds what is kept of a local delivery's output.
pub fn bound_local(output: &mut Vec<u8>) {
    if output.len() > LOCAL_LIMIT {
        output.truncate(CUT_TO);
        output.extend_from_slice(CUT_MARK);
    }
}

/// Bounds what is kept of a remote delivery's output.
pub fn bound_remote(output: &mut Vec<u8>) {
    output.truncate(REMOTE_LIMIT);
}

/// The report of a local delivery.
pub fn local(ended: Ended, output: &[u8]) -> Vec<u8> {
    let text = output.split(|byte| *byte == 0).next().unwrap_or_default();
    let with_text = |letter: u8| [&[letter][..], text].concat();
    let Ended::Exited(code) = ended else { return b"Zqmail-local crashed.\n".to_vec() };
    match code {
        0 => with_text(b'K'),
        111 | 71 | 74 | 75 | NOT_LINKED | PANICKED => with_text(b'Z'),
        112 => b"ZInternal qmail-lspawn bug.\n".to_vec(),
        113 => b"ZNot allowed to perform deliveries as root.\n".to_vec(),
        115 => b"ZNFS failure in qmail-local.\n".to_vec(),
        116 => b"ZUnable to find alias user!\n".to_vec(),
        117 => b"ZTrouble reading users/cdb in qmail-lspawn.\n".to_vec(),
        118 => b"ZTemporary failure in qmail-lspawn.\n".to_vec(),
        119 => b"ZOut of memory in qmail-lspawn.\n".to_vec(),
        120 => b"ZUnable to run qmail-local.\n".to_vec(),
        121 => b"ZUnable to run qmail-getpw.\n".to_vec(),
        126 => b"DUnable to run qmail-local.\n".to_vec(),
        _ => with_text(b'D'),
    }
}

/// The report of a remote delivery: the recipient's record and the message's, made into one.
pub fn remote(ended: Ended, output: &[u8]) -> Vec<u8> {
    match ended {
        Ended::Killed { .. } => return b"Zqmail-remote crashed.\n".to_vec(),
        Ended::Exited(111 | NOT_LINKED | PANICKED) => return b"ZUnable to run qmail-remote.\n".to_vec(),
        Ended::Exited(0) => {}
        Ended::Exited(_) => return b"DUnable to run qmail-remote.\n".to_vec(),
    }
    let records = complete_records(output);
    let Some((first, others)) = records.split_first() else {
        return b"Zqmail-remote produced no output.\n".to_vec();
    };
    let message = records.iter().find_map(|record| Verdict::of_message(record));
    let combined = match first.first() {
        Some(b's') => Verdict::Temporary,
        Some(b'h') => Verdict::Permanent,
        _ => message.unwrap_or(Verdict::Permanent),
    };
    let mut report = vec![combined.letter()];
    report.extend_from_slice(first.get(1..).unwrap_or_default());
    // The message's text is added where it says nothing better than the recipient's.
    if message.unwrap_or(Verdict::Permanent) <= combined
        && let Some(second) = others.first().filter(|record| Verdict::of_message(record).is_some())
    {
        report.extend_from_slice(second.get(1..).unwrap_or_default());
    }
    report
}

/// Verdicts, from worst to best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Permanent,
    Temporary,
    Success,
}

impl Verdict {
    /// The verdict of a record about the message; nothing for one about a recipient.
    fn of_message(record: &[u8]) -> Option<Verdict> {
        match record.first()? {
            b'K' => Some(Verdict::Success),
            b'Z' => Some(Verdict::Temporary),
            b'D' => Some(Verdict::Permanent),
            _ => None,
        }
    }

    fn letter(self) -> u8 {
        match self {
            Verdict::Success => b'K',
            Verdict::Temporary => b'Z',
            Verdict::Permanent => b'D',
        }
    }
}

/// The records that end in NUL; an unterminated rest counts as none.
fn complete_records(output: &[u8]) -> Vec<&[u8]> {
    let end = output.iter().rposition(|byte| *byte == 0);
    end.and_then(|end| output.get(..end))
        .map(|text| text.split(|byte| *byte == 0).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: Ended = Ended::Exited(0);

    #[test]
    fn recipient_and_message_records_become_one_report() {
        let cases: [(&[u8], &[u8]); 10] = [
            (b"r\0Kacc\n\0", b"Kacc\n"),
            (b"hno\n\0DGiving up\n\0", b"Dno\nGiving up\n"),
            (b"sno\n\0DGiving up\n\0", b"Zno\nGiving up\n"),
            (b"sno\n\0Kgood\n\0", b"Zno\n"),
            (b"hno\n\0Zt\n\0", b"Dno\n"),
            (b"sno\n\0Zt\n\0", b"Zno\nt\n"),
            (b"Zt\n\0", b"Zt\n"),
            (b"r\0", b"D"),
            (b"garbage\0", b"Darbage"),
            (b"garbage", b"Zqmail-remote produced no output.\n"),
        ];
        for (output, report) in cases {
            assert_eq!(remote(OK, output), report, "{}", String::from_utf8_lossy(output));
        }
    }

    #[test]
    fn the_ends_of_agents_are_read_as_the_manual_says() {
        let killed = Ended::Killed { signal: 9, dumped: false };
        assert_eq!(local(killed, b"x"), b"Zqmail-local crashed.\n");
        assert_eq!(local(OK, b"did 1+0+0\n"), b"Kdid 1+0+0\n");
        assert_eq!(local(Ended::Exited(75), b"busy\0rest"), b"Zbusy");
        assert_eq!(local(Ended::Exited(100), b"no"), b"Dno");
        assert_eq!(local(Ended::Exited(1), b"no"), b"Dno");
        assert_eq!(local(Ended::Exited(117), b"x"), b"ZTrouble reading users/cdb in qmail-lspawn.\n");
        assert_eq!(remote(killed, b""), b"Zqmail-remote crashed.\n");
        assert_eq!(remote(Ended::Exited(111), b""), b"ZUnable to run qmail-remote.\n");
        assert_eq!(remote(OK, b""), b"Zqmail-remote produced no output.\n");
    }

    #[test]
    fn an_agent_that_could_not_be_loaded_is_tried_again() {
        for code in [NOT_LINKED, PANICKED] {
            let text = b"error while loading shared libraries: libc.so.6: cannot map";
            assert_eq!(local(Ended::Exited(code), text), [&b"Z"[..], text].concat());
            assert_eq!(remote(Ended::Exited(code), text), b"ZUnable to run qmail-remote.\n");
        }
    }

    /// M6
    #[test]
    fn m6_long_output_is_cut_and_says_so() {
        let mut output = Vec::new();
        for _ in 0..100 {
            output.extend_from_slice(&[b'x'; 128]);
            bound_local(&mut output);
            assert!(output.len() <= LOCAL_LIMIT);
        }
        assert!(output.windows(CUT_MARK.len()).any(|window| window == CUT_MARK));
    }
}
