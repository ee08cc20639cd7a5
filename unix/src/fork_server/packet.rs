//! A call as bytes, but for the descriptors themselves.

use super::{Call, Parent};
use crate::account::Identity;
use nix::errno::Errno;
use std::io;

/// Longest packet. Who has more to say runs the program as ever.
pub(super) const LIMIT: usize = 64 * 1024;
/// Most descriptors of a call.
pub(super) const DESCRIPTORS: usize = 8;
/// Descriptors are placed under numbers below this; a server keeps its own above.
pub(super) const NUMBERS_END: u8 = 16;

/// What a server is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packet {
    pub parent: Parent,
    /// User and group.
    pub identity: Option<(u32, u32)>,
    /// Where the descriptors go, in the order in which they come.
    pub numbers: Vec<u8>,
    /// Each ends in a NUL.
    pub arguments: Vec<u8>,
    /// `NAME=value`, each ended by a NUL.
    pub environment: Option<Vec<u8>>,
}

impl Packet {
    pub fn of(call: &Call) -> io::Result<Packet> {
        let number = |wanted: i32| {
            u8::try_from(wanted).ok().filter(|number| *number < NUMBERS_END).ok_or(Errno::EINVAL)
        };
        let numbers = call.descriptors.iter().map(|(_, wanted)| number(*wanted)).collect::<Result<_, _>>()?;
        // A packet has room for the usual identity, whose only group is its own.
        let is_usual = |identity: &Identity| *identity == Identity::new(identity.uid, identity.gid);
        if !call.identity.as_ref().is_none_or(is_usual) {
            return Err(Errno::EINVAL.into());
        }
        if call.arguments.iter().any(|argument| argument.contains(&0)) {
            return Err(Errno::EINVAL.into());
        }
        Ok(Packet {
            parent: call.parent,
            identity: call.identity.as_ref().map(|identity| (identity.uid, identity.gid)),
            numbers,
            arguments: call
                .arguments
                .iter()
                .flat_map(|argument| argument.iter().copied().chain([0]))
                .collect(),
            environment: call.environment.map(|environment| environment.strings()).transpose()?,
        })
    }

    /// # Errors
    /// EMSGSIZE if a server would not take it.
    pub fn encode(&self) -> io::Result<Vec<u8>> {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_ne_bytes();
        let (uid, gid) = self.identity.unwrap_or_default();
        let environment = self.environment.as_deref().unwrap_or_default();
        let bytes = [
            &[u8::from(self.parent == Parent::Server), u8::from(self.identity.is_some())][..],
            &[u8::from(self.environment.is_some())],
            &uid.to_ne_bytes(),
            &gid.to_ne_bytes(),
            &length(&self.numbers),
            &length(&self.arguments),
            &self.numbers,
            &self.arguments,
            environment,
        ]
        .concat();
        if bytes.len() > LIMIT || self.numbers.len() > DESCRIPTORS {
            Err(Errno::EMSGSIZE.into())
        } else {
            Ok(bytes)
        }
    }

    /// `None`: nobody who means it well has sent that.
    pub fn decode(bytes: &[u8]) -> Option<Packet> {
        let (flags, bytes) = bytes.split_first_chunk::<3>()?;
        let [of_server, has_identity, has_environment] = flags.map(|flag| flag != 0);
        let (uid, bytes) = number(bytes)?;
        let (gid, bytes) = number(bytes)?;
        let (numbers, bytes) = number(bytes)?;
        let (arguments, bytes) = number(bytes)?;
        let (numbers, bytes) = bytes.split_at_checked(usize::try_from(numbers).ok()?)?;
        let (arguments, environment) = bytes.split_at_checked(usize::try_from(arguments).ok()?)?;
        let is_list = |bytes: &[u8]| bytes.last().is_none_or(|last| *last == 0);
        let is_good =
            numbers.iter().all(|number| *number < NUMBERS_END) && is_list(arguments) && is_list(environment);
        is_good.then(|| Packet {
            parent: if of_server { Parent::Server } else { Parent::Starter },
            identity: has_identity.then_some((uid, gid)),
            numbers: numbers.to_vec(),
            arguments: arguments.to_vec(),
            environment: has_environment.then(|| environment.to_vec()),
        })
    }

    /// The arguments one by one.
    pub fn words(&self) -> Vec<Vec<u8>> {
        self.arguments
            .split_inclusive(|byte| *byte == 0)
            .filter_map(|word| Some(word.strip_suffix(b"\0")?.to_vec()))
            .collect()
    }

    /// Who the program is to run as.
    pub fn identity(&self) -> Option<Identity> {
        self.identity.map(|(uid, gid)| Identity::new(uid, gid))
    }
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_ne_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet() -> Packet {
        Packet {
            parent: Parent::Starter,
            identity: Some((1000, 100)),
            numbers: vec![0, 1, 2, 6],
            arguments: b"--\0\0joe\0".to_vec(),
            environment: Some(b"A=b\0C=\0".to_vec()),
        }
    }

    #[test]
    fn a_packet_is_read_as_it_was_written() {
        let variants = [
            packet(),
            Packet { parent: Parent::Server, identity: None, ..packet() },
            Packet { environment: None, arguments: Vec::new(), numbers: Vec::new(), ..packet() },
            Packet { environment: Some(Vec::new()), ..packet() },
        ];
        for packet in variants {
            assert_eq!(Packet::decode(&packet.encode().unwrap()).as_ref(), Some(&packet));
        }
        assert_eq!(packet().words(), [&b"--"[..], b"", b"joe"]);
    }

    #[test]
    fn what_is_cut_or_not_a_list_or_out_of_bounds_is_no_packet() {
        let bytes = packet().encode().unwrap();
        // What is cut from the environment at the end of a variable is a shorter one.
        let shorter = [bytes.len() - b"A=b\0C=\0".len(), bytes.len() - b"C=\0".len()];
        for length in (0..bytes.len()).filter(|length| !shorter.contains(length)) {
            assert_eq!(Packet::decode(&bytes[..length]), None, "{length}");
        }
        let bad_number = Packet { numbers: vec![NUMBERS_END], ..packet() };
        assert_eq!(Packet::decode(&bad_number.encode().unwrap()), None);
    }

    #[test]
    fn what_is_too_much_for_a_server_is_not_sent() {
        let long = Packet { arguments: vec![0; LIMIT], ..packet() };
        assert!(long.encode().is_err());
        let many = Packet { numbers: vec![0; DESCRIPTORS + 1], ..packet() };
        assert!(many.encode().is_err());
    }
}
