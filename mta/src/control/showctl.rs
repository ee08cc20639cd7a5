//! `qmail-showctl` says in words what the control files of an installation mean.
//!
//! Reads    control/*.
//! Writes   fd 1: the explanation.
//! Runs as  anybody who may read control.   Trusts  nobody: what a file says is shown with its odd bytes hidden.
//! Exits    0 · 111 if the control files cannot be looked at.
//! Manual   qmail-showctl(8).    Next in the flow: nothing.

use super::{Control, Unreadable};
use crate::queue::layout;
use crate::send::spawn::SPAWN_LIMIT;
use crate::setup::home::{Home, NO_FILES_GROUP, QUEUE_GROUP, Role};
use crate::users;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::time::SystemTime;
use unix::failure::{self, Failure};
use unix::program::{Exit, Invocation};
use unix::{descriptor, number};

/// The program's entry.
pub fn main(_: &Invocation) -> Result<Exit, Failure> {
    let mut out = Vec::new();
    let told = tell(&mut out);
    if let Err(Oops(text)) = told {
        // What is known already is shown in front of it.
        out.extend_from_slice(text.as_bytes());
    }
    let failed = |error| Failure::temporary("unable to write").because(&error);
    descriptor::output().write_all(&out).map_err(failed)?;
    Ok(if told.is_ok() { Exit::SUCCESS } else { Exit::TEMPORARY })
}

