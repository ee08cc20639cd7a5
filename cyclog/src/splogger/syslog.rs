//! The socket of syslogd, and the form in which it takes entries (RFC 3164, as syslog(3) writes it).

use super::pieces::{Piece, Severity};
use std::io::{self, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use unix::local_time::{self, LocalTime};
use unix::stamp::Stamp;

/// Where syslogd listens.
const SOCKET: &str = "/dev/log";
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A way to syslogd, found again if it gets lost.
pub struct Syslog<'a> {
    tag: &'a [u8],
    facility: u8,
    connection: Option<Connection>,
    /// Entries that nobody took since the last one that somebody did.
    lost: u64,
}

enum Connection {
    Datagrams(UnixDatagram),
    /// Entries end with a NUL.
    Stream(UnixStream),
}

impl<'a> Syslog<'a> {
    /// Nothing is connected until there is something to say.
    pub fn new(tag: &'a [u8], facility: u8) -> Syslog<'a> {
        Syslog { tag, facility, connection: None, lost: 0 }
    }

    /// Logs an entry. While no syslogd is there it is lost; the next one that gets through says how many were.
    pub fn log(&mut self, piece: &Piece) {
        if self.lost > 0 {
            let now = Stamp::now();
            let (seconds, microseconds, lost) = (now.seconds, now.microseconds(), self.lost);
            let text =
                format!("{seconds}.{microseconds:06} warning: splogger: {lost} lines lost without syslogd");
            if self.send(&Piece { severity: Severity::Warning, text: text.into_bytes() }).is_ok() {
                self.lost = 0;
            }
        }
        if self.lost > 0 || self.send(piece).is_err() {
            self.lost = self.lost.saturating_add(1);
        }
    }

    /// Sends an entry, on a new connection if the old one does not take it: syslogd may have been restarted.
    fn send(&mut self, piece: &Piece) -> io::Result<()> {
        let entry = self.entry(piece, local_time::at(Stamp::now().seconds));
        if let Some(connection) = &mut self.connection
            && connection.send(&entry).is_ok()
        {
            return Ok(());
        }
        self.connection = None;
        let mut connection = Connection::open(Path::new(SOCKET))?;
        connection.send(&entry)?;
        self.connection = Some(connection);
        Ok(())
    }

    /// `<PRIORITY>Mmm dd hh:mm:ss TAG: TEXT`.
    fn entry(&self, piece: &Piece, time: Option<LocalTime>) -> Vec<u8> {
        let priority = u16::from(self.facility) * 8 + u16::from(piece.severity as u8);
        let head = format!("<{priority}>{}", time.as_ref().map(date).unwrap_or_default());
        [head.as_bytes(), self.tag, b": ", &piece.text].concat()
    }
}

fn date(time: &LocalTime) -> String {
    let month =
        usize::from(time.month).checked_sub(1).and_then(|at| MONTHS.get(at)).copied().unwrap_or("???");
    format!("{month} {:2} {:02}:{:02}:{:02} ", time.day, time.hour, time.minute, time.second)
}

impl Connection {
    fn open(path: &Path) -> io::Result<Connection> {
        let socket = UnixDatagram::unbound()?;
        match socket.connect(path) {
            Ok(()) => Ok(Connection::Datagrams(socket)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(error),
            // Some syslogd listen for connections.
            Err(_) => Ok(Connection::Stream(UnixStream::connect(path)?)),
        }
    }

    fn send(&mut self, entry: &[u8]) -> io::Result<()> {
        match self {
            Connection::Datagrams(socket) => socket.send(entry).map(|_| ()),
            Connection::Stream(stream) => stream.write_all(&[entry, b"\0"].concat()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_begins_with_its_number_and_the_local_time() {
        let time = LocalTime { year: 2026, month: 11, day: 2, hour: 4, minute: 29, second: 7 };
        let piece = Piece { severity: Severity::Warning, text: b"1.000002 warning: x".to_vec() };
        let entry = Syslog::new(b"qmail", 2).entry(&piece, Some(time));
        assert_eq!(entry, b"<20>Nov  2 04:29:07 qmail: 1.000002 warning: x");
    }
}
