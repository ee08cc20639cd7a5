//! A host as the FAQ knows it, below a directory of the test's.

use crate::network::Place;
use harness::{
    Installation, OrdinaryUser, Running, Script, SmtpPeer, free_port, scratch, settles, skipped, uid_of,
    wait_until,
};
use std::fs::{self, File};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A real installation, with its accounts, and whoever types commands as root.
///
/// Nothing outside its directory is written. `/var/qmail`, `/var/run/…`, `/var/log/…`, `/etc/…` and `/usr/local/bin/…` in what
/// is typed are the installation and directories beside it.
pub struct Site {
    /// Ends whatever runs in it, so it goes first.
    installation: Installation,
    scratch: tempfile::TempDir,
    /// Where commands run, if that is not where the test does.
    place: Option<Place>,
}

impl Site {
    /// Makes it, or says why that is not possible.
    pub fn new() -> Option<Site> {
        Some(Site { installation: Installation::new()?, scratch: beside(), place: None })
    }

    /// The same for a host of a [network](crate::network), which has no name yet.
    pub fn in_network(place: Place) -> Option<Site> {
        let installation = Installation::without_home()?;
        installation.must(&["install", &installation.home()]);
        Some(Site { installation, scratch: beside(), place: Some(place) })
    }

    /// The installation.
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// The numbers that tcpserver gets to run qmail-smtpd: the user qmaild, the group nofiles.
    pub fn smtp_account(&self) -> (u32, u32) {
        let group = unix::account::find_group("nofiles").expect("the groups").expect("the group nofiles");
        (uid_of("qmaild"), group)
    }

