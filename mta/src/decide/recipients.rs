//! Which local recipients there are, for `qmail-smtpd`, which refuses the others (`control/rcptcheck`).
//!
//! A recipient is refused only if a delivery would bounce, now and as anybody can see it. Mail for an address
//! whose delivery would have to wait is taken, and waits; so is mail for an address in a home directory that we
//! may not look into. Each question is a process of its own, which has a time limit and whose memory is not the
//! session's.

use super::View;
use crate::control::{Control, Unreadable};
use crate::deliver::local::dot_qmail::Glimpse;
use crate::deliver::local::plan::{self, HomeDirectory};
use crate::deliver::local::refusal::Refusal;
use crate::send::channel::Channel;
use crate::send::route::{self, Routing};
use crate::send::settings::{self, Settings};
use crate::send::spawn::request;
use crate::setup::home::Home;
use crate::users::{Controller, Trouble};
use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};
use unix::poll::{self, Interest};
use unix::process::{self, Ended, Pid};
use unix::signal::Signal;
use unix::{descriptor, failure};

/// Nobody waits longer for the account database or a file server.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Whether a recipient exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// He does, or nobody here knows that he does not.
    Accepted,
    /// A delivery would bounce.
    NoSuchAddress,
    /// The system does not answer for now.
    NotNow,
}

impl Answer {
    /// As the exit status of the process that was asked.
    fn exit(self) -> u8 {
        match self {
            Answer::Accepted => 0,
            Answer::NoSuchAddress => 100,
            Answer::NotNow => 111,
        }
    }

    fn from_end(ended: Ended) -> Answer {
        let answers = [Answer::Accepted, Answer::NoSuchAddress];
        answers.into_iter().find(|answer| ended == Ended::Exited(answer.exit())).unwrap_or(Answer::NotNow)
    }
}

/// What decides whether a recipient exists.
pub struct LocalRecipients {
    home: Home,
    routing: Routing,
}

impl LocalRecipients {
    /// Reads the control files of qmail-send that say which recipients are local.
    ///
    /// # Errors
    /// One of them cannot be read, or this host has no name.
    pub fn read(home: &Home, control: &Control) -> Result<LocalRecipients, Unreadable> {
        let read = || Settings::read(control)?.read_routing(control);
        let routing = read().map_err(|trouble| match trouble {
            settings::Trouble::Unreadable(unreadable) => unreadable,
            settings::Trouble::NoName => {
                Unreadable { file: "control/locals".to_owned(), error: io::ErrorKind::NotFound.into() }
            }
        })?;
        Ok(LocalRecipients { home: home.clone(), routing })
    }

    /// Whether a recipient exists. Recipients elsewhere always do.
    pub fn ask(&self, recipient: &[u8]) -> Answer {
        let (channel, address) = self.routing.route(recipient);
        if channel == Channel::Remote {
            return Answer::Accepted;
        }
        match ask_child(TIME_LIMIT, || decide(&self.home, &address)) {
            Ok(Some(ended)) => Answer::from_end(ended),
            Ok(None) | Err(_) => Answer::NotNow,
        }
    }
}

/// How a process that was asked ended; nothing if it did not in time.
fn ask_child(limit: Duration, question: impl FnOnce() -> Answer) -> io::Result<Option<Ended>> {
    let deadline = Instant::now().checked_add(limit);
    let (reader, writer) = descriptor::pipe()?;
    let child = process::fork(|| {
        // The client must not be kept connected by a process that hangs.
        let _ = process::signal_at_parents_death(Signal::SIGKILL);
        question().exit()
    })?;
    drop(writer);
    // The pipe ends with the child; nobody writes to it.
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            give_up(child);
            return Ok(None);
        }
        if poll::wait_one(reader.as_fd(), Interest::Read, left)? {
            return process::wait_for(child).map(Some);
        }
    }
}

/// A child that hangs in the kernel dies when that lets it go. Waiting for that would be hanging, too.
fn give_up(child: Pid) {
    let _ = process::kill(child, Signal::SIGKILL);
}

/// Follows the way of a delivery to the local channel up to where it would bounce.
fn decide(home: &Home, address: &[u8]) -> Answer {
    if request::check_recipient(address).is_err() {
        return Answer::NoSuchAddress;
    }
    let found = match super::find_controller(home, route::local_part(address), &mut |_| ()) {
        Ok(found) if found.is_certain => found,
        Ok(_) => return Answer::Accepted,
        Err(_) => return Answer::NotNow,
    };
    let controller = &found.controller;
    match super::view(home, controller) {
        Ok(View::Own) => look(controller),
        Ok(View::Outside) => look_from_outside(controller),
        Ok(View::Become(identity)) => {
            let looked = super::in_child(Some(&identity), |_| look(controller).exit());
            looked.map_or(Answer::NotNow, |(status, _)| Answer::from_end(Ended::Exited(status)))
        }
        // For root, or for a user whom this installation cannot serve, nothing is delivered: mail waits.
        Err(Trouble::Root | Trouble::Internal) => Answer::Accepted,
        Err(_) => Answer::NotNow,
    }
}

