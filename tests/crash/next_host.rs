//! The next host for remote mail: an SMTP server that keeps every message that it said yes to.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The server; its threads end with the test program.
pub struct NextHost {
    port: u16,
    kept: Arc<Mutex<Vec<String>>>,
    is_silent: Arc<AtomicBool>,
}

impl NextHost {
    /// One on a port of 127.0.0.1.
    pub fn start() -> NextHost {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("its number").port();
        let host = NextHost { port, kept: Arc::default(), is_silent: Arc::default() };
        let (kept, is_silent) = (Arc::clone(&host.kept), Arc::clone(&host.is_silent));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, is_silent) = (Arc::clone(&kept), Arc::clone(&is_silent));
                std::thread::spawn(move || {
                    while is_silent.load(Ordering::Relaxed) {
                        std::thread::sleep(Duration::from_millis(10));
                    }
                    // A client that was killed breaks off.
                    let _ = serve(stream, &kept);
                });
            }
        });
        host
    }

    /// What `control/smtproutes` has to be for all remote mail to come here.
    pub fn route(&self) -> String {
        format!(":127.0.0.1:{}\n", self.port)
    }

    /// Greets nobody until it is told otherwise.
    pub fn be_silent(&self, silent: bool) {
        self.is_silent.store(silent, Ordering::Relaxed);
    }

    /// The messages it said yes to, with LF at the end of lines.
    pub fn messages(&self) -> Vec<String> {
        self.kept.lock().expect("the messages").clone()
    }

    /// Forgets them.
    pub fn forget(&self) {
        self.kept.lock().expect("the messages").clear();
    }
}

fn serve(stream: TcpStream, kept: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    writer.write_all(b"220 next.example\r\n")?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        let verb = line.trim_end().to_ascii_uppercase();
        line.clear();
        if verb == "DATA" {
            writer.write_all(b"354 go on\r\n")?;
            let Some(text) = read_message(&mut reader)? else { return Ok(()) };
            // Before the answer: what the client was told is what is here.
            kept.lock().expect("the messages").push(text);
        }
        writer.write_all(if verb == "QUIT" { b"221 bye\r\n" } else { b"250 ok\r\n" })?;
    }
    Ok(())
}

/// The message, unless the connection ended within it.
fn read_message(reader: &mut impl BufRead) -> std::io::Result<Option<String>> {
    let (mut text, mut line) = (String::new(), String::new());
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end_matches("\r\n");
        if line == "." {
            return Ok(Some(text));
        }
        text.push_str(line.strip_prefix('.').unwrap_or(line));
        text.push('\n');
    }
}