    /// Where something is that the FAQ has at this path.
    pub fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(self.placed(path))
    }

    /// The text with its paths put where they are.
    pub fn placed(&self, text: &str) -> String {
        let bin = self.installation.path("bin");
        let beside = |name: &str| self.scratch.path().join(name).display().to_string();
        let places = [
            ("/var/qmail", self.installation.home()),
            ("/usr/local/bin/", format!("{}/", bin.display())),
            ("/var/run/", beside("run/")),
            ("/var/log/", beside("log/")),
            ("/etc/", beside("etc/")),
        ];
        // All at once: a path that was put in may hold another one.
        let mut rest = text;
        let mut placed = String::new();
        while let Some((start, from, to)) = places
            .iter()
            .filter_map(|(from, to)| rest.find(from).map(|start| (start, *from, to)))
            .min_by_key(|(start, _, _)| *start)
        {
            placed.push_str(&rest[..start]);
            placed.push_str(to);
            rest = &rest[start + from.len()..];
        }
        placed + rest
    }

    /// Writes a file.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::write(&path, self.placed(text)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// The bytes of a file; none if it is not there.
    pub fn read(&self, path: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(path)).unwrap_or_default()).into_owned()
    }

    /// Writes a program.
    pub fn write_program(&self, path: &str, text: &str) {
        harness::put_program(&self.path(path), self.placed(text));
    }

    /// Root types this into a shell, which has to succeed; what it printed. What it leaves in the background runs on.
    pub fn types(&self, text: &str) -> String {
        let (code, output) = self.tries(text);
        assert_eq!(code, 0, "{text}: {output}");
        output
    }

    /// The same, with the exit status.
    pub fn tries(&self, text: &str) -> (i32, String) {
        let output = tempfile::NamedTempFile::new().expect("a file for the output");
        let file = |file: &File| file.try_clone().expect("the file for the output");
        let words = self.place.as_ref().map_or(["/bin/sh", "-c"].map(str::to_owned).to_vec(), Place::shell);
        let mut shell = Command::new(&words[0]);
        shell.args(&words[1..]).arg(self.placed(text));
        shell.env_clear().env("PATH", self.search_path()).current_dir("/");
        shell.stdin(Stdio::null()).stdout(file(output.as_file())).stderr(file(output.as_file()));
        let code = Running::start(&mut shell).wait();
        let text = fs::read(output.path()).expect("the output");
        (code, String::from_utf8_lossy(&text).into_owned())
    }

    fn search_path(&self) -> String {
        format!("{}/bin:/usr/sbin:/usr/bin:/sbin:/bin", self.installation.home())
    }

    /// The process of that program, once there is one.
    pub fn pid_of(&self, name: &str) -> i32 {
        let find = || {
            let processes = self.installation.processes();
            processes.into_iter().find(|(_, program)| program == name).map(|(pid, _)| pid)
        };
        let mut found = None;
        wait_until(&format!("{name} runs"), || {
            found = find();
            found.is_some()
        });
        found.expect("the process that was found")
    }

    /// Waits until no such program runs.
    pub fn wait_for_end_of(&self, name: &str) {
        let runs = || self.installation.processes().iter().any(|(_, program)| program == name);
        wait_until(&format!("{name} has ended"), || !runs());
    }

    /// Starts qmail as at boot, with its log in a file, and waits until it is ready.
    pub fn boots(&self) {
        self.boots_by("qmail-start ./Mailbox >>/var/log/qmail 2>&1 &");
    }

    /// The same for packages of Debian, which know one home alone, `/var/lib/qmail`. Whether that is possible here; if not,
    /// it is said aloud.
    pub fn boots_with_debians_home(&self) -> bool {
        self.boots_where(DEBIANS_HOME)
    }

    /// Starts qmail as at boot where these mounts were made, for it and its children alone. Whether that is possible here; if
    /// not, it is said aloud.
    pub fn boots_where(&self, mounts: &str) -> bool {
        if self.tries(&with_mounts(mounts, "true")).0 != 0 {
            skipped("no mount namespace of our own");
            return false;
        }
        let start = with_mounts(mounts, "exec qmail-start ./Mailbox");
        self.boots_by(&format!("{start} >>/var/log/qmail 2>&1 &"));
        true
    }

    /// Types a command where these mounts were made; what it printed.
    pub fn types_where(&self, mounts: &str, command: &str) -> String {
        self.types(&with_mounts(mounts, command))
    }

    /// Types a command that knows `/var/lib/qmail` and `/etc`.
    pub fn types_with_debians_home(&self, command: &str) {
        self.types_where(DEBIANS_HOME, &format!("mount --bind /etc/ /etc && {command}"));
    }

    fn boots_by(&self, text: &str) {
        let starts = || self.read(LOG).matches("status: local 0/").count();
        let before = starts();
        self.types(text);
        wait_until("qmail-send is ready", || starts() > before);
    }

    /// Gives qmail-send a HUP.
    pub fn gives_a_hup(&self) {
        self.types(&format!("kill -HUP {}", self.pid_of("qmail-send")));
    }

    /// Runs qmail-smtpd under tcpserver on a port of its own, with these options.
    pub fn serves_smtp(&self, options: &str) -> u16 {
        let port = free_port();
        let (uid, gid) = self.smtp_account();
        self.types(&format!(
            "tcpserver {options} -u {uid} -g {gid} 127.0.0.1 {port} /var/qmail/bin/qmail-smtpd >>/var/log/smtpd 2>&1 &"
        ));
        wait_until("it listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        port
    }

    /// Runs qmail-smtpd on port 25 of a host in a network, as the answer 5.1 has it, with these options.
    pub fn serves_smtp_as_a_host(&self, options: &str) {
        let (uid, gid) = self.smtp_account();
        self.types(&format!(
            "tcpserver {options} -u {uid} -g {gid} 0 smtp /var/qmail/bin/qmail-smtpd >>/var/log/smtpd 2>&1 &"
        ));
        wait_until("it listens", || self.tries("tcpclient -HRl0 127.0.0.1 25 true").0 == 0);
    }

    /// Where other hosts of its network reach it.
    pub fn address(&self) -> &str {
        &self.place.as_ref().expect("a host of a network").address
    }

    /// Runs inetd, which knows no service yet; false, said aloud, without it. `mounts` are made for it alone.
    pub fn runs_inetd(&self, mounts: &str) -> bool {
        if harness::installed("inetd").is_none() {
            skipped("inetd is not installed");
            return false;
        }
        if self.tries(&format!("unshare -m sh -c '{mounts}true'")).0 != 0 {
            skipped("no mount namespace of our own");
            return false;
        }
        self.write("/etc/inetd.conf", "");
        self.types(&format!(
            "unshare -m sh -c '{mounts}echo $$ >/var/run/inetd.pid; exec inetd -i /etc/inetd.conf' >>/var/log/inetd 2>&1 &"
        ));
        true
    }

    /// Puts a line into inetd.conf, with a port of ours for the service that is named in it, and gives inetd a HUP; the port.
    pub fn tells_inetd(&self, service: &str, line: &str) -> u16 {
        let port = free_port();
        let line = line.strip_prefix(service).expect("a line that begins with the service");
        self.write("/etc/inetd.conf", &format!("127.0.0.1:{port}{line}\n"));
        // One that has only just begun would be ended by the signal.
        wait_until("inetd minds HUP", || minds_hup(&self.read("/var/run/inetd.pid")));
        let listens = || {
            self.types("kill -HUP $(cat /var/run/inetd.pid)");
            pause();
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        };
        wait_until("inetd listens", listens);
        port
    }

    /// Runs qmail-smtpd behind inetd, tcpd with this hosts.allow, and tcp-env, as the answer 5.4 has it; the port. None, said
    /// aloud, without them.
    pub fn serves_smtp_by_inetd(&self, hosts_allow: &str) -> Option<u16> {
        let Some(tcpd) = harness::installed("tcpd") else {
            skipped("tcpd is not installed");
            return None;
        };
        self.write("/etc/hosts.allow", hosts_allow);
        // In place of the file that tcpd knows, for this inetd and its children alone.
        if !self.runs_inetd("mount --bind /etc/hosts.allow $(echo /etc)/hosts.allow && ") {
            return None;
        }
        let tcpd = tcpd.display();
        let line =
            format!("smtp stream tcp nowait qmaild {tcpd} /var/qmail/bin/tcp-env /var/qmail/bin/qmail-smtpd");
        Some(self.tells_inetd("smtp", &line))
    }

    /// Mail for a domain, or for all others if that is empty, goes to a server that takes so many messages.
    pub fn routes(&self, domain: &str, messages: usize) -> SmtpPeer {
        let replies =
            ["220 next.example", "250 next.example", "250 ok", "250 ok", "354 go", "250 ok", "221 bye"];
        let scripts = vec![Script::new(replies); messages];
        let peer = SmtpPeer::start("127.0.0.1", scripts).expect("a server");
        let route = format!("{domain}:[127.0.0.1]:{}\n", peer.port());
        let routes = self.read("/var/qmail/control/smtproutes");
        self.write("/var/qmail/control/smtproutes", &(routes + &route));
        peer
    }

    /// An account of the system, with its home beside the installation. No two tests may have the same name.
    pub fn user(&self, name: &str) -> OrdinaryUser {
        OrdinaryUser::new(name, self.scratch.path())
    }

    /// Waits until nothing is in the queue.
    pub fn delivers_all(&self) {
        assert!(settles(|| self.queue_is_empty()), "{}", self.read(LOG));
    }

    /// What the postmaster has got: all that is delivered to the alias user without other instructions.
    pub fn postmasters_mailbox(&self) -> String {
        self.read("/var/qmail/alias/Mailbox")
    }

    /// Queues a message from `sender`, by qmail-inject.
    pub fn sends(&self, sender: &str, recipient: &str, subject: &str) {
        self.types(&format!(
            "printf 'Subject: {subject}\\n\\nx\\n' | /var/qmail/bin/qmail-inject -f '{sender}' {recipient}"
        ));
    }

    /// Waits until a file has this text.
    pub fn wait_for_text(&self, path: &str, part: &str) {
        let is_there = || self.read(path).contains(part);
        assert!(settles(is_there), "no {part:?} in {path}: {}", self.read(path));
    }

    /// Whether any message is in the queue.
    pub fn queue_is_empty(&self) -> bool {
        let mess = self.installation.path("queue/mess");
        let parts = fs::read_dir(mess).expect("the queue").flatten();
        parts.flat_map(|part| fs::read_dir(part.path()).into_iter().flatten()).next().is_none()
    }
}

