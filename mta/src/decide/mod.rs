//! What becomes of mail for an address, decided before there is any mail.
//!
//! The steps are those of a delivery, and so is the code: `send::route` chooses the channel, `users` finds out who
//! controls a local address, `deliver::local::plan` what his files say. [`recipients`] asks for `qmail-smtpd`, to
//! refuse what would bounce; [`explain`] asks for an administrator, and tells each step.
//!
//! Each step is taken as the account that delivery takes it as, where we may become that account. Root looks at
//! nothing below a user's directory. Whoever may not see what delivery will see does not know, and says so.

pub mod explain;
pub mod recipients;

use crate::setup::home::{Home, NO_FILES_GROUP, Role};
use crate::users::getpw::{self, Candidate};
use crate::users::{self, Controller, Trouble, assign};
use std::fs::File;
use std::io::{self, Read, Write};
use unix::account::{self, Identity};
use unix::process::{self, Ended};
use unix::{descriptor, failure};

/// Who controls a local address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The user.
    pub controller: Controller,
    /// Whether qmail-getpw is sure to find the same: it may see home directories that we cannot.
    pub is_certain: bool,
}

/// Finds out who controls a local part, telling of each step in a line of text without its end.
pub fn find_controller(home: &Home, local: &[u8], tell: &mut dyn FnMut(&[u8])) -> Result<Found, Trouble> {
    match users::find_assigned(home, local)? {
        Some((controller, line)) => {
            tell(&describe_assignment(local, line));
            Ok(Found { controller, is_certain: true })
        }
        None => {
            tell(b"assignment: users/cdb has no line for it");
            match lookup_identity(home)? {
                Some(identity) => find_account_as(&identity, home, local, tell),
                None => find_account(home, local, tell),
            }
        }
    }
}

fn describe_assignment(local: &[u8], line: assign::Line) -> Vec<u8> {
    let (mark, key) = match line {
        assign::Line::Exact => (b"=", local),
        assign::Line::Prefix(length) => (b"+", local.get(..length).unwrap_or(local)),
    };
    [b"assignment: by the line ", &mark[..], &key.to_ascii_lowercase(), b": in users/cdb"].concat()
}

/// The identity of qmail-getpw, if it is not ours already or cannot be: only root can change it.
fn lookup_identity(home: &Home) -> Result<Option<Identity>, Trouble> {
    if account::effective_uid() != 0 {
        return Ok(None);
    }
    let identity = home
        .account(Role::Qmailp)
        .and_then(|account| Ok(Identity::new(account.uid, home.group(NO_FILES_GROUP)?)));
    identity.map(Some).map_err(|_| Trouble::Internal)
}

fn find_account(home: &Home, local: &[u8], tell: &mut dyn FnMut(&[u8])) -> Result<Found, Trouble> {
    let mut is_certain = true;
    let controller = getpw::find_telling(home, local, &mut |name, candidate| {
        is_certain &= !is_hidden(candidate);
        tell(&describe_candidate(name, candidate));
    })?;
    Ok(Found { controller, is_certain })
}

fn is_hidden(candidate: &Candidate) -> bool {
    matches!(candidate, Candidate::NoHome(_, error) if error.kind() == io::ErrorKind::PermissionDenied)
}

fn describe_candidate(name: &[u8], candidate: &Candidate) -> Vec<u8> {
    let home_of = |account: &account::Account| String::from_utf8_lossy(&account.home).into_owned();
    let what = match candidate {
        Candidate::Controls(_) => "controls it".to_owned(),
        Candidate::NoAccount => "there is none".to_owned(),
        Candidate::Root => "is root's, and does not count".to_owned(),
        Candidate::NotOurs => "is not the one user of this installation, and does not count".to_owned(),
        Candidate::NoHome(account, error) => {
            format!("does not count, because of its home {}: {}", home_of(account), failure::describe(error))
        }
        Candidate::HomeOfOthers(account) => {
            format!("does not count, because its home {} is somebody else's", home_of(account))
        }
    };
    [b"account ", name, b": ", what.as_bytes()].concat()
}

/// The same in a child, which sends back the controller's record and then the lines.
fn find_account_as(
    identity: &Identity,
    home: &Home,
    local: &[u8],
    tell: &mut dyn FnMut(&[u8]),
) -> Result<Found, Trouble> {
    let (status, answer) = in_child(Some(identity), |out| {
        let mut lines: Vec<u8> = Vec::new();
        let found = find_account(home, local, &mut |line| lines.extend([line, b"\n"].concat()));
        if let Ok(found) = &found {
            out.extend(found.controller.encode());
        }
        out.extend(lines);
        found.map_or_else(Trouble::exit, |_| 0)
    })
    .map_err(|_| Trouble::System)?;
    let lines = if status == 0 { answer.splitn(7, |byte| *byte == 0).nth(6) } else { Some(&answer[..]) };
    let lines = lines.unwrap_or_default();
    lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).for_each(tell);
    if status != 0 {
        return Err(Trouble::from_exit(status));
    }
    // It has seen what qmail-getpw will see.
    let controller = Controller::decode(&answer).ok_or(Trouble::Internal)?;
    Ok(Found { controller, is_certain: true })
}

/// How the files of a controller can be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
enum View {
    /// We are the controller.
    Own,
    /// We can become the controller.
    Become(Identity),
    /// We are somebody else, and see what anybody sees.
    Outside,
}

/// How we can look at a controller's files, or why there will be no delivery for him.
fn view(home: &Home, controller: &Controller) -> Result<View, Trouble> {
    let own = account::effective_uid();
    match () {
        () if home.is_single_user() && controller.uid != own => Err(Trouble::Internal),
        () if controller.uid == 0 => Err(Trouble::Root),
        () if own == controller.uid => Ok(View::Own),
        () if own == 0 => Ok(View::Become(Identity::new(controller.uid, controller.gid))),
        () => Ok(View::Outside),
    }
}

/// Does something in a process of its own, as somebody else if that is said: the exit status, and what was put
/// into the vector.
fn in_child(identity: Option<&Identity>, work: impl FnOnce(&mut Vec<u8>) -> u8) -> io::Result<(u8, Vec<u8>)> {
    let (reader, writer) = descriptor::pipe()?;
    let child = process::fork(move || {
        if identity.is_some_and(|identity| identity.assume().is_err()) {
            return Trouble::Internal.exit();
        }
        let mut out = Vec::new();
        let status = work(&mut out);
        match File::from(writer).write_all(&out) {
            Ok(()) => status,
            Err(_) => Trouble::System.exit(),
        }
    })?;
    let mut answer = Vec::new();
    let read = File::from(reader).take(ANSWER_LIMIT).read_to_end(&mut answer);
    match process::wait_for(child)? {
        Ended::Exited(status) => read.map(|_| (status, answer)),
        Ended::Killed { .. } => Err(io::ErrorKind::Interrupted.into()),
    }
}

/// Most that is taken from a child: a `.qmail` file's instructions, told.
const ANSWER_LIMIT: u64 = 64 * 1024 * 1024;