/// As the controller: what qmail-local will find.
fn look(controller: &Controller) -> Answer {
    if let Err(error) = std::env::set_current_dir(home_of(controller)) {
        return waiting(&error);
    }
    let here = Path::new(".");
    answer(plan::check_home(here), || plan::exists(here, &controller.dash, &controller.ext))
}

/// As somebody else: only what is certain counts.
fn look_from_outside(controller: &Controller) -> Answer {
    let home = home_of(controller);
    answer(plan::check_home(home), || {
        plan::glimpse(home, &controller.dash, &controller.ext).map(|seen| seen != Glimpse::Absent)
    })
}

fn home_of(controller: &Controller) -> &Path {
    Path::new(OsStr::from_bytes(&controller.home))
}

fn answer(home: Result<HomeDirectory, Refusal>, exists: impl FnOnce() -> Result<bool, Refusal>) -> Answer {
    let existing = match home {
        Ok(HomeDirectory::BeingEdited) => return Answer::Accepted,
        Ok(HomeDirectory::Ready) => exists(),
        Err(refusal) => Err(refusal),
    };
    match existing {
        Ok(true) => Answer::Accepted,
        Ok(false) => Answer::NoSuchAddress,
        Err(Refusal::HomeUnreadable(error) | Refusal::DotQmailUnreadable { error, .. }) => waiting(&error),
        Err(_) => Answer::Accepted,
    }
}

/// Trouble that passes is told to the client; with other trouble the address is there, and its mail waits.
fn waiting(error: &io::Error) -> Answer {
    if failure::is_temporary(error) { Answer::NotNow } else { Answer::Accepted }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn controller(home: &Path, dash: &str, ext: &str) -> Controller {
        Controller {
            user: b"joe".to_vec(),
            uid: unix::account::effective_uid(),
            gid: 0,
            home: home.as_os_str().as_bytes().to_vec(),
            dash: dash.into(),
            ext: ext.into(),
        }
    }

    #[test]
    fn from_outside_only_what_is_certainly_absent_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let seen = |ext: &str| look_from_outside(&controller(home.path(), "-", ext));
        assert_eq!(look_from_outside(&controller(home.path(), "", "")), Answer::Accepted);
        assert_eq!(seen("none"), Answer::NoSuchAddress);
        fs::write(home.path().join(".qmail-file"), "").unwrap();
        fs::create_dir(home.path().join(".qmail-directory")).unwrap();
        fs::create_dir(home.path().join(".qmail-closed")).unwrap();
        fs::set_permissions(home.path().join(".qmail-closed"), Permissions::from_mode(0o300)).unwrap();
        symlink("nowhere", home.path().join(".qmail-link")).unwrap();
        assert_eq!(seen("file"), Answer::Accepted);
        assert_eq!(seen("directory"), Answer::NoSuchAddress);
        assert_eq!(seen("closed"), Answer::Accepted);
        assert_eq!(seen("link"), Answer::Accepted);
        assert_eq!(seen(&"x".repeat(300)), Answer::NoSuchAddress);
        fs::write(home.path().join(".qmail-sub-default"), "").unwrap();
        assert_eq!(seen("sub-x/../../y"), Answer::Accepted);
    }

    #[test]
    fn where_mail_would_wait_it_is_taken() {
        let home = tempfile::tempdir().unwrap();
        let seen = |mode: u32| {
            fs::set_permissions(home.path(), Permissions::from_mode(mode)).unwrap();
            look_from_outside(&controller(home.path(), "-", "none"))
        };
        assert_eq!(seen(0o1755), Answer::Accepted);
        assert_eq!(seen(0o757), Answer::Accepted);
        assert_eq!(seen(0o755), Answer::NoSuchAddress);
        let missing = controller(&home.path().join("missing"), "-", "none");
        assert_eq!(look_from_outside(&missing), Answer::Accepted);
    }

    #[test]
    fn any_end_but_two_means_not_now() {
        assert_eq!(Answer::from_end(Ended::Exited(0)), Answer::Accepted);
        assert_eq!(Answer::from_end(Ended::Exited(100)), Answer::NoSuchAddress);
        for ended in [Ended::Exited(112), Ended::Exited(1), Ended::Killed { signal: 9, dumped: false }] {
            assert_eq!(Answer::from_end(ended), Answer::NotNow);
        }
    }
}
