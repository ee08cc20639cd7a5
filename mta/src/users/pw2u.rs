//! `qmail-pw2u` makes assignments for `qmail-newu` out of a passwd file.
//!
//! Reads    fd 0: lines of passwd(5) · users/{include,exclude,mailnames,subusers,append} · home directories, to see
//!          whose they are.
//! Writes   fd 1: the text of users/assign, whole or not at all.
//! Runs as  root, by hand.   Trusts  the administrator; a line that cannot be one of passwd(5) is passed over.
//! Exits    0 · 100 called wrongly · 111 something could not be read or found out.
//! Manual   qmail-pw2u(8), qmail-users(5).    Next in the flow: users::newu.

use crate::control::{Control, NameMap, NameSet, Unreadable};
use crate::setup::home::{Home, Role};
use crate::users;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use unix::failure::{self, Failure};
use unix::program::{Exit, Invocation};
use unix::{descriptor, number};

const USAGE: &str = "qmail-pw2u [ -/ohHuUC ] [ -cCHAR ]";

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let home = Home::of_this_program()?;
    let separator =
        users::break_character(&home).map_err(|_| Failure::temporary("unable to read control/conf-break"))?;
    let options = Options::read(invocation, separator)?;
    let lists = Lists::read(&Control::new(home.path().join("users"))).map_err(|trouble| {
        let name = trouble.file.strip_prefix("control/").unwrap_or(&trouble.file);
        Failure::temporary(format!("unable to read users/{name}")).because(&trouble.error)
    })?;
    let mut passwd = Vec::new();
    descriptor::input()
        .read_to_end(&mut passwd)
        .map_err(|error| Failure::temporary("unable to read input").because(&error))?;
    let text = assignments(&options, &lists, &passwd, owner_of)?;
    descriptor::output()
        .write_all(&text)
        .map_err(|error| Failure::temporary("unable to write output").because(&error))?;
    Ok(Exit::SUCCESS)
}

/// What is required of a user's home directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HomeRule {
    /// Users whose home is missing, or belongs to somebody else, are passed over.
    Optional,
    /// A missing home is an error: a file server may be down.
    Required,
    /// It is not looked at.
    Unseen,
}

#[derive(Clone, Copy, Debug)]
struct Options {
    homes: HomeRule,
    takes_capitals: bool,
    /// What separates a name from an extension; `None` if extensions get no assignment.
    separator: Option<u8>,
    dash: &'static str,
}

impl Default for Options {
    fn default() -> Options {
        Options { homes: HomeRule::Optional, takes_capitals: false, separator: Some(b'-'), dash: "-" }
    }
}

impl Options {
    /// `separator` is what qmail-getpw takes for one, if no option says otherwise.
    fn read(invocation: &Invocation, separator: u8) -> Result<Options, Failure> {
        let mut read = Options { separator: Some(separator), ..Options::default() };
        let mut options = invocation.options("/ohHuUCc:");
        while let Some(option) = options.next_option().map_err(|error| error.with_usage(USAGE))? {
            match option.letter {
                b'/' => read.dash = "-/",
                b'o' => read.homes = HomeRule::Optional,
                b'h' => read.homes = HomeRule::Required,
                b'H' => read.homes = HomeRule::Unseen,
                b'u' => read.takes_capitals = true,
                b'U' => read.takes_capitals = false,
                b'C' => read.separator = None,
                _ => read.separator = option.argument.first().copied(),
            }
        }
        Ok(read)
    }
}

/// What the administrator says about users.
#[derive(Default)]
struct Lists {
    /// Only these users; `None` is all.
    include: Option<NameSet>,
    exclude: NameSet,
    /// The addresses of a user, separated by colons, in place of his name.
    mail_names: NameMap,
    /// `name:user:extension:`: addresses that are a user's extension.
    subusers: Vec<Vec<u8>>,
    /// Lines that go last.
    append: Vec<u8>,
}

impl Lists {
    fn read(users: &Control) -> Result<Lists, Unreadable> {
        Ok(Lists {
            include: users.set("include")?,
            exclude: users.set("exclude")?.unwrap_or_default(),
            mail_names: users.map("mailnames")?,
            subusers: users.list("subusers")?.unwrap_or_default(),
            append: users.read("append")?.unwrap_or_default(),
        })
    }

    fn allow(&self, user: &[u8]) -> bool {
        self.include.as_ref().is_none_or(|names| names.contains(user)) && !self.exclude.contains(user)
    }
}