/// Why nothing more can be shown. The manual puts it on standard output, where the rest is.
#[derive(Clone, Copy)]
struct Oops(&'static str);

fn tell(out: &mut Vec<u8>) -> Result<(), Oops> {
    let home = Home::of_this_program().map_err(|_| Oops("Oops! Unable to chdir to the qmail home.\n"))?;
    let control = Control::new(home.control());
    tell_installation(&home, &control, out);
    let mut present = names(&home).map_err(|_| Oops("Oops! Unable to chdir to control.\n"))?;
    let me = control.line("me").map_err(|_| Oops("Oops! Trouble reading control/me."))?;
    for (name, meaning) in FILES {
        tell_file(&control, name, meaning, me.as_deref(), out);
        present.retain(|found| found != name.as_bytes());
    }
    for (name, meaning) in ADDITIONS {
        if present.iter().any(|found| found == name.as_bytes()) {
            tell_file(&control, name, meaning, me.as_deref(), out);
            present.retain(|found| found != name.as_bytes());
        }
    }
    for name in present {
        let name = visible(&name);
        out.extend_from_slice(&[b"\n", name.as_slice(), b": I have no idea what this file does.\n"].concat());
    }
    Ok(())
}

/// The first lines: the home, what the original fixes when it is built, and who is who. An account that is not
/// there is shown as missing, a setting that cannot be read as a question mark.
fn tell_installation(home: &Home, control: &Control, out: &mut Vec<u8>) {
    let separator = users::break_character(home).map_or(b"?".to_vec(), |byte| visible(&[byte]));
    let or_unknown = |setting: Result<u64, Unreadable>| setting.map_or("?".to_owned(), |it| it.to_string());
    let limit = or_unknown(control.integer("conf-spawn", SPAWN_LIMIT.into()));
    let split = or_unknown(layout::read_split(control));
    let shown = |id: Result<u32, Failure>| id.map_or_else(|_| "missing".to_owned(), |id| id.to_string());
    let uid = |role| shown(home.account(role).map(|account| account.uid));
    let [alias, daemon, log, lookup, queue, remote, send] = Role::ALL.map(uid);
    let uids = [alias, daemon, log, "0".to_owned(), lookup, queue, remote, send].join(", ");
    let gids = [NO_FILES_GROUP, QUEUE_GROUP].map(|group| shown(home.group(group))).join(", ");
    out.extend_from_slice(b"qmail home directory: ");
    out.extend_from_slice(home.path().as_os_str().as_bytes());
    out.extend_from_slice(b".\nuser-ext delimiter: ");
    out.extend(separator);
    let rest = format!(
        ".\npaternalism (in decimal): 2.\nsilent concurrency limit: {limit}.\n\
         subdirectory split: {split}.\nuser ids: {uids}.\ngroup ids: {gids}.\n"
    );
    out.extend_from_slice(rest.as_bytes());
}

/// The names in the control directory, in order.
fn names(home: &Home) -> io::Result<Vec<Vec<u8>>> {
    let mut names = std::fs::read_dir(home.control())?
        .map(|entry| Ok(entry?.file_name().as_bytes().to_vec()))
        .collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// What a control file is.
enum Meaning {
    /// A line with its own default.
    Line { default: &'static str, before: &'static str, after: &'static str },
    /// A line whose default is `me`.
    LineOrMe { before: &'static str, after: &'static str },
    /// A number.
    Integer { default: u64, before: &'static str, after: &'static str },
    /// A file that switches something on.
    Switch { on: &'static str, off: &'static str },
    /// A list.
    List { missing: &'static str, before: &'static str, after: &'static str },
    /// The list whose meaning depends on whether `rcpthosts` is there.
    MoreHosts,
    /// The database that is made of that list.
    MoreHostsDatabase,
}

fn tell_file(control: &Control, name: &str, meaning: &Meaning, me: Option<&[u8]>, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("\n{name}: ").as_bytes());
    let text = match explain(control, name, meaning, me) {
        Ok(text) => text,
        Err(_) => b"Oops! Trouble reading this file.\n".to_vec(),
    };
    out.extend_from_slice(&text);
}

fn explain(
    control: &Control,
    name: &str,
    meaning: &Meaning,
    me: Option<&[u8]>,
) -> Result<Vec<u8>, Unreadable> {
    Ok(match meaning {
        Meaning::Line { default, before, after } => {
            sentence(control.line(name)?.as_deref(), default.as_bytes(), before, after)
        }
        Meaning::LineOrMe { before, after } => {
            sentence(control.line(name)?.as_deref(), me.unwrap_or(name.as_bytes()), before, after)
        }
        Meaning::Integer { default, before, after } => {
            let line = control.line(name)?;
            let value = line.as_deref().and_then(|line| {
                let (value, length) = number::scan(line);
                (length > 0).then(|| value.to_string())
            });
            sentence(value.as_deref().map(str::as_bytes), default.to_string().as_bytes(), before, after)
        }
        Meaning::Switch { on, off } => {
            [if control.switch(name)? { on.as_bytes() } else { off.as_bytes() }, b"\n"].concat()
        }
        Meaning::List { missing, before, after } => items(control.list(name)?, missing, before, after),
        Meaning::MoreHosts => match control.read("rcpthosts")? {
            Some(_) => items(
                control.list(name)?,
                "No effect.",
                "SMTP clients may send messages to recipients at ",
                ".",
            ),
            None => items(
                control.list(name)?,
                "No rcpthosts; morercpthosts is irrelevant.",
                "No rcpthosts; doesn't matter that morercpthosts has ",
                ".",
            ),
        },
        Meaning::MoreHostsDatabase => [more_hosts_database(control)?.as_bytes(), b"\n"].concat(),
    })
}

fn sentence(value: Option<&[u8]>, default: &[u8], before: &str, after: &str) -> Vec<u8> {
    let mark: &[u8] = if value.is_some() { b"" } else { b"(Default.) " };
    let value = visible(value.unwrap_or(default));
    [mark, before.as_bytes(), &value, after.as_bytes(), b"\n"].concat()
}

fn items(list: Option<Vec<Vec<u8>>>, missing: &str, before: &str, after: &str) -> Vec<u8> {
    let Some(list) = list else { return format!("(Default.) {missing}\n").into_bytes() };
    let line = |item: &Vec<u8>| [before.as_bytes(), &visible(item), after.as_bytes(), b"\n"].concat();
    std::iter::once(b"\n".to_vec()).chain(list.iter().map(line)).collect::<Vec<_>>().concat()
}

fn more_hosts_database(control: &Control) -> Result<&'static str, Unreadable> {
    let database = modified(control, "morercpthosts.cdb")?;
    let text = modified(control, "morercpthosts")?;
    Ok(match (text, database) {
        (None, None) => "(Default.) No effect.",
        (None, Some(_)) => "Oops! morercpthosts.cdb exists but morercpthosts doesn't.",
        (Some(_), None) => "Oops! morercpthosts exists but morercpthosts.cdb doesn't.",
        (Some(text), Some(database)) if database < text => {
            "Oops! morercpthosts.cdb is older than morercpthosts."
        }
        (Some(_), Some(_)) => "Modified recently enough; hopefully up to date.",
    })
}

fn modified(control: &Control, name: &str) -> Result<Option<SystemTime>, Unreadable> {
    match std::fs::metadata(control.path(name)).and_then(|found| found.modified()) {
        Ok(time) => Ok(Some(time)),
        Err(error) if failure::is_absent(&error) => Ok(None),
        Err(error) => Err(Unreadable { file: format!("control/{name}"), error }),
    }
}

/// A value as one line of plain text.
pub fn visible(value: &[u8]) -> Vec<u8> {
    value.iter().map(|byte| if matches!(byte, b' '..=b'~') { *byte } else { b'?' }).collect()
}

const fn line(default: &'static str, before: &'static str, after: &'static str) -> Meaning {
    Meaning::Line { default, before, after }
}

const fn line_or_me(before: &'static str, after: &'static str) -> Meaning {
    Meaning::LineOrMe { before, after }
}

const fn integer(default: u64, before: &'static str, after: &'static str) -> Meaning {
    Meaning::Integer { default, before, after }
}

const fn list(missing: &'static str, before: &'static str, after: &'static str) -> Meaning {
    Meaning::List { missing, before, after }
}

/// Every control file of the manual, in its order.
const FILES: &[(&str, Meaning)] = &[
    ("badmailfrom", list("Any MAIL FROM is allowed.", "", " not accepted in MAIL FROM.")),
    ("bouncefrom", line("MAILER-DAEMON", "Bounce user name is ", ".")),
    ("bouncehost", line_or_me("Bounce host name is ", ".")),
    ("concurrencylocal", integer(10, "Local concurrency is ", ".")),
    ("concurrencyremote", integer(20, "Remote concurrency is ", ".")),
    ("databytes", integer(0, "SMTP DATA limit is ", " bytes.")),
    ("defaultdomain", line_or_me("Default domain name is ", ".")),
    ("defaulthost", line_or_me("Default host name is ", ".")),
    ("doublebouncehost", line_or_me("2B recipient host: ", ".")),
    ("doublebounceto", line("postmaster", "2B recipient user: ", ".")),
    ("envnoathost", line_or_me("Presumed domain name is ", ".")),
    ("helohost", line_or_me("SMTP client HELO host name is ", ".")),
    ("idhost", line_or_me("Message-ID host name is ", ".")),
    ("localiphost", line_or_me("Local IP address becomes ", ".")),
    ("locals", list("Messages for me are delivered locally.", "Messages for ", " are delivered locally.")),
    ("me", line("undefined! Uh-oh", "My name is ", ".")),
    (
        "percenthack",
        list("The percent hack is not allowed.", "The percent hack is allowed for user%host@", "."),
    ),
    ("plusdomain", line_or_me("Plus domain name is ", ".")),
    ("qmqpservers", list("No QMQP servers.", "QMQP server: ", ".")),
    ("queuelifetime", integer(604_800, "Message lifetime in the queue is ", " seconds.")),
    (
        "rcpthosts",
        list(
            "SMTP clients may send messages to any recipient.",
            "SMTP clients may send messages to recipients at ",
            ".",
        ),
    ),
    ("morercpthosts", Meaning::MoreHosts),
    ("morercpthosts.cdb", Meaning::MoreHostsDatabase),
    ("smtpgreeting", line_or_me("SMTP greeting: 220 ", ".")),
    ("smtproutes", list("No artificial SMTP routes.", "SMTP route: ", "")),
    ("timeoutconnect", integer(60, "SMTP client connection timeout is ", " seconds.")),
    ("timeoutremote", integer(1200, "SMTP client data timeout is ", " seconds.")),
    ("timeoutsmtpd", integer(1200, "SMTP server data timeout is ", " seconds.")),
    ("virtualdomains", list("No virtual domains.", "Virtual domain: ", "")),
];

/// Files of our own, which are told of only where they are there.
const ADDITIONS: &[(&str, Meaning)] = &[
    (
        "bouncedsn",
        Meaning::Switch {
            on: "Bounces have parts for programs (RFC 3464).",
            off: "Switched off: bounces are text alone.",
        },
    ),
    ("conf-break", line("-", "The user-ext delimiter is the first of: ", ".")),
    ("conf-spawn", integer(120, "Concurrencies are at most ", ".")),
    ("conf-split", integer(23, "The queue is split into ", " parts.")),
    ("maxrecipients", integer(1000, "SMTP recipient limit is ", " per message.")),
    ("queueextra", list("", "Every message also goes to ", ".")),
    (
        "rcptcheck",
        Meaning::Switch {
            on: "SMTP clients may send to local recipients that exist.",
            off: "Switched off: SMTP clients may send to any local recipient.",
        },
    ),
    ("smtpdbarecr", integer(0, "Bare carriage returns in messages are data (0: refused): ", ".")),
];
