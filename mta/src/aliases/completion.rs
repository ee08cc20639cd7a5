//! Completing the addresses of `.forward`, `/etc/aliases` and lists, with the same control files as qmail-inject.

use super::line::Listed;
use crate::control::{Control, Unreadable};
use unix::environment::Environment;

/// What stands in for `me` without a control file.
const NO_NAME: &[u8] = b"me";

/// What incomplete addresses are completed with.
#[derive(Clone, Debug)]
pub struct Completion {
    default_host: Vec<u8>,
    default_domain: Vec<u8>,
    plus_domain: Vec<u8>,
}

impl Completion {
    /// Reads `defaulthost`, `defaultdomain` and `plusdomain`; `me` stands in for each.
    pub fn read(control: &Control) -> Result<Completion, Unreadable> {
        Completion::read_unless_set(control, &Environment::empty())
    }

    /// The same, except that variables named like the files, with QMAIL before, take their place.
    pub fn read_unless_set(control: &Control, environment: &Environment) -> Result<Completion, Unreadable> {
        let value = |name: &str, variable: &str| {
            let from_file = control.line_or_me(name)?;
            let from_variable = environment.get(variable).map(<[u8]>::to_vec);
            Ok(from_variable.or(from_file).unwrap_or_else(|| NO_NAME.to_vec()))
        };
        Ok(Completion {
            default_host: value("defaulthost", "QMAILDEFAULTHOST")?,
            default_domain: value("defaultdomain", "QMAILDEFAULTDOMAIN")?,
            plus_domain: value("plusdomain", "QMAILPLUSDOMAIN")?,
        })
    }

    /// The whole address: a host if there is none, then a domain in place of a `+` at its end or if the host has no dot.
    pub fn complete(&self, address: &Listed) -> Vec<u8> {
        let mut text = address.text.clone();
        if !address.has_host {
            text.push(b'@');
            text.extend_from_slice(&self.default_host);
        }
        if text.pop_if(|last| *last == b'+').is_some() {
            text.push(b'.');
            text.extend_from_slice(&self.plus_domain);
        }
        let host = text.rsplit(|byte| *byte == b'@').next().unwrap_or_default();
        if !host.contains(&b'.') {
            text.push(b'.');
            text.extend_from_slice(&self.default_domain);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_domains_are_added_where_they_are_missing() {
        let completion = Completion {
            default_host: b"host".to_vec(),
            default_domain: b"dom.x".to_vec(),
            plus_domain: b"plus.x".to_vec(),
        };
        for (text, has_host, expected) in [
            ("a", false, "a@host.dom.x"),
            ("a@b", false, "a@b@host.dom.x"),
            ("a@b", true, "a@b.dom.x"),
            ("a@b+", true, "a@b.plus.x"),
            ("a+", false, "a+@host.dom.x"),
            ("a@b.c", true, "a@b.c"),
            ("a@", true, "a@.dom.x"),
            ("a.b@[1]", true, "a.b@[1].dom.x"),
        ] {
            let address = Listed { text: text.into(), has_host };
            assert_eq!(completion.complete(&address), expected.as_bytes(), "{text}");
        }
    }
}
