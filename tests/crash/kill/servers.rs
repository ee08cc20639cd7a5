//! tcpserver, between the network and qmail-smtpd.
//!
//! Each point is one life of a server to which clients bring a message each, one after the other. A fault may cost the
//! connections that it hits, and it may end the server, which supervise would start again; but a server that goes on has to
//! take the mail of a later client. No client is left without an end of his connection.

use super::points::{Point, points};
use super::site::{Site, at_host, children_of, comes_true, in_shares, is_possible, judge_each};
use crate::ledger::{Ledger, Number};
use crate::report::{Report, Scope};
use crate::smtp_session::{Answer, answer, session};
use harness::Running;
use harness::fault::Order;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Stdio;
use std::time::Duration;
use unix::process::Pid;
use unix::signal::Signal;

const PROGRAM: &str = "tcpserver";
/// Clients of a life without a fault: the first has qmail-smtpd started, the second gets a copy that is there.
const CLIENTS: usize = 2;
/// Clients after whom a server that has accepted nothing from the last one counts as deaf.
const MOST_CLIENTS: usize = 5;
/// How long a client waits for the next byte.
const PATIENCE: Duration = Duration::from_secs(60);
/// Points between two recoveries.
const BATCH: usize = 100;

/// R7
#[test]
fn kill_tcpserver_at_any_call_and_what_was_accepted_is_delivered() {
    if !is_possible() {
        return;
    }
    let mut report = Report::new("kill", PROGRAM);
    let site = prepare();
    let life = live(&site, &Ledger::default(), Order::List);
    assert_eq!((life.messages, life.wrong), (CLIENTS, Vec::new()));
    let points = Scope::of_this_run().of(points(&site.listed(PROGRAM)), 40);
    in_shares(&points, &mut report, try_all);
    report.finish();
}

fn prepare() -> Site {
    let site = Site::new();
    site.make_faulty(PROGRAM);
    site
}

/// Tries some of the points, in an installation of their own.
fn try_all(points: &[Point]) -> Report {
    let (mut site, mut report) = (prepare(), Report::new("kill", PROGRAM));
    for batch in points.chunks(BATCH) {
        // For each message the point that it belongs to.
        let (ledger, mut names) = (Ledger::default(), Vec::new());
        for point in batch {
            let life = live(&site, &ledger, point.order());
            let seen = site.seen(PROGRAM);
            let name = format!("{point}, in this run {}", seen.as_deref().unwrap_or("none"));
            report.points(usize::from(seen.is_some()));
            life.wrong.iter().for_each(|what| report.wrong(&name, what));
            names.extend(std::iter::repeat_n(name, life.messages));
            site.forget_orders();
        }
        site.recover("a batch");
        report.acknowledged(ledger.acknowledged().len());
        if !names.is_empty() {
            judge_each(&mut report, &ledger, &names, "joe", site.take_delivered());
        }
        site.expect_no_bounce(&mut report);
    }
    site.collect_strays();
    report
}

/// What one life of a server came to.
#[derive(Default)]
struct Life {
    /// Messages that clients tried to bring.
    messages: usize,
    wrong: Vec<String>,
}

fn live(site: &Site, ledger: &Ledger, order: Order) -> Life {
    site.order(PROGRAM, order);
    let mut server = start(site);
    let mut life = Life::default();
    if let Some(port) = port_of(&mut server) {
        life.bring_mail(&mut server, port, ledger);
    }
    life.wrong.extend(end(site, server).err());
    life
}

impl Life {
    fn bring_mail(&mut self, server: &mut Running, port: u16, ledger: &Ledger) {
        while self.messages < MOST_CLIENTS {
            let Ok(connection) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { break };
            let number = ledger.draw();
            self.messages += 1;
            match bring(connection, number) {
                Ok(Answer::Accepted) => {
                    ledger.acknowledge(number);
                    if self.messages >= CLIENTS {
                        return;
                    }
                }
                Ok(Answer::Refused) => {}
                Ok(Answer::RefusedForEver) => self.wrong.push("refused for ever".to_owned()),
                Err(what) => self.wrong.push(what),
            }
        }
        if !comes_true(|| !server.is_alive()) {
            self.wrong.push("it goes on and takes no mail".to_owned());
        }
    }
}

fn start(site: &Site) -> Running {
    let bin = site.instance.path("bin");
    let mut command = site.instance.command(&bin.join(PROGRAM));
    command.args(["-1RHl0", "127.0.0.1", "0"]).arg(bin.join("qmail-smtpd")).env("RELAYCLIENT", "");
    Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()))
}

/// The port that it tells, if it comes so far and says so.
fn port_of(server: &mut Running) -> Option<u16> {
    let mut line = String::new();
    BufReader::new(server.child().stdout.take()?).read_line(&mut line).ok()?;
    line.trim_end().parse().ok()
}

/// Says everything at once, and what the server has answered in the end.
///
/// # Errors
/// The server neither answers nor closes the connection.
fn bring(mut connection: TcpStream, number: Number) -> Result<Answer, String> {
    let recipients = [at_host("joe")];
    // To a server that is gone one cannot say anything; what it had said before counts.
    let _ = connection.write_all(session(&[number], &at_host("sender"), &recipients).as_bytes());
    connection.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let mut heard = Vec::new();
    match connection.read_to_end(&mut heard) {
        Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {
            Err(format!("a client waits for ever, after {:?}", String::from_utf8_lossy(&heard)))
        }
        _ => Ok(answer(&String::from_utf8_lossy(&heard), &recipients)),
    }
}

/// Ends the server, if it still runs, and waits for all that it has started.
fn end(site: &Site, mut server: Running) -> Result<(), String> {
    // `faulty` is what was started, and its child is the server.
    for child in children_of(&server) {
        let _ = unix::process::kill(Pid::from_raw(child), Signal::SIGTERM);
    }
    site.end_of(&mut server)
}
