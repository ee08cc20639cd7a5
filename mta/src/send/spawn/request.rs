//! What qmail-send asks of a spawner: slot byte, message file NUL, sender NUL, recipient NUL.
//!
//! Slot 255 without message and sender, and `slots=N` as recipient, asks for N slots, which are more than the
//! byte can name. A spawner that agrees answers `K` and how many it grants; from then on slots have two bytes,
//! the higher one first, in requests and reports. One that does not know the question takes it for a bad
//! request, and says so; a qmail-send that does not ask sees no difference.

use super::SPAWN_LIMIT;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use unix::number;

/// Longest name of a message file, with its NUL.
const NAME_LIMIT: usize = 100;
/// Longest string that is kept; addresses in the queue are shorter. A longer request is never valid.
const STRING_LIMIT: usize = 8192;

/// One delivery to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// qmail-send's name for the delivery.
    pub slot: u16,
    /// The message's file, relative to `queue/mess`.
    message_file: Vec<u8>,
    /// Envelope sender.
    pub sender: Vec<u8>,
    /// Recipient, as rewritten by qmail-send.
    pub recipient: Vec<u8>,
}

impl Request {
    /// Refuses what is no message or no address, with the report that says so.
    pub fn check(&self) -> Result<(), &'static [u8]> {
        let name = self.message_file.as_slice();
        if name.first() == Some(&b'/') || !name.iter().all(|byte| byte.is_ascii_digit() || *byte == b'/') {
            return Err(b"DInternal error: messid has nonnumerics. (#5.3.5)\n");
        }
        if name.len() >= NAME_LIMIT {
            return Err(b"DInternal error: messid too long. (#5.3.5)\n");
        }
        if name.is_empty() {
            return Err(b"DInternal error: messid too short. (#5.3.5)\n");
        }
        if self.sender.len() >= STRING_LIMIT {
            return Err(TOO_LONG);
        }
        check_recipient(&self.recipient)
    }

    /// The message's file.
    pub fn message_file(&self) -> &OsStr {
        OsStr::from_bytes(&self.message_file)
    }

    /// What stands before the last `@` of the recipient.
    pub fn local_part(&self) -> &[u8] {
        crate::send::route::local_part(&self.recipient)
    }

    /// What follows the last `@` of the recipient.
    pub fn host(&self) -> &[u8] {
        crate::send::route::host(&self.recipient)
    }
}

/// Refuses what is no address that something can be delivered to, with the report that says so.
pub fn check_recipient(recipient: &[u8]) -> Result<(), &'static [u8]> {
    if recipient.len() >= STRING_LIMIT {
        return Err(TOO_LONG);
    }
    if !recipient.contains(&b'@') {
        return Err(b"DSorry, address must include host name. (#5.1.3)\n");
    }
    if crate::send::route::local_part(recipient).is_empty() {
        return Err(b"DSorry, address must include a user name. (#5.1.3)\n");
    }
    Ok(())
}

const TOO_LONG: &[u8] = b"DSorry, that address is too long. (#5.1.3)\n";

/// Takes requests out of a stream, whatever the pieces that it comes in.
#[derive(Debug, Default)]
pub struct RequestDecoder {
    state: State,
    request: Request,
    /// Whether slots have two bytes.
    wide: bool,
}

/// What qmail-send wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// A delivery.
    Deliver(Request),
    /// More slots.
    Slots(SlotRequest),
}

/// The wish for so many slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotRequest(pub u16);

/// More slots than that cannot be named with two bytes.
pub const MOST_SLOTS: u16 = u16::MAX;
/// The slot that no delivery has while slots are one byte: a spawner has at most 255.
pub const SLOT_REQUEST: u16 = 255;
const SLOTS: &[u8] = b"slots=";

impl SlotRequest {
    /// The request as it is sent.
    pub fn encode(self) -> Vec<u8> {
        [&[u8::MAX, 0, 0], SLOTS, self.0.to_string().as_bytes(), &[0]].concat()
    }

    /// The wish that a request is; nothing if it is a delivery.
    fn decode(request: &Request) -> Option<SlotRequest> {
        let is_one =
            request.slot == SLOT_REQUEST && request.message_file.is_empty() && request.sender.is_empty();
        let wanted = request.recipient.strip_prefix(SLOTS).filter(|_| is_one).and_then(number::whole)?;
        u16::try_from(wanted).ok().filter(|wanted| *wanted > u16::from(SPAWN_LIMIT)).map(SlotRequest)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Slot,
    LowerSlot,
    MessageFile,
    Sender,
    Recipient,
}

impl RequestDecoder {
    /// Takes the next piece; the requests that it completes.
    pub fn push(&mut self, piece: &[u8]) -> Vec<Order> {
        let complete = |byte: &u8| self.step(*byte).map(|request| self.order(request));
        piece.iter().filter_map(complete).collect()
    }

