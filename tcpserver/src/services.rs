//! Ports by number, or by the name that /etc/services gives them.

use std::path::Path;
use unix::failure::Failure;
use unix::{file, number};

/// The port that an operand means; 0 lets the kernel choose one.
pub(crate) fn port(text: &[u8]) -> Result<u16, Failure> {
    let unknown = [&b"unable to figure out port number for "[..], text].concat();
    if let Some(value) = number::whole(text) {
        return u16::try_from(value).map_err(|_| Failure::permanent(unknown));
    }
    let services = file::read_if_present(Path::new("/etc/services"))
        .map_err(|error| Failure::temporary("unable to read /etc/services").because(&error))?;
    named(&services.unwrap_or_default(), text).ok_or_else(|| Failure::temporary(unknown))
}

/// Looks a name or alias up in the text of services(5), among the services over TCP.
fn named(services: &[u8], wanted: &[u8]) -> Option<u16> {
    services.split(|byte| *byte == b'\n').find_map(|line| {
        let text = line.split(|byte| *byte == b'#').next()?;
        let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let name = words.next()?;
        let number = words.next()?.strip_suffix(b"/tcp")?;
        let port = number::whole(number).and_then(|value| u16::try_from(value).ok())?;
        (name == wanted || words.any(|alias| alias == wanted)).then_some(port)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICES: &[u8] =
        b"# names\nsmtp\t\t25/tcp\t\tmail\nntp 123/udp\n\nqmtp 209/tcp # not mail\nbad x/tcp mail\n";

    #[test]
    fn names_and_aliases_of_tcp_services_are_found() {
        assert_eq!(named(SERVICES, b"smtp"), Some(25));
        assert_eq!(named(SERVICES, b"mail"), Some(25));
        assert_eq!(named(SERVICES, b"qmtp"), Some(209));
        for unknown in [&b"ntp"[..], b"not", b"#", b"", b"bad", b"25/tcp"] {
            assert_eq!(named(SERVICES, unknown), None);
        }
    }

    #[test]
    fn a_number_must_be_a_port() {
        assert_eq!(port(b"65535").unwrap(), 65535);
        assert!(port(b"65536").is_err());
    }
}
