//! `qmail-remote` HOST SENDER RECIPIENT…: sends one message to one host by SMTP.
//!
//! Reads    fd 0: the message · control/{me,helohost,smtproutes,timeoutconnect,timeoutremote} · DNS ·
//!          queue/lock/tcpto.
//! Writes   fd 1: a record for each recipient and one for the message; see [`report`] · queue/lock/tcpto.
//! Runs as  qmailr.   Trusts  qmail-rspawn for its arguments, no host that it talks to for anything.
//! Exits    0, whatever happened; the records tell.
//! Manual   qmail-remote(8).    Next in the flow: the other host; `send` reads the records.

pub mod body;
pub mod envelope;
pub mod exchangers;
pub mod message;
pub mod own_addresses;
pub mod report;
pub mod route;
pub mod smtp_client;
pub mod tcpok;
pub mod tcpto;
pub mod timeout_table;

use crate::control::{Control, NameMap, Unreadable};
use crate::queue::layout;
use crate::setup::home::Home;
use body::Measure;
use envelope::Envelope;
use message::Message;
use own_addresses::OwnAddresses;
use report::{MessageReport, RecipientReport};
use route::Route;
use smtp_client::Outcome;
use smtp_client::connection::Connection;
use smtp_client::dialogue::{Dialogue, Hello};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use tcpserver::dns::Resolver;
use timeout_table::{Standing, TimeoutTable};
use unix::failure::Failure;
use unix::process;
use unix::program::{Exit, Invocation};
use unix::stamp::Stamp;

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let (recipients, message) = match deliver(&invocation.arguments) {
        Ok(reports) => reports,
        Err(report) => (Vec::new(), report),
    };
    let mut records: Vec<u8> = recipients.iter().flat_map(RecipientReport::to_record).collect();
    records.extend(message.to_record());
    let unable = |error: io::Error| Failure::temporary("unable to write the report").because(&error);
    unix::descriptor::output().write_all(&records).map_err(unable)?;
    Ok(Exit::SUCCESS)
}

/// What a host said about each recipient and about the message.
type Reports = (Vec<RecipientReport>, MessageReport);

/// The delivery from arguments to reports. What goes wrong before a host was talked to is an error.
fn deliver(arguments: &[Vec<u8>]) -> Result<Reports, MessageReport> {
    let [host, sender, recipients @ ..] = arguments else { return Err(MessageReport::Misused) };
    if recipients.is_empty() {
        return Err(MessageReport::Misused);
    }
    let home = Home::of_this_program().map_err(|_| MessageReport::NoHome)?;
    let settings = Settings::read(&Control::new(home.control()))?;
    let envelope = Envelope::new(sender, recipients)?;
    let route = Route::to(host, &settings.smtproutes);
    let addresses = addresses(&route)?;
    let mut message = Message::on_standard_input().map_err(|_| MessageReport::Unreadable)?;
    let measure = message.measure().map_err(|_| MessageReport::Unreadable)?;
    let table = TimeoutTable::at(home.queue().join(layout::TCPTO));
    let delivery = Delivery { settings: &settings, envelope: &envelope, port: route.port, measure, table };
    delivery.run(&addresses, &mut message)
}

/// What the control files say.
struct Settings {
    own_name: Vec<u8>,
    smtproutes: NameMap,
    connect: Duration,
    remote: Duration,
}

impl Settings {
    fn read(control: &Control) -> Result<Settings, MessageReport> {
        let read = || -> Result<Option<Settings>, Unreadable> {
            let Some(own_name) = control.line_or_me("helohost")? else { return Ok(None) };
            // A file with CR LF line ends must not become a command with two CRs.
            let own_name = own_name.into_iter().filter(|byte| !byte.is_ascii_control()).collect();
            let smtproutes = control.map("smtproutes")?;
            let connect = seconds(control.integer("timeoutconnect", 60)?);
            let remote = seconds(control.integer("timeoutremote", 1200)?);
            Ok(Some(Settings { own_name, smtproutes, connect, remote }))
        };
        read().ok().flatten().ok_or(MessageReport::NoControls)
    }
}

/// A time-out of some seconds, one at least. More than a week is a mistake that no clock has to bear.
fn seconds(number: u64) -> Duration {
    Duration::from_secs(number.clamp(1, 7 * 24 * 3600))
}

/// The addresses to try, best first; never none.
fn addresses(route: &Route) -> Result<Vec<IpAddr>, MessageReport> {
    let own = OwnAddresses::of_this_machine().map_err(|_| MessageReport::NoResources)?;
    if let Some(address) = route.literal() {
        return exchangers::for_literal(address, route, &own);
    }
    let resolver = Resolver::from_system().map_err(|_| MessageReport::DnsTrouble)?;
    let seed = RandomState::new().hash_one(route.port);
    exchangers::for_name(route, &own, &resolver, seed)
}

/// One delivery whose addresses are known.
struct Delivery<'a> {
    settings: &'a Settings,
    envelope: &'a Envelope,
    port: u16,
    measure: Option<Measure>,
    table: TimeoutTable,
}

impl Delivery<'_> {
    /// Talks to the first host that accepts a connection, and to no other: what it says is final.
    fn run(&self, addresses: &[IpAddr], message: &mut Message) -> Result<Reports, MessageReport> {
        let start = Instant::now();
        for address in addresses {
            let standing = self.table.standing(*address, now(), process::own_pid().as_raw().unsigned_abs());
            if standing == Standing::Avoided {
                continue;
            }
            match self.connect(*address) {
                Ok(connection) => {
                    if standing == Standing::Suspect {
                        self.table.note_success(*address);
                    }
                    return Ok(self.talk(*address, connection, message));
                }
                Err(error) if error.kind() == ErrorKind::TimedOut => self.table.note_timeout(*address, now()),
                Err(_) => {}
            }
            if start.elapsed() >= CONNECTING_LIMIT {
                break;
            }
        }
        Err(MessageReport::NoConnection)
    }

    fn connect(&self, address: IpAddr) -> io::Result<Connection> {
        let peer = SocketAddr::new(address, self.port);
        Connection::new(TcpStream::connect_timeout(&peer, self.settings.connect)?, self.settings.remote)
    }

    fn talk(&self, peer: IpAddr, mut connection: Connection, message: &mut Message) -> Reports {
        match self.session(peer, Hello::AsAnnounced, &mut connection, message) {
            Outcome::Reported(recipients, report) => (recipients, report),
            Outcome::HeloOnly => {
                drop(connection);
                self.talk_plainly(peer, message)
            }
        }
    }

    /// A second session with a server that hung up on EHLO.
    fn talk_plainly(&self, peer: IpAddr, message: &mut Message) -> Reports {
        let died = MessageReport::Died { peer, possible_duplicate: false };
        let Ok(mut connection) = self.connect(peer) else { return (Vec::new(), died) };
        match self.session(peer, Hello::Plain, &mut connection, message) {
            Outcome::Reported(recipients, report) => (recipients, report),
            Outcome::HeloOnly => (Vec::new(), died),
        }
    }

    fn session(
        &self,
        peer: IpAddr,
        hello: Hello,
        connection: &mut Connection,
        message: &mut Message,
    ) -> Outcome {
        let dialogue = Dialogue::new(peer, &self.settings.own_name, self.envelope, self.measure, hello);
        smtp_client::run(dialogue, connection, message)
    }
}

fn now() -> u64 {
    Stamp::now().seconds
}

/// After this time no further address is tried: a host with many dead ones must not hold a slot for hours.
const CONNECTING_LIMIT: Duration = Duration::from_secs(600);
