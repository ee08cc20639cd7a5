//! The control values that addresses are completed with, and that name this host in a Message-ID.
//!
//! | control file | variable in its place | without both |
//! |---|---|---|
//! | defaultdomain | QMAILDEFAULTDOMAIN | me, or `defaultdomain` |
//! | defaulthost | QMAILDEFAULTHOST | me, or `defaulthost` |
//! | plusdomain | QMAILPLUSDOMAIN | me, or `plusdomain` |
//! | idhost | QMAILIDHOST | me, or `idhost` |

use super::failure;
use crate::control::{Control, Unreadable};
use crate::message::address::Completion;
use unix::environment::Environment;
use unix::failure::Failure;

/// Values of control files.
#[derive(Clone, Debug)]
pub struct Values {
    /// What addresses are completed with.
    pub completion: Completion,
    /// The host in a Message-ID, as it is written there.
    pub id_host: Vec<u8>,
}

impl Values {
    /// Reads the control files.
    ///
    /// # Errors
    /// Temporary if one is there and cannot be read, even if a variable stands in its place. Permanent if a
    /// value cannot be part of an address.
    pub fn read(control: &Control, environment: &Environment) -> Result<Values, Failure> {
        let me = control.line("me")?;
        let value = |name: &str, variable: &str| -> Result<Vec<u8>, Unreadable> {
            let from_file = control.line(name)?;
            let from_variable = environment.get(variable).map(<[u8]>::to_vec);
            Ok(from_variable.or(from_file).or_else(|| me.clone()).unwrap_or_else(|| name.as_bytes().to_vec()))
        };
        let default_domain = value("defaultdomain", "QMAILDEFAULTDOMAIN")?;
        let default_host = value("defaulthost", "QMAILDEFAULTHOST")?;
        let plus_domain = value("plusdomain", "QMAILPLUSDOMAIN")?;
        let id_host = value("idhost", "QMAILIDHOST")?;
        let completion = Completion::new(&default_host, &plus_domain, &default_domain)
            .map_err(|bad| failure::unparsable_line(&bad.text))?;
        Ok(Values { completion, id_host })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unix::program::Exit;

    fn read(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Result<Values, Failure> {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        let mut environment = Environment::empty();
        for (name, value) in variables {
            environment.set(name, value);
        }
        Values::read(&Control::new(directory.path().to_path_buf()), &environment)
    }

    fn rewritten(values: &Values, argument: &str) -> String {
        let address = values.completion.rewrite_argument(argument.as_bytes()).unwrap();
        String::from_utf8_lossy(&address).into_owned()
    }

    #[test]
    fn without_control_files_the_names_of_the_files_stand_in_for_them() {
        let values = read(&[], &[]).unwrap();
        assert_eq!(rewritten(&values, "x"), "x@defaulthost.defaultdomain");
        assert_eq!(rewritten(&values, "w@v+"), "w@v.plusdomain");
        assert_eq!(values.id_host, b"idhost");
    }

    #[test]
    fn a_variable_goes_before_a_file_and_a_file_before_me() {
        let values = read(
            &[("me", "me.example"), ("plusdomain", "plus.example\n"), ("defaulthost", "host.example")],
            &[("QMAILDEFAULTHOST", "env"), ("QMAILIDHOST", "")],
        )
        .unwrap();
        assert_eq!(rewritten(&values, "x"), "x@env.me.example");
        assert_eq!(rewritten(&values, "w@v+"), "w@v.plus.example");
        assert_eq!(values.id_host, b"");
    }

    #[test]
    fn an_empty_file_is_an_empty_value() {
        let values = read(&[("me", "me.example"), ("defaulthost", "")], &[]).unwrap();
        assert_eq!(rewritten(&values, "joe"), "joe@.me.example");
    }

    #[test]
    fn a_value_that_is_no_part_of_an_address_is_permanent() {
        assert_eq!(read(&[("defaultdomain", "(")], &[]).unwrap_err().exit(), Exit::PERMANENT);
    }
}
