//! The arguments of MAIL and RCPT: an address in one of the forms that clients use, and parameters.
//!
//! ```text
//! FROM:<local@host> SIZE=1000      what RFC 5321 §4.1.2 asks for
//! FROM: local@host                 without brackets, up to a space
//! TO:<@relay:local@host>           the source route is dropped
//! TO:<"a b"@host>                  quotes and backslashes are taken off
//! ```

/// Longest address. Programs further on hold it to 1,003 bytes, with what they add.
pub const LONGEST: usize = 899;

/// Why an argument is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It has neither `<` nor `:`, so nobody can say where in it the address is.
    NoAddress,
    /// The address is longer than [`LONGEST`].
    TooLong,
    /// The address has a control byte in it.
    ControlByte,
}

/// The sender of a message: where failures are reported. Empty for a message that is such a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReversePath(Vec<u8>);

/// A recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardPath(Vec<u8>);

impl ReversePath {
    /// Checks an address.
    pub fn new(address: Vec<u8>) -> Result<ReversePath, Malformed> {
        checked(address).map(ReversePath)
    }

    /// The address.
    pub fn address(&self) -> &[u8] {
        &self.0
    }
}

impl ForwardPath {
    /// Checks an address.
    pub fn new(address: Vec<u8>) -> Result<ForwardPath, Malformed> {
        checked(address).map(ForwardPath)
    }

    /// The address.
    pub fn address(&self) -> &[u8] {
        &self.0
    }

    /// The address with what the administrator wants at its end for this client.
    pub fn with_suffix(mut self, suffix: &[u8]) -> ForwardPath {
        self.0.extend_from_slice(suffix);
        self
    }
}

fn checked(address: Vec<u8>) -> Result<Vec<u8>, Malformed> {
    if address.len() > LONGEST {
        Err(Malformed::TooLong)
    } else if address.iter().any(u8::is_ascii_control) {
        Err(Malformed::ControlByte)
    } else {
        Ok(address)
    }
}

/// An argument, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument<'a> {
    /// The address, without quotes.
    pub address: Vec<u8>,
    /// What follows the address.
    parameters: &'a [u8],
}

impl<'a> Argument<'a> {
    /// Finds the address. An address whose end is missing ends with the argument.
    pub fn parse(argument: &'a [u8]) -> Result<Argument<'a>, Malformed> {
        let (start, terminator) = if let Some((_, after)) = split_after(argument, b'<') {
            (after, b'>')
        } else if let Some((_, after)) = split_after(argument, b':') {
            let spaces = after.iter().take_while(|byte| **byte == b' ').count();
            (after.get(spaces..).unwrap_or_default(), b' ')
        } else {
            return Err(Malformed::NoAddress);
        };
        let (address, parameters) = unquote(without_route(start), terminator);
        Ok(Argument { address, parameters })
    }

    /// The SIZE parameter: how many bytes the client says that the message has. RFC 1870 §6.
    pub fn size(&self) -> Option<u64> {
        self.parameters.split(|byte| *byte == b' ').find_map(|parameter| {
            let (name, value) = split_after(parameter, b'=')?;
            name.eq_ignore_ascii_case(b"size=").then(|| unix::number::whole(value)).flatten()
        })
    }
}

/// Drops `@relay,@relay:` in front of an address. RFC 5321 appendix C.
fn without_route(address: &[u8]) -> &[u8] {
    if !address.starts_with(b"@") {
        return address;
    }
    split_after(address, b':').map_or(&[], |(_, after)| after)
}

/// The bytes through the first `mark`, and those after it.
fn split_after(bytes: &[u8], mark: u8) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked(memchr::memchr(mark, bytes)?.saturating_add(1))
}

/// The address up to an unquoted terminator, quoting taken off, and the rest after the terminator.
fn unquote(text: &[u8], terminator: u8) -> (Vec<u8>, &[u8]) {
    let mut address = Vec::with_capacity(text.len());
    let mut quoted = false;
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'\\' => {
                if let Some((&escaped, after)) = rest.split_first() {
                    address.push(escaped);
                    rest = after;
                }
            }
            b'"' => quoted = !quoted,
            _ if byte == terminator && !quoted => break,
            _ => address.push(byte),
        }
    }
    (address, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(argument: &str) -> String {
        String::from_utf8(Argument::parse(argument.as_bytes()).unwrap().address).unwrap()
    }

    #[test]
    fn every_form_of_the_manual_gives_its_address() {
        let cases = [
            ("FROM:<a@b>", "a@b"),
            ("FROM:<>", ""),
            ("FROM:", ""),
            ("FROM: a@b SIZE=3", "a@b"),
            ("a<b", "b"),
            ("TO:<a@b", "a@b"),
            ("TO:< a@b >", " a@b "),
            ("TO:<@r1,@r2:a@b>", "a@b"),
            ("TO:<@b>", ""),
            ("TO:<\"a>b\"@c>", "a>b@c"),
            ("TO:<a\\>b\\\"@c>", "a>b\"@c"),
            ("TO:<\"a b\"@c> NOTIFY=NEVER", "a b@c"),
            ("TO:\"a b\"@c d", "a b@c"),
            ("TO:<a\\", "a"),
        ];
        for (argument, wanted) in cases {
            assert_eq!(address(argument), wanted, "{argument}");
        }
    }

    #[test]
    fn without_bracket_and_colon_there_is_no_address() {
        for argument in ["a@b", "", "TO"] {
            assert_eq!(Argument::parse(argument.as_bytes()), Err(Malformed::NoAddress));
        }
    }

    #[test]
    fn the_size_is_found_among_parameters_only() {
        let size = |argument: &[u8]| Argument::parse(argument).unwrap().size();
        assert_eq!(size(b"FROM:<a@b> BODY=8BITMIME size=1000"), Some(1000));
        assert_eq!(size(b"FROM:<a@b> SIZE=99999999999999999999999"), Some(u64::MAX));
        assert_eq!(size(b"FROM:< SIZE=5 a@b> SIZE=x"), None);
        assert_eq!(size(b"FROM:a@b SIZE=7"), Some(7));
    }

    #[test]
    fn an_address_is_at_most_899_bytes_and_has_no_control_bytes() {
        assert!(ForwardPath::new(vec![b'x'; 899]).is_ok());
        assert_eq!(ForwardPath::new(vec![b'x'; 900]), Err(Malformed::TooLong));
        for byte in (0..32).chain([127]) {
            assert_eq!(ReversePath::new(vec![b'x', byte]), Err(Malformed::ControlByte));
        }
    }
}
