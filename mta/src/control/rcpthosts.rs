//! Which recipient hosts the network may send to: `rcpthosts`, and `morercpthosts.cdb` for long lists.
//!
//! An entry `host` stands for that host, `.domain` for every host below the domain. Without the file
//! `rcpthosts` every host is allowed: an open relay. The database is looked at only where `rcpthosts` is
//! there and does not name the host; `qmail-newmrh` makes it.

use super::{Control, NameSet, Unreadable};
use std::io;
use unix::{cdb, failure, file};

const DATABASE: &str = "morercpthosts.cdb";

/// The hosts that the network may send to.
pub enum RcptHosts {
    /// There is no `rcpthosts`.
    Anywhere,
    /// Those in the list or the database.
    Listed {
        /// `rcpthosts`.
        hosts: NameSet,
        /// `morercpthosts.cdb`, if there is one.
        more: Option<cdb::Reader>,
    },
}

impl RcptHosts {
    /// Reads the list and opens the database.
    ///
    /// # Errors
    /// One of them is there and cannot be read. Nothing may be accepted then.
    pub fn read(control: &Control) -> Result<RcptHosts, Unreadable> {
        match control.set("rcpthosts")? {
            None => Ok(RcptHosts::Anywhere),
            Some(hosts) => Ok(RcptHosts::Listed { hosts, more: open_database(control)? }),
        }
    }

    /// Whether the network may send to this address. One without a host is ours.
    ///
    /// # Errors
    /// The database is damaged or cannot be read, so nobody knows.
    pub fn allows(&self, address: &[u8]) -> io::Result<bool> {
        let RcptHosts::Listed { hosts, more } = self else { return Ok(true) };
        let mut from_at = address.rsplitn(2, |byte| *byte == b'@');
        let host = from_at.next().unwrap_or_default().to_ascii_lowercase();
        if from_at.next().is_none() || keys(&host).any(|key| hosts.contains(key)) {
            return Ok(true);
        }
        let Some(database) = more else { return Ok(false) };
        for key in keys(&host) {
            if database.get(key)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn open_database(control: &Control) -> Result<Option<cdb::Reader>, Unreadable> {
    match file::open_read(&control.path(DATABASE)).and_then(cdb::Reader::new) {
        Ok(reader) => Ok(Some(reader)),
        Err(error) if failure::is_absent(&error) => Ok(None),
        Err(error) => Err(Unreadable { file: format!("control/{DATABASE}"), error }),
    }
}

/// The host and each of its suffixes that begins with a dot: `a.b.c`, `.b.c`, `.c`.
fn keys(host: &[u8]) -> impl Iterator<Item = &[u8]> {
    let dots = host.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'.');
    std::iter::once(host).chain(dots.filter_map(|(at, _)| host.get(at..)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &[u8])]) -> Result<RcptHosts, Unreadable> {
        let directory = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::write(directory.path().join(name), bytes).unwrap();
        }
        RcptHosts::read(&Control::new(directory.path().to_path_buf()))
    }

    fn database(keys: &[&[u8]]) -> Vec<u8> {
        let mut builder = cdb::Builder::in_memory();
        keys.iter().for_each(|key| builder.add(key, b"").unwrap());
        builder.finish().unwrap().into_inner()
    }

    #[test]
    fn a_missing_list_allows_everything_and_an_empty_one_nothing_but_our_own() {
        assert!(read(&[]).unwrap().allows(b"a@any.example").unwrap());
        let nobody = read(&[("rcpthosts", b"")]).unwrap();
        assert!(!nobody.allows(b"a@any.example").unwrap());
        assert!(nobody.allows(b"a").unwrap() && nobody.allows(b"").unwrap());
    }

    #[test]
    fn a_dot_entry_stands_for_hosts_below_the_domain_and_not_for_the_domain() {
        let hosts = read(&[("rcpthosts", b"Example.ORG\n.sub.example.org\n")]).unwrap();
        let allowed = |address: &str| hosts.allows(address.as_bytes()).unwrap();
        assert!(allowed("a@example.org") && allowed("a@x@EXAMPLE.org"));
        assert!(allowed("a@b.sub.example.org") && allowed("a@b.c.SUB.example.org"));
        assert!(!allowed("a@sub.example.org") && !allowed("a@b.example.org"));
        assert!(!allowed("a@example.org.") && !allowed("a@") && !allowed("@"));
    }

    #[test]
    fn the_database_adds_to_the_list_and_is_nothing_without_it() {
        let more = database(&[b"more.example", b".below.example"]);
        let both = read(&[("rcpthosts", b"a.example\n"), (DATABASE, &more)]).unwrap();
        for (address, allowed) in
            [("x@MORE.example", true), ("x@b.below.example", true), ("x@other.example", false)]
        {
            assert_eq!(both.allows(address.as_bytes()).unwrap(), allowed, "{address}");
        }
        let alone = read(&[(DATABASE, &more)]).unwrap();
        assert!(alone.allows(b"x@other.example").unwrap());
    }

    /// M5: a damaged database is trouble, not an answer.
    #[test]
    fn m5_a_damaged_database_allows_nothing_and_refuses_nothing() {
        let cut = read(&[("rcpthosts", b""), (DATABASE, b"short")]);
        assert_eq!(cut.err().unwrap().file, "control/morercpthosts.cdb");
        let mut damaged = database(&[b"more.example"]);
        damaged.truncate(2060);
        let hosts = read(&[("rcpthosts", b""), (DATABASE, &damaged)]).unwrap();
        assert!(hosts.allows(b"x@more.example").is_err());
    }
}