/// The directories beside an installation.
fn beside() -> tempfile::TempDir {
    let beside = scratch();
    for name in ["run", "log", "etc"] {
        let path = beside.path().join(name);
        fs::create_dir(&path).expect("a directory of the site");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
    }
    beside
}

/// Whether a process catches HUP, as /proc has it: the lowest bit of a mask.
fn minds_hup(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// The installation as `/var/lib/qmail`.
const DEBIANS_HOME: &str = "mount -t tmpfs none /var/lib && ln -s /var/qmail /var/lib/qmail";

/// A command that sees these mounts, as nobody else does.
fn with_mounts(mounts: &str, command: &str) -> String {
    format!("unshare -m sh -c '{mounts} && {command}'")
}

impl Drop for Site {
    /// inetd is none of the installation's programs, which end with that.
    fn drop(&mut self) {
        if let Ok(pid) = self.read("/var/run/inetd.pid").trim().parse() {
            let _ = unix::process::kill(unix::process::Pid::from_raw(pid), unix::signal::Signal::SIGKILL);
        }
    }
}

/// What a next host heard: the session, as text.
pub fn heard(peer: &SmtpPeer) -> String {
    String::from_utf8_lossy(&peer.heard()).into_owned()
}

/// Where [`boots`](Site::boots) logs to.
const LOG: &str = "/var/log/qmail";

/// All files in a log directory, the oldest first, and what they hold.
pub fn log_files(directory: &Path) -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(directory).expect("a log directory").flatten();
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"@")))
        .collect();
    paths.sort();
    // A file that rotation removes meanwhile holds nothing any more.
    let read =
        |path: PathBuf| fs::read(&path).ok().map(|text| (path, String::from_utf8_lossy(&text).into_owned()));
    paths.into_iter().filter_map(read).collect()
}

/// Long enough that something which is not to happen would have happened.
pub fn pause() {
    std::thread::sleep(Duration::from_millis(300));
}
