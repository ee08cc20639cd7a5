//! A connection with deadlines: what is not sent, or not answered, in time has failed, however busily the
//! other side dribbles.

use super::reply::{Reply, ReplyReader};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use unix::poll::{self, Interest};

/// A connection to a server.
pub struct Connection {
    stream: TcpStream,
    timeout: Duration,
    /// What has arrived and not been looked at, from `next` on.
    arrived: Vec<u8>,
    next: usize,
}

impl Connection {
    /// Takes over a stream. Each reply has to be complete, and each write done, within `timeout`.
    pub fn new(stream: TcpStream, timeout: Duration) -> io::Result<Connection> {
        stream.set_nonblocking(true)?;
        // A command is one write, and what it waits for is the reply.
        stream.set_nodelay(true)?;
        Ok(Connection { stream, timeout, arrived: Vec::new(), next: 0 })
    }

    /// Reads one reply.
    pub fn read_reply(&mut self) -> io::Result<Reply> {
        let deadline = Instant::now() + self.timeout;
        let mut reader = ReplyReader::default();
        loop {
            while let Some(byte) = self.arrived.get(self.next) {
                self.next = self.next.saturating_add(1);
                match reader.take(*byte) {
                    Ok(None) => {}
                    Ok(Some(reply)) => return Ok(reply),
                    Err(_) => return Err(ErrorKind::InvalidData.into()),
                }
            }
            self.receive(deadline)?;
        }
    }

    fn receive(&mut self, deadline: Instant) -> io::Result<()> {
        let mut buffer = [0; 4096];
        let length =
            until(deadline, || (&self.stream).read(&mut buffer), || self.wait(Interest::Read, deadline))?;
        if length == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.arrived.clear();
        self.arrived.extend(buffer.iter().take(length));
        self.next = 0;
        Ok(())
    }

    /// Sends all of this.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_within(self.timeout, bytes)
    }

    /// Sends QUIT if it can be sent at once; nobody waits for the answer.
    pub fn quit(&mut self) {
        let _ = self.write_within(self.timeout.min(QUIT_TIMEOUT), b"QUIT\r\n");
    }

    fn write_within(&mut self, timeout: Duration, bytes: &[u8]) -> io::Result<()> {
        let deadline = Instant::now() + timeout;
        let mut left = bytes;
        while !left.is_empty() {
            let sent =
                until(deadline, || (&self.stream).write(left), || self.wait(Interest::Write, deadline))?;
            left = left.get(sent..).unwrap_or_default();
        }
        Ok(())
    }

    fn wait(&self, interest: Interest, deadline: Instant) -> io::Result<bool> {
        let left = deadline.saturating_duration_since(Instant::now());
        poll::wait_one(self.stream.as_fd(), interest, Some(left))
    }
}

/// Tries an operation on a descriptor that does not block until it is done, fails, or the time is over.
fn until(
    deadline: Instant,
    mut operation: impl FnMut() -> io::Result<usize>,
    wait: impl Fn() -> io::Result<bool>,
) -> io::Result<usize> {
    loop {
        match operation() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if !wait()? && Instant::now() >= deadline {
                    return Err(ErrorKind::TimedOut.into());
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// How long a report is held up to say goodbye.
const QUIT_TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    fn connected(timeout: Duration) -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (Connection::new(stream, timeout).unwrap(), listener.accept().unwrap().0)
    }

    #[test]
    fn replies_that_arrive_together_are_read_one_by_one() {
        let (mut connection, mut server) = connected(Duration::from_secs(10));
        server.write_all(b"250 one\r\n250-two\r\n250 three\r\n").unwrap();
        assert_eq!(connection.read_reply().unwrap().text(), b"250 one\n");
        assert_eq!(connection.read_reply().unwrap().text(), b"250-two\n250 three\n");
        drop(server);
        assert_eq!(connection.read_reply().unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_server_that_dribbles_is_given_up() {
        let (mut connection, mut server) = connected(Duration::from_millis(100));
        let dribble = std::thread::spawn(move || {
            // Never a line's end; the write fails when the other side has gone.
            while server.write_all(b"2").is_ok() {
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        assert_eq!(connection.read_reply().unwrap_err().kind(), ErrorKind::TimedOut);
        drop(connection);
        dribble.join().unwrap();
    }

    #[test]
    fn a_server_that_does_not_read_is_given_up() {
        let (mut connection, server) = connected(Duration::from_millis(50));
        let far_too_much = vec![b'x'; 64 * 1024 * 1024];
        assert_eq!(connection.write(&far_too_much).unwrap_err().kind(), ErrorKind::TimedOut);
        drop(server);
    }
}
