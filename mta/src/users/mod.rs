//! Who controls a local address: the administrator's assignments, else an account of the system.
//!
//! [`find`] is the entry for `qmail-lspawn`: `users/cdb` is asked first; an address that is not in it is
//! left to `qmail-getpw`, which runs as an account that owns nothing, because looking at home directories
//! is nothing for root.

pub mod assign;
pub mod getpw;
pub mod newu;
pub mod pw2u;

use crate::control::Control;
use crate::setup::home::{Home, NO_FILES_GROUP, Role};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use unix::account::{self, Identity};
use unix::environment::Environment;
use unix::exec::{self, Search};
use unix::process::{self, Ended};
use unix::{cdb, descriptor, failure, file, number};

/// Longest answer that is taken from qmail-getpw.
const ANSWER_LIMIT: u64 = 64 * 1024;

/// The user who controls an address, and which of his addresses it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controller {
    /// Login name.
    pub user: Vec<u8>,
    /// User number.
    pub uid: u32,
    /// Group number.
    pub gid: u32,
    /// The directory where his `.qmail` files are.
    pub home: Vec<u8>,
    /// What stands between `.qmail` and the extension: usually `-`, or nothing for the user's own address.
    pub dash: Vec<u8>,
    /// The extension, in the case of the address.
    pub ext: Vec<u8>,
}

impl Controller {
    /// Reads user, uid, gid, home, dash and ext, each with a NUL at its end. `None` if one is missing.
    ///
    /// Numbers are their leading digits, as `qmail-lspawn` has always read them; one that fits no uid is
    /// malformed, and so is one without digits, which would be root's.
    pub fn decode(record: &[u8]) -> Option<Controller> {
        let mut fields =
            record.split_inclusive(|byte| *byte == 0).map_while(|field| field.strip_suffix(b"\0"));
        let mut next = || fields.next();
        Some(Controller {
            user: next()?.to_vec(),
            uid: identity_number(next()?)?,
            gid: identity_number(next()?)?,
            home: next()?.to_vec(),
            dash: next()?.to_vec(),
            ext: next()?.to_vec(),
        })
    }

    /// What [`decode`](Controller::decode) reads.
    pub fn encode(&self) -> Vec<u8> {
        let (uid, gid) = (self.uid.to_string(), self.gid.to_string());
        let fields = [&self.user, uid.as_bytes(), gid.as_bytes(), &self.home, &self.dash, &self.ext];
        fields.iter().flat_map(|field| field.iter().copied().chain([0])).collect()
    }
}

fn identity_number(text: &[u8]) -> Option<u32> {
    match number::scan(text) {
        (_, 0) => None,
        (value, _) => u32::try_from(value).ok(),
    }
}

/// Why nobody can be said to control an address, or why his delivery cannot start. The numbers are exit
/// statuses between qmail-lspawn, its children and qmail-getpw; each has its own line in delivery reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Trouble {
    /// Something that the mail system itself has to keep right is wrong: a malformed record, no identity.
    Internal = 112,
    /// The address belongs to root, for whom nothing is delivered.
    Root = 113,
    /// A home directory could not be looked at for the moment.
    HomeDirectories = 115,
    /// There is no account `alias`.
    NoAlias = 116,
    /// `users/cdb` cannot be read or is damaged.
    Assignments = 117,
    /// The system or its account database does not answer.
    System = 118,
    /// No memory.
    Memory = 119,
    /// qmail-local cannot be run for the moment.
    DeliveryNotRunYet = 120,
    /// qmail-getpw cannot be run.
    LookupNotRun = 121,
    /// qmail-local cannot be run at all.
    DeliveryNotRun = 126,
}

impl Trouble {
    /// The exit status.
    pub fn exit(self) -> u8 {
        self as u8
    }

    /// Which of the two it is when qmail-local cannot be run.
    pub fn from_exec(error: &std::io::Error) -> Trouble {
        if failure::is_temporary(error) { Trouble::DeliveryNotRunYet } else { Trouble::DeliveryNotRun }
    }

    /// What an exit status of qmail-getpw means. One that it does not have counts as the system's fault.
    pub fn from_exit(code: u8) -> Trouble {
        use Trouble::{HomeDirectories, Internal, LookupNotRun, Memory, NoAlias};
        let known = [Internal, HomeDirectories, NoAlias, Memory, LookupNotRun];
        known.into_iter().find(|trouble| trouble.exit() == code).unwrap_or(Trouble::System)
    }
}

/// Who controls the local part of an address.
///
/// Call it in a process of its own that has one thread: it forks to run qmail-getpw, as qmailp if the home
/// is root's.
pub fn find(home: &Home, local: &[u8]) -> Result<Controller, Trouble> {
    match find_assigned(home, local)? {
        Some((controller, _)) => Ok(controller),
        None => ask_getpw(home, local),
    }
}

