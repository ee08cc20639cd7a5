//! Control files: `HOME/control/NAME`, one subject each.
//!
//! | kind | contents |
//! |---|---|
//! | line | the first line; an empty file is an empty value, not an absent one |
//! | integer | a line that begins with a digit; otherwise the default stays |
//! | list | each line that is neither empty nor begins with `#` |
//! | map | a list of `key:value`; the last of equal keys counts; keys without regard to ASCII case |
//!
//! Blanks and tabs at the end of a line do not count; those at its beginning do. A NUL ends a line. Any
//! trouble other than "there is no such file" is an error: a program must not go on with a default then.

pub mod newmrh;
pub mod rcpthosts;
pub mod showctl;

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use unix::failure::Failure;
use unix::{file, number};

/// The control files of one installation.
#[derive(Clone, Debug)]
pub struct Control {
    directory: PathBuf,
}

/// A control file that is there and could not be read.
#[derive(Debug)]
pub struct Unreadable {
    /// The file, as `control/NAME`.
    pub file: String,
    /// Why.
    pub error: io::Error,
}

impl From<Unreadable> for Failure {
    fn from(trouble: Unreadable) -> Failure {
        Failure::temporary(format!("unable to read {}", trouble.file)).because(&trouble.error)
    }
}

impl Control {
    /// The control files in a directory.
    pub fn new(directory: PathBuf) -> Control {
        Control { directory }
    }

    /// The whole file, or nothing if there is none.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Unreadable> {
        file::read_if_present(&self.directory.join(name))
            .map_err(|error| Unreadable { file: format!("control/{name}"), error })
    }

    /// The path of a file, for those that are not text.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// A one-line value.
    pub fn line(&self, name: &str) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(self.read(name)?.map(|text| lines(&text).next().unwrap_or_default().to_vec()))
    }

    /// A one-line value; the value of `me` if the file is missing; nothing if that is missing too.
    pub fn line_or_me(&self, name: &str) -> Result<Option<Vec<u8>>, Unreadable> {
        match self.line(name)? {
            Some(value) => Ok(Some(value)),
            None => self.line("me"),
        }
    }

    /// A number, or the default if the file is missing or does not begin with a digit.
    pub fn integer(&self, name: &str, default: u64) -> Result<u64, Unreadable> {
        let Some(line) = self.line(name)? else { return Ok(default) };
        let (value, length) = number::scan(&line);
        Ok(if length == 0 { default } else { value })
    }

    /// Whether a file switches something on: it is there, and its line is not the number 0.
    pub fn switch(&self, name: &str) -> Result<bool, Unreadable> {
        Ok(self.line(name)?.is_some_and(|line| number::whole(&line) != Some(0)))
    }

    /// The items of a list, in order, or nothing if there is no file. (An empty file is an empty list.)
    pub fn list(&self, name: &str) -> Result<Option<Vec<Vec<u8>>>, Unreadable> {
        Ok(self.read(name)?.map(|text| items(&text)))
    }

    /// A list as a set, to be asked without regard to case.
    pub fn set(&self, name: &str) -> Result<Option<NameSet>, Unreadable> {
        Ok(self.list(name)?.map(NameSet::new))
    }

    /// A list of `key:value`. A missing file is an empty map.
    pub fn map(&self, name: &str) -> Result<NameMap, Unreadable> {
        Ok(NameMap::new(&self.list(name)?.unwrap_or_default()))
    }
}

/// The items of a list's text.
pub fn items(text: &[u8]) -> Vec<Vec<u8>> {
    lines(text).filter(|line| !line.is_empty() && !line.starts_with(b"#")).map(<[u8]>::to_vec).collect()
}

/// The items of a list of which qmail-newmrh makes a database: there a NUL is a part of its line.
pub fn items_with_nuls(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = text.split(|byte| *byte == b'\n').map(|line| line.trim_suffix_of(b" \t"));
    lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"))
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| matches!(byte, b'\n' | 0)).map(|line| line.trim_suffix_of(b" \t\n"))
}

/// Taking off bytes at the end.
trait TrimSuffix {
    fn trim_suffix_of(&self, unwanted: &[u8]) -> &[u8];
}

impl TrimSuffix for [u8] {
    fn trim_suffix_of(&self, unwanted: &[u8]) -> &[u8] {
        let mut rest = self;
        while let Some((last, before)) = rest.split_last()
            && unwanted.contains(last)
        {
            rest = before;
        }
        rest
    }
}

