//! `qmail-setup config HOME HOSTNAME`: the control files that make a host known by its name.

use super::home::{Home, Role};
use super::{say, trouble};
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use unix::failure::Failure;
use unix::program::Exit;
use unix::{account, file, process};

/// Addresses that every host has to have (RFC 5321 §4.5.1, RFC 2142), and root, to whom programs write.
const REQUIRED_ALIASES: [&str; 3] = ["postmaster", "mailer-daemon", "root"];

/// Writes `me`, `defaultdomain` and `plusdomain`, enters the host into `locals` and `rcpthosts`, and makes
/// the aliases that every host has to have. What is there already and agrees stays as it is.
pub fn configure(path: &Path, host: &[u8]) -> Result<Exit, Failure> {
    let host = std::str::from_utf8(host).ok().filter(|host| is_host_name(host));
    let host = host.ok_or_else(|| Failure::permanent("a host name is letters, digits, dots and hyphens"))?;
    process::set_umask(0o022);
    let home = Home::open(path)?;
    for (name, value) in
        [("me", host), ("defaultdomain", default_domain(host)), ("plusdomain", plus_domain(host))]
    {
        let target = home.control().join(name);
        replace(&target, format!("{value}\n").as_bytes())?;
        say(format!("control/{name}: {value}"));
    }
    for name in ["locals", "rcpthosts"] {
        add_line(&home.control().join(name), host)?;
        say(format!("control/{name}: {host}"));
    }
    make_aliases(&home)?;
    Ok(Exit::SUCCESS)
}

fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    name.split('.').all(is_label)
}

/// The name without its first label; a name of two labels or fewer as it is.
fn default_domain(host: &str) -> &str {
    match host.split_once('.') {
        Some((_, rest)) if rest.contains('.') => rest,
        _ => host,
    }
}

/// The last two labels.
fn plus_domain(host: &str) -> &str {
    let cut = host.rmatch_indices('.').nth(1).map(|(at, _)| at.saturating_add(1));
    cut.and_then(|cut| host.get(cut..)).unwrap_or(host)
}

fn add_line(path: &Path, line: &str) -> Result<(), Failure> {
    let mut text =
        file::read_if_present(path).map_err(|error| trouble("read", path, &error))?.unwrap_or_default();
    if crate::control::items(&text).iter().any(|item| item == line.as_bytes()) {
        return Ok(());
    }
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    text.extend_from_slice(line.as_bytes());
    text.push(b'\n');
    replace(path, &text)
}

/// Programs that read the file meanwhile see the old one or the new one.
pub(super) fn replace(path: &Path, text: &[u8]) -> Result<(), Failure> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    file::replace(path, Path::new(&aside), text, 0o644).map_err(|error| trouble("write", path, &error))
}

/// Done as the account alias, in its own directory: root creates nothing there.
fn make_aliases(home: &Home) -> Result<(), Failure> {
    let alias = home.account(Role::Alias)?;
    let directory = home.alias();
    let as_alias = || {
        let identity = account::Identity::new(alias.uid, alias.gid);
        if !home.is_single_user() && identity.assume().is_err() {
            return 1;
        }
        let made = REQUIRED_ALIASES.iter().all(|name| {
            let created = file::create_new(&directory.join(format!(".qmail-{name}")), 0o644);
            !matches!(created, Err(error) if error.kind() != io::ErrorKind::AlreadyExists)
        });
        u8::from(!made || make_maildir(&directory.join("Maildir")).is_err())
    };
    let unable = |error: &io::Error| trouble("make the aliases in", &directory, error);
    let child = process::fork(as_alias).map_err(|error| unable(&error))?;
    match process::wait_for(child).map_err(|error| unable(&error))? {
        process::Ended::Exited(0) => Ok(()),
        _ => Err(Failure::temporary(format!("unable to make the aliases in {}", directory.display()))),
    }
}

fn make_maildir(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    for part in ["", "tmp", "new", "cur"] {
        match fs::DirBuilder::new().mode(0o700).create(path.join(part)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Makes a file unless something has its name. It appears whole or not at all.
pub(super) fn write_new(path: &Path, text: &[u8], mode: u32) -> Result<(), Failure> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let aside = Path::new(&aside);
    // What an interrupted attempt left.
    let _ = fs::remove_file(aside);
    let linked = file::create_new(aside, mode)
        .and_then(|mut created| created.write_all(text).and_then(|()| created.sync_all()))
        .and_then(|()| fs::hard_link(aside, path));
    let _ = fs::remove_file(aside);
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(trouble("write", path, &error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_made_of_the_host_name() {
        let domains = |host| (default_domain(host), plus_domain(host));
        assert_eq!(domains("mail.corp.example.org"), ("corp.example.org", "example.org"));
        assert_eq!(domains("mail.example.org"), ("example.org", "example.org"));
        assert_eq!(domains("example.org"), ("example.org", "example.org"));
        assert_eq!(domains("localhost"), ("localhost", "localhost"));
    }

    #[test]
    fn a_host_name_is_no_path_and_no_line() {
        assert!(is_host_name("mx-1.example.org"));
        for bad in ["", "a..b", "a/b", "a b", "a\nb", ".a"] {
            assert!(!is_host_name(bad), "{bad:?}");
        }
    }
}