/// To whom `users/cdb` gives the address; nobody if there is no such file. Any other trouble is no answer.
///
/// The file decides who root becomes, so it has to be root's, or ours in a home of one user.
pub fn find_assigned(home: &Home, local: &[u8]) -> Result<Option<(Controller, assign::Line)>, Trouble> {
    let database = match file::open_read(&home.path().join("users/cdb")) {
        Ok(file) if is_trusted(&file) => cdb::Reader::new(file).map_err(|_| Trouble::Assignments)?,
        Ok(_) => return Err(Trouble::Assignments),
        Err(error) if failure::is_absent(&error) => return Ok(None),
        Err(_) => return Err(Trouble::Assignments),
    };
    assign::find(&database, local).map_err(|error| match error {
        assign::LookupError::BadRecord => Trouble::Internal,
        assign::LookupError::Unreadable(_) | assign::LookupError::NoPrefixEnds => Trouble::Assignments,
    })
}

/// What separates a user's name from an extension, where no assignment does: the first byte of `conf-break`.
pub fn break_character(home: &Home) -> Result<u8, Trouble> {
    let line = Control::new(home.control()).line("conf-break").map_err(|_| Trouble::System)?;
    Ok(line.and_then(|line| line.first().copied()).unwrap_or(DEFAULT_BREAK))
}

/// Without `conf-break`.
const DEFAULT_BREAK: u8 = b'-';

fn is_trusted(file: &File) -> bool {
    file.metadata().is_ok_and(|found| {
        found.is_file()
            && found.mode() & 0o002 == 0
            && (found.uid() == 0 || found.uid() == account::effective_uid())
    })
}

fn ask_getpw(home: &Home, local: &[u8]) -> Result<Controller, Trouble> {
    let (reader, writer) = descriptor::pipe().map_err(|_| Trouble::System)?;
    let child = process::fork(|| run_getpw(home, local, &writer).exit()).map_err(|_| Trouble::System)?;
    drop(writer);
    let mut answer = Vec::new();
    let read = File::from(reader).take(ANSWER_LIMIT).read_to_end(&mut answer);
    let ended = process::wait_for(child).map_err(|_| Trouble::System)?;
    answer_of_getpw(ended, &answer)
        .and_then(|controller| read.map(|_| controller).map_err(|_| Trouble::System))
}

/// What a qmail-getpw that ended so has said.
pub fn answer_of_getpw(ended: Ended, answer: &[u8]) -> Result<Controller, Trouble> {
    match ended {
        Ended::Exited(0) => Controller::decode(answer).ok_or(Trouble::Internal),
        Ended::Exited(code) => Err(Trouble::from_exit(code)),
        Ended::Killed { .. } => Err(Trouble::System),
    }
}

/// The child: gives up root, then becomes qmail-getpw. It returns only if that failed.
fn run_getpw(home: &Home, local: &[u8], answer: &OwnedFd) -> Trouble {
    if let Err(trouble) = become_looker_up(home) {
        return trouble;
    }
    if std::env::set_current_dir(home.path()).is_err() || descriptor::place(answer.as_fd(), 1).is_err() {
        return Trouble::Internal;
    }
    let program = home.program("qmail-getpw").as_os_str().as_bytes().to_vec();
    let _ = exec::exec(&[program, local.to_vec()], &Environment::inherited(), Search::Direct);
    Trouble::LookupNotRun
}

/// Gives up root, in a child, for the account that looks users up.
pub fn become_looker_up(home: &Home) -> Result<(), Trouble> {
    if home.is_single_user() {
        return Ok(());
    }
    let identity = home
        .account(Role::Qmailp)
        .and_then(|account| Ok(Identity::new(account.uid, home.group(NO_FILES_GROUP)?)));
    let assumed = identity.is_ok_and(|identity| identity.assume().is_ok());
    if assumed { Ok(()) } else { Err(Trouble::Internal) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_as_it_was_written() {
        let controller = Controller {
            user: b"joe".to_vec(),
            uid: 1000,
            gid: 100,
            home: b"/home/joe".to_vec(),
            dash: b"-".to_vec(),
            ext: b"List".to_vec(),
        };
        assert_eq!(controller.encode(), b"joe\x001000\x00100\0/home/joe\0-\0List\0");
        assert_eq!(Controller::decode(&controller.encode()), Some(controller));
    }

    #[test]
    fn a_record_that_lacks_a_field_or_a_number_is_malformed() {
        let bad: [&[u8]; 4] =
            [b"", b"joe\x001\x001\0/h\0-\0", b"joe\0\x001\0/h\0-\0\0", b"joe\x001\x0099999999999\0/h\0-\0\0"];
        for record in bad {
            assert_eq!(Controller::decode(record), None, "{record:?}");
        }
    }

    #[test]
    fn a_table_that_is_missing_damaged_or_anybodys_is_told_apart() {
        use std::fs::{self, Permissions};
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let home = Home::open(directory.path()).unwrap();
        assert_eq!(find_assigned(&home, b"joe"), Ok(None));
        fs::create_dir(directory.path().join("users")).unwrap();
        let path = directory.path().join("users/cdb");
        fs::write(&path, "damaged").unwrap();
        assert_eq!(find_assigned(&home, b"joe"), Err(Trouble::Assignments));
        fs::write(&path, assign::compile(b"=joe:joe:1:2:/h:::\n.\n").unwrap()).unwrap();
        assert_eq!(find_assigned(&home, b"joe").unwrap().unwrap().0.uid, 1);
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        assert_eq!(find_assigned(&home, b"joe"), Err(Trouble::Assignments));
    }
}
