//! What was delivered into a maildir.

use std::path::Path;

/// The messages in a maildir, sorted. None if there is no such maildir yet.
pub fn messages(maildir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(maildir.join("new")) else { return Vec::new() };
    let mut texts: Vec<String> = entries
        .map(|entry| std::fs::read(entry.expect("an entry").path()).expect("a message"))
        .map(|text| String::from_utf8(text).expect("an ASCII message"))
        .collect();
    texts.sort();
    texts
}
