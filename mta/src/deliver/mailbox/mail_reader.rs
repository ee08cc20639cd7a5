//! `elq`, `pinq` and `qail` move mail from a maildir to an mbox, and then become a mail reader that knows only mboxes.
//!
//! Reads    MAILDIR, MAIL and MAILTMP; what the reader reads.
//! Writes   what maildir2mbox writes; what the reader writes.
//! Runs as  the user.   Trusts  its caller, and PATH.
//! Exits    as maildir2mbox if that fails · 111 no such reader · otherwise with the reader's status.
//! Manual   elq(1).    Next in the flow: mailbox::maildir2mbox.

use super::maildir2mbox;
use unix::exec::{self, Search};
use unix::failure::{self, Failure};
use unix::process::{self, Ended};
use unix::program::{Exit, Invocation};

/// The entry of `elq`.
pub fn elm(invocation: &Invocation) -> Result<Exit, Failure> {
    read_with(invocation, &["elm"])
}

/// The entry of `pinq`. What Pine became is called Alpine.
pub fn pine(invocation: &Invocation) -> Result<Exit, Failure> {
    read_with(invocation, &["pine", "alpine"])
}

/// The entry of `qail`. Where only one kind of mail program is installed, it is called `mail`.
pub fn mail(invocation: &Invocation) -> Result<Exit, Failure> {
    read_with(invocation, &["Mail", "mail"])
}

/// Moves the mail, then becomes the first of these readers that is there.
fn read_with(invocation: &Invocation, readers: &[&str]) -> Result<Exit, Failure> {
    // A child moves it: the reader is to have the working directory and the umask that we were given.
    let child = process::fork(|| move_mail(invocation))
        .map_err(|error| Failure::temporary("unable to fork").because(&error))?;
    match process::wait_for(child) {
        Ok(Ended::Exited(0)) => {}
        // The child has said why.
        Ok(Ended::Exited(code)) => return Err(Failure::silent(Exit(code))),
        Ok(Ended::Killed { .. }) => return Err(Failure::temporary("child crashed")),
        Err(error) => return Err(Failure::temporary("wait failed").because(&error)),
    }
    let mut last = Failure::temporary("no reader");
    for reader in readers {
        let words: Vec<Vec<u8>> =
            [reader.as_bytes().to_vec()].into_iter().chain(invocation.arguments.iter().cloned()).collect();
        let error = exec::exec(&words, &invocation.environment(), Search::PathOrShell);
        last = Failure::temporary(format!("unable to run {reader}")).because(&error);
        if !failure::is_absent(&error) {
            break;
        }
    }
    Err(last)
}

fn move_mail(invocation: &Invocation) -> u8 {
    match maildir2mbox::move_mail(invocation) {
        Ok(()) => Exit::SUCCESS.0,
        Err(failure) => {
            failure.report(invocation.name);
            failure.exit().0
        }
    }
}
