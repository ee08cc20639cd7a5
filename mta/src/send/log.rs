//! Everything that qmail-send says, and the only place that says it. qmail-log(5).
//!
//! Log analysers read these lines: each wording is a contract. Text that comes from outside is cleaned, so
//! one line of it makes one line of log.

use super::channel::{ByChannel, Channel};
use crate::queue::layout::MessageNumber;
use crate::queue::queuectl::request::Request;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;

/// Where the lines go: descriptor 0 of qmail-send.
pub struct Log {
    file: File,
}

/// Running deliveries and their limit.
pub type Load = (usize, usize);

impl Log {
    /// A log on this descriptor.
    pub fn new(descriptor: OwnedFd) -> Log {
        Log { file: File::from(descriptor) }
    }

    fn line(&mut self, parts: &[&[u8]]) {
        let mut line = parts.concat();
        line.push(b'\n');
        // A log that cannot be written must not stop the mail, and there is nobody else to tell.
        let _ = self.file.write_all(&line);
    }

    fn text(&mut self, text: impl AsRef<[u8]>) {
        self.line(&[text.as_ref()]);
    }

    /// The load of both channels.
    pub fn status(&mut self, load: &ByChannel<Load>, exit_asap: bool) {
        let ((local, local_limit), (remote, remote_limit)) = (load.local, load.remote);
        let ending = if exit_asap { " exitasap" } else { "" };
        self.text(format!("status: local {local}/{local_limit} remote {remote}/{remote_limit}{ending}"));
    }

    /// The last line.
    pub fn exiting(&mut self) {
        self.text("status: exiting");
    }

    /// Preprocessing of a message begins.
    pub fn new_message(&mut self, message: MessageNumber) {
        self.text(format!("new msg {message}"));
    }

    /// What is known of a new message.
    pub fn info(&mut self, message: MessageNumber, bytes: u64, sender: &[u8], qp: &[u8], uid: &[u8]) {
        let head = format!("info msg {message}: bytes {bytes} from <");
        self.line(&[head.as_bytes(), &clean(sender), b"> qp ", &clean(qp), b" uid ", &clean(uid)]);
    }

    /// An attempt begins.
    pub fn starting(&mut self, delivery: u64, message: MessageNumber, channel: Channel, recipient: &[u8]) {
        let head = format!("starting delivery {delivery}: msg {message} to {} ", channel.name());
        self.line(&[head.as_bytes(), &clean(recipient)]);
    }

    /// An attempt succeeded.
    pub fn success(&mut self, delivery: u64, report: &[u8]) {
        self.line(&[format!("delivery {delivery}: success: ").as_bytes(), &clean(report)]);
    }

    /// An attempt failed for good.
    pub fn failure(&mut self, delivery: u64, report: &[u8]) {
        self.line(&[format!("delivery {delivery}: failure: ").as_bytes(), &clean(report)]);
    }

    /// An attempt failed for now.
    pub fn deferral(&mut self, delivery: u64, report: &[u8]) {
        self.line(&[format!("delivery {delivery}: deferral: ").as_bytes(), &clean(report)]);
    }

    /// An agent's report made no sense.
    pub fn mangled(&mut self, delivery: u64) {
        self.text(format!("delivery {delivery}: report mangled, will defer"));
    }

    /// A bounce was queued.
    pub fn bounce(&mut self, message: MessageNumber, qp: i32) {
        self.text(format!("bounce msg {message} qp {qp}"));
    }

    /// A bounce of a bounce of a bounce ends here.
    pub fn triple_bounce(&mut self, message: MessageNumber) {
        self.text(format!("triple bounce: discarding bounce/{message}"));
    }

    /// An administrator's order is carried out.
    pub fn order(&mut self, request: &Request) {
        self.text(format!("queuectl: {} msg {}", request.action.word(), request.message));
    }

    /// A message leaves the queue.
    pub fn end(&mut self, message: MessageNumber) {
        self.text(format!("end msg {message}"));
    }

    /// qmail-send cannot begin.
    pub fn cannot_start(&mut self, why: &str) {
        self.text(format!("alert: cannot start: {why}"));
    }

    /// A helper is gone.
    pub fn lost(&mut self, helper: Helper) {
        let helper = match helper {
            Helper::Spawner(_) => "spawn",
            Helper::Cleaner => "qmail-clean",
        };
        self.text(format!("alert: oh no! lost {helper} connection! dying..."));
    }

    /// Something that an administrator has to mend.
    pub fn alert(&mut self, what: impl AsRef<str>) {
        self.text(format!("alert: {}", what.as_ref()));
    }

    /// Something that went wrong and will be tried again or lived with.
    pub fn warning(&mut self, what: impl AsRef<str>) {
        self.text(format!("warning: {}", what.as_ref()));
    }
}

/// The processes that qmail-send cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Helper {
    /// qmail-lspawn or qmail-rspawn.
    Spawner(Channel),
    /// qmail-clean.
    Cleaner,
}

/// Outside text as the log shows it: line ends become `/`; blanks, control bytes, bytes above 126 and `%` become `_`.
pub fn clean(text: &[u8]) -> Vec<u8> {
    let clean = |byte: &u8| match byte {
        b'\n' => b'/',
        b'%' | 0..=32 | 127.. => b'_',
        other => *other,
    };
    text.iter().map(clean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// L8
    #[test]
    fn l8_outside_text_cannot_make_a_second_line() {
        assert_eq!(clean(b"Sorry, 100% no\nx\r\x00\x7f\xff"), b"Sorry,_100__no/x____");
    }
}
