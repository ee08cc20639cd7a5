//! 6.4: dtcm hung because the sendmail that it started held the writing end of the pipe that it read from, so that the end of the
//! message never came. Nothing is sent of a message that may go on; a program in between that closes what it was left lets
//! the message through.

use crate::site::{Site, pause};
use harness::{HOST, wait_until};
use std::io::Write;
use std::process::{Command, Stdio};

/// What a program with that mistake does: it writes the message, closes its end, and waits for the sendmail that has the end, too.
const DTCM: &str = "\
import os, sys
out, into = os.pipe()
child = os.fork()
if child == 0:
    os.dup2(out, 0)
    os.set_inheritable(into, True)
    os.execv(sys.argv[1], [sys.argv[1], '-t'])
os.close(out)
os.write(into, sys.stdin.buffer.read())
os.close(into)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
";
/// In the place of sendmail, for such a program alone.
const WRAPPER: &str =
    "#!/bin/sh\nexec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-\nexec /var/qmail/bin/sendmail \"$@\"\n";

#[test]
fn what_is_left_open_is_closed_in_between() {
    let Some(site) = Site::new() else { return };
    let Some(python) = harness::installed("python3") else {
        return harness::skipped("python3 is not installed");
    };
    site.boots();
    site.write_program("/usr/local/bin/closing-sendmail", WRAPPER);
    let start = |sendmail: &str| {
        let mut command = Command::new(&python);
        command.args(["-c", DTCM]).arg(site.path(&format!("/var/qmail/bin/{sendmail}")));
        let mut running = harness::Running::start(command.stdin(Stdio::piped()));
        let mut stdin = running.child().stdin.take().expect("a pipe");
        let message = format!("To: postmaster@{HOST}\nSubject: {sendmail}\n\nx\n");
        stdin.write_all(message.as_bytes()).expect("a program that reads");
        running
    };
    let mut hanging = start("sendmail");
    site.pid_of("qmail-inject");
    pause();
    assert!(hanging.is_alive());

    assert_eq!(start("closing-sendmail").wait(), 0);
    site.wait_for_text("/var/qmail/alias/Mailbox", "\nSubject: closing-sendmail\n");

    // The one that hangs sends nothing when it is ended, either.
    site.types(&format!("kill {}", site.pid_of("qmail-inject")));
    wait_until("it has ended", || !hanging.is_alive());
    site.delivers_all();
    assert!(!site.postmasters_mailbox().contains("\nSubject: sendmail\n"));
}
