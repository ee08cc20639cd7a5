//! Why qmail-local does not deliver, in the words of its manual. Reports and bounces carry these texts.

use super::forward;
use crate::deliver::mailbox::{maildir, mbox};
use crate::queue::enqueue_error::Class;
use std::io;
use unix::failure::{self, Failure};
use unix::program::Exit;

/// Why a delivery ended early.
#[derive(Debug)]
pub enum Refusal {
    /// Nothing is delivered as root.
    Root,
    /// The home directory cannot be entered.
    NoHome {
        /// The directory.
        home: Vec<u8>,
        /// Why.
        error: io::Error,
    },
    /// The home directory cannot be looked at.
    HomeUnreadable(io::Error),
    /// Everybody may write to the home directory.
    HomeWritable,
    /// The user is editing his `.qmail` files.
    HomeSticky,
    /// No file controls this extension.
    NoMailbox,
    /// The message was here before.
    Looping,
    /// A `.qmail` file that is there cannot be read.
    DotQmailUnreadable {
        /// The file.
        name: Vec<u8>,
        /// Why.
        error: io::Error,
    },
    /// A `.qmail` file is longer than any list.
    DotQmailTooLong {
        /// The file.
        name: Vec<u8>,
    },
    /// Everybody may write to the `.qmail` file.
    DotQmailWritable,
    /// The first line says nothing.
    BlankFirstLine,
    /// A file delivery where only forwards are allowed.
    FileWithXBit,
    /// A program delivery where only forwards are allowed.
    ProgramWithXBit,
    /// The message is not in a file, or cannot be read again.
    Rewind,
    /// The message cannot be read.
    MessageUnreadable(io::Error),
    /// An mbox did not take the message.
    Mbox {
        /// The mbox.
        name: Vec<u8>,
        /// Why.
        trouble: mbox::Trouble,
    },
    /// A maildir did not take the message.
    Maildir(maildir::Trouble),
    /// No process could be had.
    Fork(io::Error),
    /// The shell could not be run.
    Shell(io::Error),
    /// A program was ended by a signal.
    ProgramCrashed,
    /// A program refused the message for good. It has said why.
    ProgramRefused,
    /// A program wants the message to be tried again. It has said why.
    ProgramDeferred,
    /// The forwarded message did not get into the queue.
    Forward(forward::Trouble),
    /// `-n` has nowhere to print to.
    Print(io::Error),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        let exit = refusal.exit();
        match refusal {
            Refusal::ProgramRefused | Refusal::ProgramDeferred => Failure::silent(exit),
            Refusal::Forward(forward::Trouble::Installation(failure)) => failure,
            refusal => Failure::verbatim(exit, refusal.text()),
        }
    }
}

impl Refusal {
    /// 100 if trying again cannot help, else 111.
    pub fn exit(&self) -> Exit {
        match self {
            Refusal::NoMailbox | Refusal::Looping | Refusal::ProgramRefused => Exit::PERMANENT,
            Refusal::Forward(forward::Trouble::Refused(refusal)) if refusal.class == Class::Permanent => {
                Exit::PERMANENT
            }
            _ => Exit::TEMPORARY,
        }
    }

