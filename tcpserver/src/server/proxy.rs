//! The PROXY protocol, versions 1 and 2: a balancer says on whose behalf it connects, before anything else.

use crate::deadline::Deadline;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;
use unix::number;
use unix::poll::Interest;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// The balancer speaks for itself, or does not know for whom.
    Itself,
    /// Somebody at `source` has connected to `destination`.
    Behalf { source: SocketAddr, destination: SocketAddr },
}

/// Reads the header and not a byte more.
///
/// # Errors
/// EPROTO-like (invalid data) if there is none that can be understood, or the error of reading; also if it does
/// not come in time.
pub(super) fn read(mut stream: &TcpStream) -> io::Result<Header> {
    let deadline = Deadline::after(PATIENCE);
    let mut bytes = Vec::new();
    loop {
        match step(&bytes) {
            Step::Done(header) => return Ok(header),
            Step::Malformed => return Err(io::ErrorKind::InvalidData.into()),
            Step::More(count) => {
                deadline.wait(stream, Interest::Read)?;
                let mut buffer = vec![0; count];
                let length = stream.read(&mut buffer)?;
                if length == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                bytes.extend_from_slice(buffer.get(..length).unwrap_or_default());
            }
        }
    }
}

/// How far a header has come.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// At least so many bytes are missing.
    More(usize),
    Done(Header),
    Malformed,
}

fn step(bytes: &[u8]) -> Step {
    if bytes.is_empty() {
        return Step::More(1);
    }
    if begins_like(bytes, SIGNATURE) {
        return step_binary(bytes);
    }
    if !begins_like(bytes, b"PROXY ") || bytes.len() > LINE_LIMIT {
        return Step::Malformed;
    }
    match bytes.strip_suffix(b"\r\n") {
        Some(line) => in_line(line).map_or(Step::Malformed, Step::Done),
        None => Step::More(1),
    }
}

fn begins_like(bytes: &[u8], start: &[u8]) -> bool {
    bytes.iter().zip(start).all(|(byte, expected)| byte == expected)
}

/// Version 1: `PROXY TCP4 192.0.2.1 192.0.2.9 40000 25`.
fn in_line(line: &[u8]) -> Option<Header> {
    let mut words = line.split(|byte| *byte == b' ').skip(1);
    let is_ipv4 = match words.next()? {
        b"UNKNOWN" => return Some(Header::Itself),
        b"TCP4" => true,
        b"TCP6" => false,
        _ => return None,
    };
    let mut address = || {
        let address: IpAddr = std::str::from_utf8(words.next()?).ok()?.parse().ok()?;
        (address.is_ipv4() == is_ipv4).then_some(address)
    };
    let (source, destination) = (address()?, address()?);
    let mut port = || u16::try_from(number::whole(words.next()?)?).ok();
    let (from, to) = (port()?, port()?);
    let header = Header::Behalf { source: (source, from).into(), destination: (destination, to).into() };
    words.next().is_none().then_some(header)
}

/// Version 2: the signature, version and command, family, length, addresses, and more that is passed over.
fn step_binary(bytes: &[u8]) -> Step {
    let Some((head, rest)) = bytes.split_at_checked(HEAD) else {
        return Step::More(HEAD.saturating_sub(bytes.len()));
    };
    let Some([command, family, high, low]) = head.last_chunk::<4>() else { return Step::Malformed };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if rest.len() < length {
        return Step::More(length.saturating_sub(rest.len()));
    }
    let header = match (command, family) {
        // Local, and families that are not TCP over IP.
        (0x20, _) => Some(Header::Itself),
        (0x21, 0x11) => ipv4_ends(rest),
        (0x21, 0x21) => ipv6_ends(rest),
        (0x21, _) => Some(Header::Itself),
        _ => None,
    };
    header.map_or(Step::Malformed, Step::Done)
}

fn ipv4_ends(bytes: &[u8]) -> Option<Header> {
    let (source, rest) = bytes.split_first_chunk::<4>()?;
    let (destination, rest) = rest.split_first_chunk::<4>()?;
    ends(Ipv4Addr::from(*source).into(), Ipv4Addr::from(*destination).into(), rest)
}

fn ipv6_ends(bytes: &[u8]) -> Option<Header> {
    let (source, rest) = bytes.split_first_chunk::<16>()?;
    let (destination, rest) = rest.split_first_chunk::<16>()?;
    ends(Ipv6Addr::from(*source).into(), Ipv6Addr::from(*destination).into(), rest)
}

fn ends(source: IpAddr, destination: IpAddr, ports: &[u8]) -> Option<Header> {
    let [a, b, c, d] = *ports.first_chunk::<4>()?;
    Some(Header::Behalf {
        source: (source, u16::from_be_bytes([a, b])).into(),
        destination: (destination, u16::from_be_bytes([c, d])).into(),
    })
}

/// What version 2 begins with.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, command, family and length of version 2.
const HEAD: usize = 16;
/// The longest line of version 1.
const LINE_LIMIT: usize = 107;
/// How long a balancer may take.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn behalf(source: &str, destination: &str) -> Step {
        let (source, destination) = (source.parse().unwrap(), destination.parse().unwrap());
        Step::Done(Header::Behalf { source, destination })
    }

    fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family], &length, rest].concat()
    }

    #[test]
    fn a_line_names_both_ends() {
        let four = behalf("192.0.2.1:40000", "192.0.2.9:25");
        assert_eq!(step(b"PROXY TCP4 192.0.2.1 192.0.2.9 40000 25\r\n"), four);
        let six = behalf("[2001:db8::1]:40000", "[::1]:25");
        assert_eq!(step(b"PROXY TCP6 2001:db8::1 ::1 40000 25\r\n"), six);
        assert_eq!(step(b"PROXY UNKNOWN what ever\r\n"), Step::Done(Header::Itself));
        assert_eq!(step(b"PROXY TCP4 1"), Step::More(1));
    }

    #[test]
    fn a_binary_header_names_both_ends_and_may_say_more() {
        let four = binary(0x21, 0x11, b"\xc0\0\x02\x01\xc0\0\x02\x09\x9c\x40\0\x19 more");
        assert_eq!(step(&four), behalf("192.0.2.1:40000", "192.0.2.9:25"));
        assert_eq!(step(&four[..16]), Step::More(17));
        assert_eq!(step(&four[..3]), Step::More(13));
        let six = binary(0x21, 0x21, &[&[0; 15][..], &[1], &[0; 15], &[2], &[0, 1, 0, 2]].concat());
        assert_eq!(step(&six), behalf("[::1]:1", "[::2]:2"));
        assert_eq!(step(&binary(0x20, 0, b"")), Step::Done(Header::Itself));
    }

    #[test]
    fn anything_else_is_malformed() {
        for bytes in [
            &b"EHLO"[..],
            b"PROXY TCP4 ::1 ::1 1 2\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.9 40000 65536\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.9 40000 25 \r\n",
            b"PROXY TCP5 192.0.2.1 192.0.2.9 40000 25\r\n",
            &binary(0x21, 0x11, b"short"),
            &binary(0x31, 0x11, b""),
            &[b"PROXY ".as_slice(), &[b'x'; 107]].concat(),
        ] {
            assert_eq!(step(bytes), Step::Malformed, "{:?}", String::from_utf8_lossy(bytes));
        }
    }
}