/// One line of passwd(5). The numbers are copied as they stand there.
struct User<'a> {
    name: &'a [u8],
    uid: &'a [u8],
    gid: &'a [u8],
    home: &'a [u8],
}

impl<'a> User<'a> {
    /// `None` if the line cannot be one.
    fn parse(line: &'a [u8]) -> Option<User<'a>> {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
        match fields.as_slice() {
            [name, _, uid, gid, _, home, _, ..] if !line.contains(&0) => Some(User { name, uid, gid, home }),
            _ => None,
        }
    }

    /// `:user:uid:gid:home:`, the middle of each of his assignments.
    fn middle(&self) -> Vec<u8> {
        let Self { name, uid, gid, home } = self;
        [b":", *name, b":", *uid, b":", *gid, b":", *home, b":"].concat()
    }
}

/// The text of users/assign. `owner_of` says who owns a directory, `None` that it is not there.
fn assignments(
    options: &Options,
    lists: &Lists,
    passwd: &[u8],
    owner_of: impl Fn(&[u8]) -> io::Result<Option<u32>>,
) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let mut middles: HashMap<&[u8], Vec<u8>> = HashMap::new();
    for user in passwd.split(|byte| *byte == b'\n').filter_map(User::parse) {
        if !is_eligible(&user, options, lists, &owner_of)? {
            continue;
        }
        let middle = user.middle();
        if user.name == Role::Alias.name().as_bytes() {
            text.extend([b"+", &middle[..], options.dash.as_bytes(), b"::\n"].concat());
        }
        let names = lists.mail_names.get(user.name).unwrap_or(user.name);
        for name in names.split(|byte| *byte == b':').filter(|name| !name.is_empty()) {
            assign(&mut text, options, name, &middle, None);
        }
        // Of several lines with one name, the first is what the system goes by.
        middles.entry(user.name).or_insert(middle);
    }
    if !middles.contains_key(Role::Alias.name().as_bytes()) {
        return Err(Failure::temporary("unable to find alias user"));
    }
    for line in &lists.subusers {
        let mut fields = line.split(|byte| *byte == b':');
        let (Some(name), Some(user), Some(ext), Some(_)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let unknown = || Failure::temporary([&b"unable to find "[..], user, b" user for subuser"].concat());
        assign(&mut text, options, name, middles.get(user).ok_or_else(unknown)?, Some(ext));
    }
    text.extend_from_slice(&lists.append);
    text.extend_from_slice(b".\n");
    Ok(text)
}

fn is_eligible(
    user: &User<'_>,
    options: &Options,
    lists: &Lists,
    owner_of: impl Fn(&[u8]) -> io::Result<Option<u32>>,
) -> Result<bool, Failure> {
    let (uid, _) = number::scan(user.uid);
    let has_capitals = user.name.iter().any(u8::is_ascii_uppercase);
    if uid == 0 || has_capitals && !options.takes_capitals || !lists.allow(user.name) {
        return Ok(false);
    }
    if options.homes == HomeRule::Unseen {
        return Ok(true);
    }
    let unable =
        |error: &io::Error| Failure::temporary([&b"unable to stat "[..], user.home].concat()).because(error);
    match owner_of(user.home).map_err(|error| unable(&error))? {
        None if options.homes == HomeRule::Required => Err(unable(&io::ErrorKind::NotFound.into())),
        owner => Ok(owner.map(u64::from) == Some(uid)),
    }
}

/// The assignments of a name: a user's own, or one that stands for an extension of his.
fn assign(text: &mut Vec<u8>, options: &Options, name: &[u8], middle: &[u8], subuser: Option<&[u8]>) {
    let dash = options.dash.as_bytes();
    let own: Vec<u8> = subuser.map_or(b":".to_vec(), |ext| [dash, b":", ext].concat());
    text.extend([b"=", name, middle, &own, b":\n"].concat());
    if let Some(separator) = options.separator {
        let below: Vec<u8> = subuser.map_or(Vec::new(), |ext| [ext, b"-"].concat());
        text.extend([b"+", name, &[separator], middle, dash, b":", &below, b":\n"].concat());
    }
}

fn owner_of(home: &[u8]) -> io::Result<Option<u32>> {
    match std::fs::metadata(Path::new(OsStr::from_bytes(home))) {
        Ok(found) => Ok(Some(found.uid())),
        Err(error) if failure::is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] = b"root:x:0:0::/root:/bin/sh\nJoe:x:1:1::/home/Joe:\nann:x:2:3:Ann:/home/ann:/bin/sh\n\
        bad:x:4\nnul\0:x:5:5::/home/nul:\nbob:x:6:6::/home/gone:\neve:x:7:7::/home/ann:\nalias:x:8:8::/alias:";

    fn owner(home: &[u8]) -> io::Result<Option<u32>> {
        match home {
            b"/home/ann" => Ok(Some(2)),
            b"/home/Joe" => Ok(Some(1)),
            b"/alias" => Ok(Some(8)),
            b"/stuck" => Err(io::ErrorKind::TimedOut.into()),
            _ => Ok(None),
        }
    }

    fn made(options: &Options, lists: &Lists) -> Result<String, String> {
        let made = assignments(options, lists, PASSWD, owner);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        made.map(|bytes| text(&bytes)).map_err(|failure| text(failure.text()))
    }

    const ALIAS: &str = "+:alias:8:8:/alias:-::\n=alias:alias:8:8:/alias:::\n+alias-:alias:8:8:/alias:-::\n";

    #[test]
    fn users_with_a_home_of_their_own_are_assigned_their_names_and_extensions() {
        let expected = format!("=ann:ann:2:3:/home/ann:::\n+ann-:ann:2:3:/home/ann:-::\n{ALIAS}.\n");
        assert_eq!(made(&Options::default(), &Lists::default()).unwrap(), expected);
    }

    #[test]
    fn a_required_home_that_is_missing_is_an_error_and_one_of_somebody_else_is_not() {
        let options = Options { homes: HomeRule::Required, ..Options::default() };
        assert_eq!(
            made(&options, &Lists::default()).unwrap_err(),
            "unable to stat /home/gone: file does not exist"
        );
        let lists = Lists { exclude: NameSet::new(vec![b"BOB".to_vec()]), ..Lists::default() };
        assert!(!made(&options, &lists).unwrap().contains("eve"));
    }

    #[test]
    fn a_home_that_does_not_answer_is_an_error_even_where_homes_are_optional() {
        let found = assignments(&Options::default(), &Lists::default(), b"joe:x:1:1::/stuck:", owner);
        assert_eq!(found.unwrap_err().text(), b"unable to stat /stuck: timed out");
    }

    #[test]
    fn without_alias_there_is_no_table() {
        let lists = Lists { include: Some(NameSet::new(vec![b"ann".to_vec()])), ..Lists::default() };
        assert_eq!(made(&Options::default(), &lists).unwrap_err(), "unable to find alias user");
    }

    #[test]
    fn options_choose_names_and_separator() {
        let options =
            Options { takes_capitals: true, separator: Some(b'+'), dash: "-/", ..Options::default() };
        let text = made(&options, &Lists::default()).unwrap();
        assert!(text.starts_with("=Joe:Joe:1:1:/home/Joe:::\n+Joe+:Joe:1:1:/home/Joe:-/::\n"), "{text}");
        assert!(text.contains("+:alias:8:8:/alias:-/::\n"), "{text}");
        let options = Options { separator: None, ..Options::default() };
        let text = made(&options, &Lists::default()).unwrap();
        assert_eq!(
            text,
            "=ann:ann:2:3:/home/ann:::\n+:alias:8:8:/alias:-::\n=alias:alias:8:8:/alias:::\n.\n"
        );
    }

    #[test]
    fn mail_names_subusers_and_appended_lines() {
        let lists = Lists {
            mail_names: NameMap::new(&[b"ann:ann:a.nn::annie".to_vec(), b"alias:".to_vec()]),
            subusers: vec![b"sales:ann:shop:".to_vec(), b"too:ann:short".to_vec()],
            append: b"=x:y:1:1:/:::\nno newline".to_vec(),
            ..Lists::default()
        };
        let options = Options { separator: Some(b'-'), ..Options::default() };
        let names = ["ann", "a.nn", "annie"]
            .map(|name| format!("={name}:ann:2:3:/home/ann:::\n+{name}-:ann:2:3:/home/ann:-::\n"));
        let rest = "+:alias:8:8:/alias:-::\n=sales:ann:2:3:/home/ann:-:shop:\n+sales-:ann:2:3:/home/ann:-:shop-:\n\
            =x:y:1:1:/:::\nno newline.\n";
        assert_eq!(made(&options, &lists).unwrap(), names.concat() + rest);
        let lists = Lists { subusers: vec![b"sales:bob:shop:".to_vec()], ..Lists::default() };
        assert_eq!(made(&options, &lists).unwrap_err(), "unable to find bob user for subuser");
    }
}