/// Names (hosts, addresses) that are compared without regard to ASCII case.
#[derive(Clone, Debug, Default)]
pub struct NameSet {
    names: HashSet<Vec<u8>>,
}

impl NameSet {
    /// The set of these names.
    pub fn new(names: Vec<Vec<u8>>) -> NameSet {
        NameSet { names: names.into_iter().map(|name| name.to_ascii_lowercase()).collect() }
    }

    /// Whether the name is in the set.
    pub fn contains(&self, name: &[u8]) -> bool {
        self.names.contains(&name.to_ascii_lowercase())
    }
}

/// Values found by name, without regard to ASCII case.
#[derive(Clone, Debug, Default)]
pub struct NameMap {
    values: HashMap<Vec<u8>, Vec<u8>>,
}

impl NameMap {
    /// The map that lines of `key:value` make. Lines without a colon do not count.
    pub fn new(lines: &[Vec<u8>]) -> NameMap {
        let pairs = lines.iter().filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (key, value) = line.split_at_checked(colon)?;
            Some((key.to_ascii_lowercase(), value.get(1..)?.to_vec()))
        });
        NameMap { values: pairs.collect() }
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.values.get(&key.to_ascii_lowercase()).map(Vec::as_slice)
    }

    /// The value for a host: its own, else that of the longest `.suffix` of it, else that of the empty key.
    pub fn get_host(&self, host: &[u8]) -> Option<&[u8]> {
        self.find_host(host).map(|(_, value)| value)
    }

    /// The same, with the part of the host that is the key.
    pub fn find_host<'a>(&self, host: &'a [u8]) -> Option<(&'a [u8], &[u8])> {
        let suffixes =
            host.iter().enumerate().filter(|(_, byte)| **byte == b'.').filter_map(|(at, _)| host.get(at..));
        let keys = std::iter::once(host).chain(suffixes).chain(std::iter::once(&b""[..]));
        keys.into_iter().find_map(|key| Some((key, self.get(key)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Control) {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        let control = Control::new(directory.path().to_path_buf());
        (directory, control)
    }

    #[test]
    fn a_line_loses_blanks_at_its_end_only_and_an_empty_file_is_a_value() {
        let (_kept, control) = control(&[("a", b" x \t\nnext\n"), ("empty", b""), ("me", b"m.example\r\n")]);
        assert_eq!(control.line("a").unwrap().unwrap(), b" x");
        assert_eq!(control.line_or_me("empty").unwrap().unwrap(), b"");
        assert_eq!(control.line_or_me("missing").unwrap().unwrap(), b"m.example\r");
    }

    #[test]
    fn an_integer_that_does_not_begin_with_a_digit_is_the_default() {
        let (_kept, control) = control(&[("a", b"12x\n"), ("b", b"-5\n"), ("c", b" 10\n"), ("d", b"junk")]);
        let values = ["a", "b", "c", "d", "e"].map(|name| control.integer(name, 7).unwrap());
        assert_eq!(values, [12, 7, 7, 7, 7]);
    }

    #[test]
    fn a_switch_is_on_if_its_file_is_there_and_does_not_say_0() {
        let (_kept, control) =
            control(&[("empty", b""), ("one", b"1\n"), ("off", b"0 \n"), ("zeros", b"00")]);
        let values = ["empty", "one", "off", "zeros", "missing"].map(|name| control.switch(name).unwrap());
        assert_eq!(values, [true, true, false, false, false]);
    }

    #[test]
    fn a_list_passes_over_comments_and_takes_a_nul_for_a_line_end() {
        let (_kept, control) = control(&[("l", b"#no\na \n\n b\0c\nlast")]);
        assert_eq!(control.list("l").unwrap().unwrap(), [&b"a"[..], b" b", b"c", b"last"]);
        assert!(control.list("missing").unwrap().is_none());
    }

    #[test]
    fn the_last_of_equal_keys_counts_and_only_the_first_colon_separates() {
        let map =
            NameMap::new(&[b"Dom:a".to_vec(), b"dom:b:c".to_vec(), b"none".to_vec(), b".x.y:s".to_vec()]);
        assert_eq!(map.get(b"DOM"), Some(&b"b:c"[..]));
        assert_eq!(map.get_host(b"a.x.Y"), Some(&b"s"[..]));
        assert_eq!(map.get_host(b"x.y"), None);
    }

    #[test]
    fn a_directory_in_place_of_a_file_is_trouble_not_absence() {
        let (kept, control) = control(&[]);
        std::fs::create_dir(kept.path().join("me")).unwrap();
        assert_eq!(control.line("me").unwrap_err().file, "control/me");
    }
}
