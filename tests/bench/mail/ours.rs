//! Our mail system as root installs it: the services qmail and smtpd, each with its log, each program as its account.

use super::server::{Server, Site, door};
use super::{HOST, PARALLEL};
use harness::{Installation, free_port};
use std::fs;

/// What the tables call it.
pub const NAME: &str = "qmail";

/// Starts it. None if it cannot be installed here.
///
/// The service smtpd is told not to ask for the client's name by DNS nor for its user by ident (`-H -R -l`), as the others
/// are. `concurrencylocal` and `concurrencyremote` are those of the others too; all else is as installed.
pub fn start(site: &Site) -> Option<Server> {
    let mut installation = Installation::new()?;
    let port = free_port();
    let run = installation.path("service/smtpd/run");
    let script = fs::read_to_string(&run).expect("the script");
    let script = script
        .replace("HOST=0\nPORT=smtp\n", &format!("HOST=127.0.0.1\nPORT={port}\n"))
        .replace("exec tcpserver -v ", &format!("exec tcpserver -v -H -R -l {HOST} "));
    harness::put_program(&run, script);
    for (name, text) in [
        ("concurrencylocal", PARALLEL.to_string()),
        ("concurrencyremote", PARALLEL.to_string()),
        ("smtproutes", format!(":127.0.0.1:{}", site.sink.port)),
    ] {
        fs::write(installation.path("control").join(name), text + "\n").expect("a setting");
    }
    let queue = ["mess", "todo", "info", "local", "remote", "bounce"];
    let queue = queue.iter().map(|part| installation.path("queue").join(part)).collect();
    Server::start(NAME, vec![door(port)], queue, move || {
        installation.start("qmail");
        installation.start("smtpd");
        Box::new(installation)
    })
}
