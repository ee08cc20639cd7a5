//! The load: Postfix's smtp-source sends messages of one size in many sessions at a time, and says when it is done.

use super::PARALLEL;
use super::arrivals::{Destination, last_arrival};
use super::server::Server;
use harness::{Call, installed};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

/// Bytes of a message, without its header.
const SIZE: usize = 4096;

/// How many messages, and how many of them in a connection.
#[derive(Clone, Copy)]
pub struct Load {
    /// Messages of one run.
    pub messages: usize,
    /// Whether a session sends all its messages over one connection, or makes a new one for each.
    pub keeps_connections: bool,
}

/// What one run has shown.
pub struct Figures {
    /// Messages a second, from the first connection until the last message was acknowledged.
    pub accepted: f64,
    /// Messages a second, from the first connection until the last message was where it belongs.
    pub delivered: f64,
    /// Milliseconds of processor time for a message, of all processes of the mail system.
    pub processor: f64,
    /// Memory of all processes at the peak, in kB.
    pub memory: f64,
}

impl Load {
    /// Sends the messages through the server; all of them have to arrive.
    pub fn run(self, server: &Server, destination: &dyn Destination) -> Figures {
        destination.clear();
        let used_before = server.group.processor_time();
        let (memory, (accepted, delivered)) = server.group.peak_memory(|| {
            let start = SystemTime::now();
            self.send(&server.doors, &destination.address());
            let accepted = since(start, SystemTime::now());
            let delivered = since(start, last_arrival(destination, self.messages));
            (accepted, delivered)
        });
        // What is still to be done for a message that has arrived belongs to its price.
        server.wait_until_idle();
        let used = server.group.processor_time() - used_before;
        let messages = count(self.messages);
        Figures {
            accepted: messages / accepted.as_secs_f64(),
            delivered: messages / delivered.as_secs_f64(),
            processor: used.as_secs_f64() * 1e3 / messages,
            memory: count(usize::try_from(memory).expect("kilobytes that fit the machine")),
        }
    }

    /// Sends the messages in twenty sessions at a time, as many at each door.
    fn send(self, doors: &[SocketAddr], recipient: &str) {
        let (sessions, messages) = (PARALLEL / doors.len(), self.messages / doors.len());
        let rest = self.messages - messages * doors.len();
        std::thread::scope(|scope| {
            for (place, door) in doors.iter().enumerate() {
                let messages = if place == 0 { messages + rest } else { messages };
                scope.spawn(move || self.source(*door, sessions, messages, recipient));
            }
        });
    }

    /// smtp-source gives up, and so fails, at the first reply that is not the expected one.
    fn source(self, door: SocketAddr, sessions: usize, messages: usize, recipient: &str) {
        let program = installed("smtp-source").expect("smtp-source beside smtp-sink");
        let (sessions, messages, size) = (sessions.to_string(), messages.to_string(), SIZE.to_string());
        let mut call = Call::path(&program).args(["-s", &sessions, "-m", &messages, "-l", &size]);
        call = call.args(["-M", "client.example", "-f", "sender@client.example", "-t", recipient]);
        if self.keeps_connections {
            call = call.arg("-d");
        }
        let outcome = call.arg(format!("inet:{door}")).run();
        assert_eq!(outcome.code, 0, "{}", outcome.err_text());
    }
}

fn since(start: SystemTime, end: SystemTime) -> Duration {
    end.duration_since(start).expect("a clock that goes forward")
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).expect("a small number"))
}
