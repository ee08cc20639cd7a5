//! Connections served in a second, what each costs, and what the server keeps in memory: our tcpserver, the reference one and
//! tcpsvd of ipsvd. Clients are twenty threads on the loopback; the program that is run exits at once.

use crate::compare::{Better, Comparison, Trial};
use harness::figures::{processor_time, resident};
use harness::{Call, Running, free_port, installed, program, put_program, scratch, wait_until};
use std::io::Read;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const CLIENTS: u32 = 20;
/// Connections of one measurement.
const CONNECTIONS: u32 = 1_000;
/// Short and many: what else the machine does then falls on all alike.
const ROUNDS: usize = 15;
const IDLE: usize = 1_000;

/// The four comparisons: rates with two programs and with rules, processor time, memory.
pub fn run() -> Vec<Comparison> {
    let place = scratch();
    let tiny = tiny_program(place.path());
    let rules = ten_thousand_rules(place.path());
    let rules = ["-x", rules.as_str()];
    let rate = |title: &str, goal: f64, servers: &[Server]| {
        let trials = servers.iter().map(|server| Trial::new(server.name, || server.rate())).collect();
        Comparison::run(title, "connections/s", Better::More, goal, ROUNDS, trials)
    };
    let plain = servers(&[], &tiny);
    let tables = vec![
        rate("tcpserver: a program of 130 bytes", 1.3, &plain),
        Comparison::run(
            "tcpserver: processor time for a connection, program of 130 bytes",
            "µs, server and children",
            Better::Less,
            1.0,
            ROUNDS,
            plain.iter().map(|server| Trial::new(server.name, || server.cost())).collect(),
        ),
        // Nine tenths of the time are the start of /bin/true itself, with its loader and library, which is the same for all.
        rate("tcpserver: /bin/true", 1.0, &servers(&[], "/bin/true")),
        rate("tcpserver: 10,000 rules, a program of 130 bytes", 1.3, &servers(&rules, &tiny)),
    ];
    tables.into_iter().chain([memory()]).collect()
}

/// Resident memory of the server itself, with connections that do nothing.
fn memory() -> Comparison {
    // Every connection is a descriptor of ours.
    unix::limits::raise_open_files().expect("as many descriptors as there may be");
    let servers = servers(&["-c", "1100", "-b", "1100"], "/bin/cat");
    let idle = |server: &Server| {
        let connections: Vec<TcpStream> = (0..IDLE).map(|_| server.connect()).collect();
        wait_until("all children", || server.children() == IDLE);
        let kibibytes = resident(server.running.pid()) / 1024;
        drop(connections);
        wait_until("their ends", || server.children() == 0);
        f64::from(u32::try_from(kibibytes).expect("a small server"))
    };
    let trials = servers.iter().map(|server| Trial::new(server.name, || idle(server))).collect();
    Comparison::run("tcpserver: resident with 1,000 idle connections", "KiB", Better::Less, 1.5, 3, trials)
}

/// A server that runs for the whole comparison.
struct Server {
    name: &'static str,
    running: Running,
    port: u16,
}

/// Ours, and those that are installed; tcpsvd has no rules, nor options by these names.
fn servers(options: &[&str], command: &str) -> Vec<Server> {
    let mut servers = vec![Server::tcpserver("tcpserver", &program("tcpserver"), options, command)];
    if let Some(reference) = installed("tcpserver") {
        servers.push(Server::tcpserver("tcpserver of ucspi-tcp", &reference, options, command));
    }
    if options.is_empty()
        && let Some(tcpsvd) = installed("tcpsvd")
    {
        let port = free_port();
        let mut line = Command::new(tcpsvd);
        // It looks names up unless it is told this one's.
        line.args(["-l", "0", "-c", "40", "127.0.0.1", &port.to_string(), command]);
        servers.push(Server::start("tcpsvd of ipsvd", line, port));
    }
    servers
}

impl Server {
    fn tcpserver(name: &'static str, program: &Path, options: &[&str], command: &str) -> Server {
        let port = free_port();
        let mut line = Command::new(program);
        line.arg("-HRl0").args(options).args(["127.0.0.1", &port.to_string(), command]);
        Server::start(name, line, port)
    }

    fn start(name: &'static str, mut line: Command, port: u16) -> Server {
        line.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let running = Running::start(&mut line);
        wait_until("a server that listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Server { name, running, port }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).expect("a connection")
    }

    /// Connections served in a second.
    fn rate(&self) -> f64 {
        let start = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    for _ in 0..CONNECTIONS / CLIENTS {
                        let mut text = Vec::new();
                        self.connect().read_to_end(&mut text).expect("the end of the connection");
                    }
                });
            }
        });
        f64::from(CONNECTIONS) / start.elapsed().as_secs_f64()
    }

    /// Processor time of one connection in microseconds.
    fn cost(&self) -> f64 {
        let before = processor_time(self.running.pid());
        self.rate();
        wait_until("the last end", || self.children() == 0);
        let spent = processor_time(self.running.pid()).saturating_sub(before);
        spent.as_secs_f64() * 1e6 / f64::from(CONNECTIONS)
    }

    fn children(&self) -> usize {
        let pid = self.running.pid();
        let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        list.expect("a running server").split_whitespace().count()
    }
}

/// A program that costs its server as little as any can: `exit(0)` in machine code, without a library or a loader.
///
/// On other processors it is /bin/true.
fn tiny_program(directory: &Path) -> String {
    if !cfg!(target_arch = "x86_64") {
        return String::from("/bin/true");
    }
    const BASE: u64 = 0x0040_0000;
    const HEADERS: u64 = 64 + 56;
    // xor edi, edi · mov eax, 60 · syscall
    let code = [0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05];
    let size = HEADERS + code.len() as u64;
    let wide = |numbers: &[u64]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
    let halves =
        |numbers: &[u16]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
    let elf = [
        b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec(),
        // An executable for x86-64, version 1.
        halves(&[2, 62, 1, 0]),
        wide(&[BASE + HEADERS, 64, 0]),
        // No flags; the sizes of the headers, and one program header.
        halves(&[0, 0, 64, 56, 1, 0, 0, 0]),
        // Load the whole file, to be read and run.
        halves(&[1, 0, 5, 0]),
        wide(&[0, BASE, BASE, size, size, 4096]),
        code.to_vec(),
    ];
    let path = directory.join("tiny");
    put_program(&path, elf.concat());
    path.display().to_string()
}

/// A database in which the client's rule is the last of all that it is looked up by.
fn ten_thousand_rules(directory: &Path) -> String {
    let networks =
        (0..9_999).map(|number| format!("10.{}.{}.:allow,RELAYCLIENT=\"\"\n", number >> 8, number & 255));
    let rules: String = networks.chain([String::from(":allow\n")]).collect();
    let made = Call::ours("tcprules").within(directory).args(["r.cdb", "r.tmp"]).input(rules).run();
    assert_eq!(made.code, 0, "{}", made.err_text());
    directory.join("r.cdb").display().to_string()
}