    fn order(&mut self, request: Request) -> Order {
        match SlotRequest::decode(&request).filter(|_| !self.wide) {
            Some(wish) => {
                self.wide = true;
                Order::Slots(wish)
            }
            None => Order::Deliver(request),
        }
    }

    fn step(&mut self, byte: u8) -> Option<Request> {
        let string = match self.state {
            State::Slot => {
                self.request = Request { slot: byte.into(), ..Request::default() };
                self.state = if self.wide { State::LowerSlot } else { State::MessageFile };
                return None;
            }
            State::LowerSlot => {
                self.request.slot = self.request.slot.wrapping_shl(8) | u16::from(byte);
                self.state = State::MessageFile;
                return None;
            }
            State::MessageFile => &mut self.request.message_file,
            State::Sender => &mut self.request.sender,
            State::Recipient => &mut self.request.recipient,
        };
        if byte != 0 {
            if string.len() < STRING_LIMIT {
                string.push(byte);
            }
            return None;
        }
        self.state = match self.state {
            State::Slot | State::LowerSlot | State::MessageFile => State::Sender,
            State::Sender => State::Recipient,
            State::Recipient => State::Slot,
        };
        (self.state == State::Slot).then(|| std::mem::take(&mut self.request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders(stream: &[u8]) -> Vec<Order> {
        let mut decoder = RequestDecoder::default();
        let orders: Vec<Order> = stream.iter().flat_map(|byte| decoder.push(&[*byte])).collect();
        assert_eq!(orders, RequestDecoder::default().push(stream), "the pieces make no difference");
        orders
    }

    fn decode(stream: &[u8]) -> Vec<Request> {
        let deliveries = orders(stream).into_iter().map(|order| match order {
            Order::Deliver(request) => request,
            Order::Slots(wish) => panic!("{wish:?}"),
        });
        deliveries.collect()
    }

    #[test]
    fn more_slots_are_asked_for_once_and_have_two_bytes_then() {
        let deliver = b"\x01\x2c22/7\0s@h\0r@h\0";
        let stream = [&SlotRequest(301).encode()[..], deliver, b"\0\xff\0\0slots=400\0"].concat();
        let orders = orders(&stream);
        assert_eq!(orders[0], Order::Slots(SlotRequest(301)));
        let slots: Vec<u16> = orders[1..]
            .iter()
            .map(|order| match order {
                Order::Deliver(request) => request.slot,
                Order::Slots(wish) => panic!("{wish:?}"),
            })
            .collect();
        assert_eq!(slots, [300, 255]);
    }

    #[test]
    fn what_is_not_quite_the_wish_for_slots_is_a_bad_request() {
        for stream in [
            &b"\xff\0\0slots=120\0"[..],
            b"\xff\0\0slots=65536\0",
            b"\xff\0\0slots=\0",
            b"\xff\x31\0\0slots=300\0",
            b"\xff\0s\0slots=300\0",
            b"\xfe\0\0slots=300\0",
        ] {
            assert!(decode(stream)[0].check().is_err());
        }
    }

    #[test]
    fn requests_are_read_whatever_the_pieces_and_slot_0_is_a_slot() {
        let stream = b"\x0022/10086258\0tbob@mx.example.org\0r0@remote.example\0\x01half";
        let requests = decode(stream);
        let [request] = requests.as_slice() else { panic!("one complete request") };
        assert_eq!((request.slot, request.message_file.as_slice()), (0, &b"22/10086258"[..]));
        assert_eq!((request.local_part(), request.host()), (&b"r0"[..], &b"remote.example"[..]));
        assert_eq!(request.check(), Ok(()));
    }

    #[test]
    fn names_that_are_no_message_and_addresses_that_are_none_are_refused() {
        let refusal = |stream: &[u8]| decode(stream).first().unwrap().check().unwrap_err();
        assert!(
            refusal(b"\x01../../etc/passwd\0s\0r@h\0")
                .starts_with(b"DInternal error: messid has nonnumerics")
        );
        assert!(refusal(b"\x01/1\0s\0r@h\0").starts_with(b"DInternal error: messid has nonnumerics"));
        assert!(refusal(b"\x01\0s\0r@h\0").starts_with(b"DInternal error: messid too short"));
        let long = [b"\x01", vec![b'1'; 100].as_slice(), b"\0s\0r@h\0"].concat();
        assert!(refusal(&long).starts_with(b"DInternal error: messid too long"));
        assert!(refusal(b"\x011/1\0s\0nohost\0").starts_with(b"DSorry, address must include host name"));
    }

    /// B5
    #[test]
    fn b5_an_address_without_local_part_is_a_failure_not_a_delivery() {
        let requests = decode(b"\x011/1\0s\0@host\0");
        assert_eq!(requests[0].check(), Err(&b"DSorry, address must include a user name. (#5.1.3)\n"[..]));
    }
}
