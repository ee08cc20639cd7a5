//! OpenSMTPD as Debian packages it. Its package excludes Postfix's, so it is unpacked and not installed
//! (`tests/install-needed bench`), and sees its files where it looks for them in a mount namespace of its own.
//!
//! Connections to the next host and deliveries to one user are as many as the others may make. By default it pauses between
//! connections and holds back all but fifty messages to one host, with which it makes half of the connections: neither is
//! wanted here. Its resolver is told to ask no DNS. What it cannot be told is not to check that a local recipient exists.
//!
//! As it comes it syncs what it writes into a maildir, and nothing in its queue (by strace, version 6.8.0p2): a power cut may
//! take what it has accepted. To make the promise that the others make, its queue gets the attribute S of chattr(1),
//! with which each write and each change of a name waits for the disk.

use super::server::{Server, Site};
use super::{HOST, PARALLEL};
use harness::{Call, Running, free_port, installed};
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where its package is unpacked.
const UNPACKED: &str = "/usr/local/lib/opensmtpd-bench";

/// With a queue that waits for the disk.
pub const DURABLE: &str = "OpenSMTPD+S";
/// With a queue that does not.
pub const AS_IT_COMES: &str = "OpenSMTPD";

/// Starts it. None if it is not there, or the file system does not know the attribute.
pub fn start_durable(site: &Site) -> Option<Server> {
    let chattr = installed("chattr")?;
    let place = site.directory(DURABLE);
    let spool = directory(&place, "spool");
    // What is created in the directory inherits it.
    let outcome = Call::path(&chattr).arg("+S").arg(&spool).run();
    if outcome.code == 0 { start(DURABLE, site, &place) } else { None }
}

/// Starts it. None if it is not there.
pub fn start_as_it_comes(site: &Site) -> Option<Server> {
    let place = site.directory(AS_IT_COMES);
    directory(&place, "spool");
    start(AS_IT_COMES, site, &place)
}

fn directory(place: &Path, name: &str) -> PathBuf {
    let path = place.join(name);
    fs::create_dir(&path).expect("a directory");
    path
}

fn start(name: &'static str, site: &Site, place: &Path) -> Option<Server> {
    let package = Path::new(UNPACKED);
    let (program, unshare) = (package.join("usr/sbin/smtpd"), installed("unshare")?);
    if !program.is_file() {
        return None;
    }
    let port = free_port();
    let (spool, run) = (place.join("spool"), directory(place, "run"));
    let settings = place.join("smtpd.conf");
    fs::write(&settings, smtpd_conf(port, site.sink.port)).expect("smtpd.conf");
    let resolv = place.join("resolv.conf");
    fs::write(&resolv, "lookup file\n").expect("resolv.conf");
    let log = File::create(place.join("log")).expect("a log");
    let mut command = Command::new(unshare);
    // In the foreground it logs to standard error.
    command.args(["--mount", "/bin/sh", "-ec", IN_PLACE, &program.display().to_string()]);
    command.args([&package.join("usr/libexec"), &package.join("var/lib"), &spool, &run, &resolv, &settings]);
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("the log")).stderr(log);
    let queue = ["queue", "incoming"].iter().map(|part| spool.join("smtpd").join(part)).collect();
    Server::start(name, DOORS.map(|address| SocketAddr::from((address, port))).to_vec(), queue, move || {
        Box::new(Running::start(&mut command))
    })
}

/// It keeps no more than five connections waiting (`listen(2)`), and no setting changes that. A sixth client that comes before it
/// has accepted one waits a second until TCP tries again, and so would most of twenty; with a few at each of several
/// addresses none does.
const DOORS: [Ipv4Addr; 4] = [
    Ipv4Addr::new(127, 0, 0, 1),
    Ipv4Addr::new(127, 0, 0, 2),
    Ipv4Addr::new(127, 0, 0, 3),
    Ipv4Addr::new(127, 0, 0, 4),
];

/// Puts the package's files and the scratch directories where the program, `$0`, looks for them; and a resolv.conf, which is
/// a link into `/run` on some systems.
const IN_PLACE: &str = r#"
mount --bind "$1" /usr/libexec
mount --bind "$2" /var/lib
mount --bind "$3" /var/spool
mount --bind "$4" /run
resolv=$(readlink -m /etc/resolv.conf)
[ -e "$resolv" ] || { mkdir -p "${resolv%/*}" && : >"$resolv"; }
mount --bind "$5" "$resolv"
exec "$0" -d -f "$6"
"#;

fn smtpd_conf(port: u16, sink: u16) -> String {
    let listen: String =
        DOORS.iter().map(|address| format!("listen on {address} port {port} hostname {HOST}\n")).collect();
    format!(
        "smtp limit max-mails 1000\n\
         mda limit max-session-per-user {PARALLEL}\n\
         mda limit task-hiwat 1000\n\
         mda limit task-lowat 100\n\
         mda limit task-release 1000\n\
         mta limit max-conn-per-host {PARALLEL}\n\
         mta limit max-conn-per-route {PARALLEL}\n\
         mta limit conn-delay-route 0\n\
         mta limit conn-delay-relay 0\n\
         mta limit task-hiwat 1000\n\
         mta limit task-lowat 100\n\
         mta limit task-release 1000\n\
         {listen}\
         action \"local\" maildir\n\
         action \"relay\" relay host \"smtp+notls://127.0.0.1:{sink}\"\n\
         match from any for domain \"{HOST}\" action \"local\"\n\
         match from any for any action \"relay\"\n"
    )
}
