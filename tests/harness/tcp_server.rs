//! A `tcpserver` on a port of its own, its log, and connections to it.

use crate::{Running, scratch, wait_until};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A running server, ours or the reference one.
pub struct TcpServer {
    running: Running,
    port: u16,
    directory: tempfile::TempDir,
}

impl TcpServer {
    /// Starts `program -1v options host 0 command`, and waits until it listens.
    ///
    /// Inherited variables are kept, and these are added.
    pub fn start(
        program: &Path,
        options: &[&str],
        host: &str,
        command: &[&str],
        variables: &[(&str, &str)],
    ) -> TcpServer {
        let directory = scratch();
        let log = File::create(directory.path().join("log")).expect("a log file");
        let mut line = Command::new(program);
        line.arg("-1v").args(options).args([host, "0"]).args(command).envs(variables.iter().copied());
        line.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut running = Running::start(&mut line);
        let output = running.child().stdout.take().expect("a piped standard output");
        let mut text = String::new();
        BufReader::new(output).read_line(&mut text).expect("the port");
        let log = fs::read_to_string(directory.path().join("log")).expect("the log");
        let port = text.trim_end().parse().unwrap_or_else(|_| panic!("no port but {text:?}, {log}"));
        TcpServer { running, port, directory }
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process.
    pub fn running(&mut self) -> &mut Running {
        &mut self.running
    }

    /// A new connection.
    pub fn connect(&self, address: &str) -> TcpStream {
        let address: IpAddr = address.parse().expect("an address");
        let stream = TcpStream::connect((address, self.port)).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
        stream
    }

    /// Connects to 127.0.0.1, sends nothing, and returns all that is sent.
    pub fn ask(&self) -> String {
        finish(self.connect("127.0.0.1"))
    }

    /// The log so far.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.directory.path().join("log")).expect("the log");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until a line of the log begins with this; returns the line.
    pub fn logged(&self, start: &str) -> String {
        let find =
            || self.log().split_inclusive('\n').find(|line| line.starts_with(start)).map(str::to_owned);
        wait_until(start, || find().is_some_and(|line| line.ends_with('\n')));
        find().expect("the line that was found").trim_end().to_owned()
    }
}

/// Sends an end of input, and returns all that comes.
fn finish(mut stream: TcpStream) -> String {
    // The other side may be done before we are.
    let _ = stream.flush().and_then(|()| stream.shutdown(Shutdown::Write));
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}
