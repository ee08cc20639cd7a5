//! A DNS server with hand-made answers, for one test.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What the server knows about a name.
#[derive(Clone, Debug)]
pub enum Answer {
    /// These records; those of the type that is asked for, and aliases, are sent.
    Records(Vec<Record>),
    /// There is no such name.
    NoSuchName,
    /// The server failed.
    ServerFailure,
    /// A reply that says it is cut; a connection, to get the whole, is closed without an answer.
    Truncated,
    /// Bytes that are no reply.
    Garbage,
    /// No reply.
    Silence,
}

/// One record of a name.
#[derive(Clone, Debug)]
pub enum Record {
    /// An IPv4 or IPv6 address.
    Address(IpAddr),
    /// A mail exchanger.
    Exchanger(u16, String),
    /// An alias.
    Alias(String),
    /// A name, as addresses have under `in-addr.arpa`.
    Name(String),
    /// A text, of 255 bytes at most.
    Text(String),
}

/// A server on a port of 127.0.0.1, over UDP and TCP, gone when dropped.
pub struct DnsServer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// What is known, by name.
type Names = [(String, Answer)];

impl DnsServer {
    /// A server that knows these names. Others do not exist.
    pub fn start<'a>(names: impl IntoIterator<Item = (&'a str, Answer)>) -> DnsServer {
        let names: Vec<(String, Answer)> =
            names.into_iter().map(|(name, answer)| (name.to_ascii_lowercase(), answer)).collect();
        let (socket, listener) = sockets();
        let address = socket.local_addr().expect("the port's number");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || serve(&socket, &listener, &names, &stopped));
        DnsServer { address, stop, thread: Some(thread) }
    }

    /// What the variable DNSCACHEIP has to be.
    pub fn address(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A port for datagrams and connections. Neither is waited for longer than a moment.
fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of the loopback address");
        let Ok(socket) = UdpSocket::bind(listener.local_addr().expect("its number")) else { continue };
        listener.set_nonblocking(true).expect("a listener that does not wait");
        socket.set_read_timeout(Some(Duration::from_millis(5))).expect("a time-out");
        return (socket, listener);
    }
}

fn serve(socket: &UdpSocket, listener: &TcpListener, names: &Names, stopped: &AtomicBool) {
    let mut packet = [0; 4096];
    while !stopped.load(Ordering::SeqCst) {
        if let Ok((stream, _)) = listener.accept() {
            // A client that goes away has lost interest.
            let _ = serve_connection(stream, names);
        }
        let Ok((length, client)) = socket.recv_from(&mut packet) else { continue };
        let query = &packet[..length];
        if let Some(reply) = reply_to(query, names) {
            let is_long = reply.len() > DATAGRAM_LIMIT;
            let reply = if is_long { reply_with(query, &Answer::Truncated) } else { Some(reply) };
            let _ = reply.map(|reply| socket.send_to(&reply, client));
        }
    }
}

/// Answers queries, each with its length in front, until the client or an answer ends that.
fn serve_connection(mut stream: TcpStream, names: &Names) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    loop {
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut query)?;
        if matches!(answer_to(&query, names), Some(Answer::Truncated)) {
            return Ok(());
        }
        let Some(reply) = reply_to(&query, names) else { return Ok(()) };
        let length = u16::try_from(reply.len()).expect("a reply below 64 KiB").to_be_bytes();
        stream.write_all(&[&length[..], &reply].concat())?;
    }
}

/// What is known about the name that is asked for.
fn answer_to<'a>(query: &[u8], names: &'a Names) -> Option<&'a Answer> {
    let (name, _) = name_at(query, HEADER)?;
    Some(names.iter().find(|(known, _)| *known == name).map_or(&Answer::NoSuchName, |(_, answer)| answer))
}

/// The reply to a query, if there is to be one.
fn reply_to(query: &[u8], names: &Names) -> Option<Vec<u8>> {
    reply_with(query, answer_to(query, names)?)
}

fn reply_with(query: &[u8], answer: &Answer) -> Option<Vec<u8>> {
    let (_, end) = name_at(query, HEADER)?;
    let kind = u16::from_be_bytes([*query.get(end)?, *query.get(end + 1)?]);
    let question = query.get(HEADER..end + 4)?;
    let packet = |flags: u16, records: &[Vec<u8>]| {
        let count = u16::try_from(records.len()).expect("fewer than 65,536 records");
        let mut packet = query[..2].to_vec();
        for field in [flags, 1, count, 0, 0] {
            packet.extend_from_slice(&field.to_be_bytes());
        }
        packet.extend_from_slice(question);
        packet.extend(records.concat());
        packet
    };
    match answer {
        Answer::Records(records) => {
            let fitting: Vec<Vec<u8>> = records.iter().filter_map(|record| record.encode(kind)).collect();
            Some(packet(ANSWER, &fitting))
        }
        Answer::NoSuchName => Some(packet(ANSWER | 3, &[])),
        Answer::ServerFailure => Some(packet(ANSWER | 2, &[])),
        Answer::Truncated => Some(packet(ANSWER | 0x0200, &[])),
        Answer::Garbage => Some([&query[..2], b"\x81\x80\xff\xff\xff\xff\xc0\xc0\xc0"].concat()),
        Answer::Silence => None,
    }
}

impl Record {
    /// The record for the name in the question (a pointer to byte 12), if it has to do with this type.
    fn encode(&self, asked: u16) -> Option<Vec<u8>> {
        let (kind, data) = match self {
            Record::Address(IpAddr::V4(address)) => (1, address.octets().to_vec()),
            Record::Address(IpAddr::V6(address)) => (28, address.octets().to_vec()),
            Record::Exchanger(preference, host) => {
                (15, [&preference.to_be_bytes()[..], &encoded_name(host)].concat())
            }
            Record::Name(name) => (12, encoded_name(name)),
            Record::Text(text) => {
                let length = u8::try_from(text.len()).expect("a short text");
                (16, [&[length], text.as_bytes()].concat())
            }
            Record::Alias(target) => (5, encoded_name(target)),
        };
        let length = u16::try_from(data.len()).expect("a short record").to_be_bytes();
        let head = [&[0xc0, 12][..], &u16::to_be_bytes(kind), &[0, 1, 0, 0, 0, 60], &length].concat();
        (kind == asked || kind == 5).then(|| [head, data].concat())
    }
}

fn encoded_name(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).expect("a short label"));
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// The name that begins at a byte of a query, lower-case, and where it ends.
fn name_at(packet: &[u8], start: usize) -> Option<(String, usize)> {
    let (mut at, mut labels) = (start, Vec::new());
    loop {
        let length = usize::from(*packet.get(at)?);
        let label = packet.get(at + 1..at + 1 + length)?;
        at += 1 + length;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
    }
}

const HEADER: usize = 12;
/// What a datagram may hold; a longer reply needs a connection.
const DATAGRAM_LIMIT: usize = 1232;
/// A reply, recursion desired and available.
const ANSWER: u16 = 0x8180;