    /// What the report says, without its line end.
    pub fn text(&self) -> Vec<u8> {
        match self {
            Refusal::Root => b"Sorry, I do not deliver mail as root. (#4.7.0)".to_vec(),
            Refusal::NoHome { home, error } => with_error(&[b"Unable to switch to ", home], error, "4.3.0"),
            Refusal::HomeUnreadable(error) => with_error(&[b"Unable to stat home directory"], error, "4.3.0"),
            Refusal::HomeWritable => b"Uh-oh: home directory is writable. (#4.7.0)".to_vec(),
            Refusal::HomeSticky => {
                b"Home directory is sticky: user is editing his .qmail file. (#4.2.1)".to_vec()
            }
            Refusal::NoMailbox => b"Sorry, no mailbox here by that name. (#5.1.1)".to_vec(),
            Refusal::Looping => {
                b"This message is looping: it already has my Delivered-To line. (#5.4.6)".to_vec()
            }
            Refusal::DotQmailUnreadable { name, error } => {
                with_error(&[b"Unable to open ", name], error, "4.3.0")
            }
            Refusal::DotQmailTooLong { name } => [b"Uh-oh: ", &name[..], b" is too long. (#4.3.0)"].concat(),
            Refusal::DotQmailWritable => b"Uh-oh: .qmail file is writable. (#4.7.0)".to_vec(),
            Refusal::BlankFirstLine => b"Uh-oh: first line of .qmail file is blank. (#4.2.1)".to_vec(),
            Refusal::FileWithXBit => b"Uh-oh: .qmail has file delivery but has x bit set. (#4.7.0)".to_vec(),
            Refusal::ProgramWithXBit => {
                b"Uh-oh: .qmail has prog delivery but has x bit set. (#4.7.0)".to_vec()
            }
            Refusal::Rewind => b"Unable to rewind message. (#4.3.0)".to_vec(),
            Refusal::MessageUnreadable(error) => with_error(&[b"Unable to read message"], error, "4.3.0"),
            Refusal::Mbox { name, trouble } => mbox_text(name, trouble),
            Refusal::Maildir(trouble) => maildir_text(trouble).to_vec(),
            Refusal::Fork(error) => with_error(&[b"Unable to fork"], error, "4.3.0"),
            Refusal::Shell(error) => with_error(&[b"Unable to run /bin/sh"], error, "4.3.0"),
            Refusal::ProgramCrashed => b"Aack, child crashed. (#4.3.0)".to_vec(),
            Refusal::Forward(trouble) => forward_text(trouble),
            Refusal::Print(error) => with_error(&[b"Unable to print"], error, "4.3.0"),
            // The program has spoken for itself.
            Refusal::ProgramRefused | Refusal::ProgramDeferred => Vec::new(),
        }
    }
}

/// `what: error. (#code)`
fn with_error(what: &[&[u8]], error: &io::Error, code: &str) -> Vec<u8> {
    [&what.concat()[..], b": ", failure::describe(error).as_bytes(), b". (#", code.as_bytes(), b")"].concat()
}

fn forward_text(trouble: &forward::Trouble) -> Vec<u8> {
    match trouble {
        forward::Trouble::Installation(_) => b"Unable to find the queue. (#4.3.0)".to_vec(),
        forward::Trouble::Fork(error) => with_error(&[b"Unable to fork"], error, "4.3.0"),
        forward::Trouble::Read(error) => with_error(&[b"Unable to read message"], error, "4.3.0"),
        forward::Trouble::Refused(refusal) => {
            [b"Unable to forward message: ", &refusal.text[..], b"."].concat()
        }
    }
}

fn mbox_text(name: &[u8], trouble: &mbox::Trouble) -> Vec<u8> {
    match trouble {
        mbox::Trouble::Open(error) => with_error(&[b"Unable to open ", name], error, "4.2.1"),
        mbox::Trouble::Locked => b"File has been locked for 30 seconds straight. (#4.3.0)".to_vec(),
        mbox::Trouble::Read(error) => with_error(&[b"Unable to read message"], error, "4.3.0"),
        mbox::Trouble::Write(error) => with_error(&[b"Unable to write ", name], error, "4.3.0"),
    }
}

fn maildir_text(trouble: &maildir::Trouble) -> &'static [u8] {
    match trouble {
        maildir::Trouble::Unreachable => b"Unable to chdir to maildir. (#4.2.1)",
        maildir::Trouble::Timeout => b"Timeout on maildir delivery. (#4.3.0)",
        maildir::Trouble::Read(_) => b"Unable to read message. (#4.3.0)",
        maildir::Trouble::Write(_) => b"Temporary error on maildir delivery. (#4.3.0)",
    }
}
