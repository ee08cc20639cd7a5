//! `fastforward` forwards a message as a table in a database says.
//!
//! Reads    fd 0: the message, a file; the database; binary lists; RECIPIENT (or DEFAULT, EXT and HOST), SENDER and
//!          DTLINE, which qmail-local sets.
//! Writes   the queue, by qmail-queue; the standard input of programs.
//! Runs as  alias, as a rule.     Trusts  the database, and lists that everybody may read.
//! Exits    0 forwarded (with -p: not in the table) · 99 forwarded, with -p · 100 not in the table, called wrongly, or
//!          refused by a program or the queue · 111 try again.
//! Manual   fastforward(1).    Next in the flow: queue::client.
//!
//! Everything is looked up before the first program runs, and every program has run before anything is queued.

use super::expansion::{self, Expansion, Tables};
use super::programs;
use crate::deliver::commands::redirect;
use crate::setup::home::Home;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use unix::cdb::Reader;
use unix::environment::Environment;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::{descriptor, file};

const USAGE: &str = "fastforward [ -nNpPdD ] data.cdb";
/// The later lines of the `.qmail` file do not count.
const DONE: Exit = Exit(99);
/// What stands in for the sender with -n.
const SENDER_SHOWN: &[u8] = b"original envelope sender";

/// The command line.
#[derive(Default)]
struct Options {
    /// `-n`
    only_show: bool,
    /// `-p`
    pass_through: bool,
    /// `-d`
    from_default: bool,
}

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let mut wanted = Options::default();
    let mut options = invocation.options("nNpPdD");
    while let Some(option) = options.next_option().map_err(|error| error.with_usage(USAGE))? {
        let is_on = option.letter.is_ascii_lowercase();
        match option.letter.to_ascii_lowercase() {
            b'n' => wanted.only_show = is_on,
            b'p' => wanted.pass_through = is_on,
            _ => wanted.from_default = is_on,
        }
    }
    let database = options.operands().first().ok_or(Failure::usage(USAGE))?;
    let environment = invocation.environment();
    let recipient = wanted.recipient(&environment)?;
    let sender = match environment.get("SENDER") {
        Some(sender) => sender,
        None if wanted.only_show => SENDER_SHOWN,
        None => return Err(must_be_set("$SENDER")),
    };
    let files = Files::open(database)?;
    let Some(expansion) = expansion::expand(&recipient, sender, &files)? else {
        if wanted.pass_through {
            return Ok(Exit::SUCCESS);
        }
        return Err(Failure::verbatim(Exit::PERMANENT, "Sorry, no mailbox here by that name. (#5.1.1)"));
    };
    if wanted.only_show {
        show(&expansion);
    } else {
        act(invocation, &environment, &expansion)?;
    }
    Ok(if wanted.pass_through { DONE } else { Exit::SUCCESS })
}

fn must_be_set(what: &str) -> Failure {
    Failure::permanent(format!("{what} must be set"))
}

impl Options {
    fn recipient(&self, environment: &Environment) -> Result<Vec<u8>, Failure> {
        if !self.from_default {
            let recipient = environment.get("RECIPIENT").ok_or_else(|| must_be_set("$RECIPIENT"))?;
            return Ok(recipient.to_vec());
        }
        let local = environment.get("DEFAULT").or_else(|| environment.get("EXT"));
        let local = local.ok_or_else(|| must_be_set("$DEFAULT or $EXT"))?;
        let host = environment.get("HOST").ok_or_else(|| must_be_set("$HOST"))?;
        Ok([local, b"@", host].concat())
    }
}

/// The database, and lists beside it.
struct Files<'a> {
    name: &'a [u8],
    database: Reader,
}

impl Files<'_> {
    fn open(name: &[u8]) -> Result<Files<'_>, Failure> {
        let path = Path::new(OsStr::from_bytes(name));
        let database =
            file::open_read(path).and_then(Reader::new).map_err(|error| unreadable(name, &error))?;
        Ok(Files { name, database })
    }
}

impl Tables for Files<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        self.database.get(key).map_err(|error| unreadable(self.name, &error))
    }

    /// What not everybody may read might be somebody's secret, whom the table's owner must not be led to.
    fn list(&self, name: &[u8]) -> Result<Vec<u8>, Failure> {
        let path = Path::new(OsStr::from_bytes(name));
        let opened =
            file::open_read(path).and_then(|file: File| Ok((file.metadata()?.permissions().mode(), file)));
        let (mode, mut list) = opened.map_err(|error| unreadable(name, &error))?;
        if mode & 0o444 != 0o444 {
            return Err(Failure::temporary([name, b" is not world-readable"].concat()));
        }
        let mut bytes = Vec::new();
        list.read_to_end(&mut bytes).map_err(|error| unreadable(name, &error))?;
        Ok(bytes)
    }

    fn damaged(&self, name: &[u8]) -> Failure {
        Failure::temporary([b"bad instructions in ", name].concat())
    }
}

fn unreadable(name: &[u8], error: &io::Error) -> Failure {
    Failure::temporary([b"unable to read ", name].concat()).because(error)
}

fn show(expansion: &Expansion) {
    let say = |parts: &[&[u8]]| {
        let clean = |byte: &u8| if *byte < 32 { b'_' } else { *byte };
        descriptor::write_error_line(&[&parts.concat().iter().map(clean).collect::<Vec<u8>>()]);
    };
    for program in &expansion.programs {
        say(&[b"run ", program]);
    }
    if expansion.recipients.is_empty() {
        say(&[b"no forwarding"]);
        return;
    }
    say(&[b"from <", &expansion.sender, b">"]);
    for recipient in &expansion.recipients {
        say(&[b"to <", recipient, b">"]);
    }
}

fn act(invocation: &Invocation, environment: &Environment, expansion: &Expansion) -> Result<(), Failure> {
    for program in &expansion.programs {
        programs::run(invocation.name, &words(program)?, program, b"")?;
    }
    if expansion.recipients.is_empty() {
        return Ok(());
    }
    let delivered_to = environment.get("DTLINE").unwrap_or_default();
    let pid = redirect::queue(delivered_to, &expansion.sender, &expansion.recipients, b"")?;
    descriptor::write_error_line(&[invocation.name.as_bytes(), format!(": qp {pid}").as_bytes()]);
    Ok(())
}

/// `|COMMAND` for the shell; `!COMMAND` too, behind preline.
fn words(program: &[u8]) -> Result<Vec<Vec<u8>>, Failure> {
    let command = program.get(1..).unwrap_or_default().to_vec();
    let shell = [b"/bin/sh".to_vec(), b"-c".to_vec(), command];
    if program.first() != Some(&b'!') {
        return Ok(shell.into());
    }
    let preline = Home::of_this_program()?.program("preline").as_os_str().as_bytes().to_vec();
    Ok([preline].into_iter().chain(shell).collect())
}
