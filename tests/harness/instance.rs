//! One installation of the whole suite, made by `qmail-setup` in a scratch directory, and what runs in it.
//!
//! It belongs to one user: whoever runs the test, or nobody's uid when that is root. So the same tests run in
//! CI and on a desk.

use crate::{Call, Running, TcpServer, is_root, program, program_names, programs, scratch, wait_until};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, Write};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;
use unix::process::Pid;
use unix::signal::Signal;

/// The name of the installation's host.
pub const HOST: &str = "mail.example.org";
/// How long a queue may take to become empty when everything in it is due, and how often that is looked at.
const DRAINED_WITHIN: Duration = Duration::from_secs(60);
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);
const LOOKS_BETWEEN_ALARMS: usize = 10;
/// Who owns the installation when the test runs as root: nobody's number.
const ORDINARY_UID: u32 = 65_534;

/// An installation, with the queue manager once it is started. All its processes end with it.
pub struct Instance {
    directory: tempfile::TempDir,
    home: PathBuf,
    manager: Option<Manager>,
}

enum Manager {
    /// qmail-start, which became qmail-send.
    Alone(Running),
    /// supervise with the service directory `service/qmail`.
    Supervised(Running),
}

/// The number of the user that installations belong to.
pub fn owner_uid() -> u32 {
    if is_root() { ORDINARY_UID } else { unix::account::effective_uid() }
}

impl Instance {
    /// An installation, configured for [`HOST`], in which nothing runs.
    pub fn new() -> Instance {
        Instance::at(scratch())
    }

    /// The same in memory, for tests of so many messages that the disk would take all the time.
    pub fn in_memory() -> Instance {
        Instance::at(crate::scratch_in_memory())
    }

    /// The same with its home, `mail`, in a directory of the test's own: a file system, say, that is then copied.
    pub fn within(place: &Path) -> Instance {
        Instance::installed(scratch(), place.join("mail"))
    }

    /// What [`within`](Instance::within) has left in a directory: the same one, or a copy.
    pub fn found_within(place: &Path) -> Instance {
        Instance { directory: crate::scratch_in_memory(), home: place.join("mail"), manager: None }
    }

    fn at(directory: tempfile::TempDir) -> Instance {
        let home = directory.path().join("mail");
        Instance::installed(directory, home)
    }

    fn installed(directory: tempfile::TempDir, home: PathBuf) -> Instance {
        if !home.is_dir() {
            fs::create_dir(&home).expect("a home");
        }
        hand_over(&home);
        let instance = Instance { directory, home, manager: None };
        instance.install();
        let outcome = instance.setup("config", &[HOST]);
        assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
        instance
    }

    /// Installs (again) what is missing.
    pub fn install(&self) {
        let outcome = self.setup("install", &[]);
        assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    }

    /// Calls qmail-setup for this home.
    pub fn setup(&self, verb: &str, arguments: &[&str]) -> crate::Outcome {
        let setup = installable(self.directory.path()).join("qmail-setup");
        as_owner(Call::path(&setup)).arg(verb).arg(&self.home).args(arguments).run()
    }

    /// A path below the home.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    /// A path beside the home, for the test's own files.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A call of one of its programs by its owner, with nothing in the environment but PATH.
    pub fn call(&self, name: &str) -> Call {
        as_owner(Call::path(&self.path("bin").join(name))).env_clear().env("PATH", self.search_path())
    }

    fn search_path(&self) -> String {
        format!("{}/bin:/usr/bin:/bin", self.home.display())
    }

    /// A command, run by the owner in its environment, for what [`call`](Instance::call) does not offer.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", self.search_path()).current_dir("/");
        if is_root() {
            command.uid(ORDINARY_UID).gid(ORDINARY_UID);
        }
        command
    }

    /// Writes a file of the owner's.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        hand_over(&path);
        path
    }

    /// Says what happens to mail for `EXT@HOST`: nobody else has that address, so it is an alias.
    pub fn alias(&self, ext: &str, instructions: &str) {
        self.write(&format!("alias/.qmail-{ext}"), instructions);
    }

    /// Makes a mailbox for `NAME@HOST`; its maildir.
    pub fn mailbox(&self, name: &str) -> PathBuf {
        let maildir = self.path("alias").join(name);
        let outcome = self.call("maildirmake").arg(&maildir).run();
        assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
        self.alias(name, &format!("./{name}/\n"));
        maildir
    }

    /// Queues a message with qmail-queue itself; its exit status.
    pub fn enqueue(&self, sender: &str, recipients: &[&str], message: impl AsRef<[u8]>) -> i32 {
        self.run_queue(&mut self.queue_command(), message.as_ref(), &envelope(sender, recipients))
    }

    /// qmail-queue, not called yet.
    pub fn queue_command(&self) -> Command {
        self.command(&self.path("bin/qmail-queue"))
    }

    /// Runs a command that is or becomes qmail-queue; its exit status.
    pub fn run_queue(&self, command: &mut Command, message: &[u8], envelope: &[u8]) -> i32 {
        self.start_queue(command, message, envelope).wait()
    }

    /// Starts a command that is or becomes qmail-queue.
    pub fn start_queue(&self, command: &mut Command, message: &[u8], envelope: &[u8]) -> Running {
        command.stdin(file_of(message)).stdout(file_of(envelope)).stderr(Stdio::null());
        Running::start(command)
    }

    /// Starts qmail-start, and waits until it is ready.
    pub fn start(&mut self) {
        let mut command = self.command(&self.path("bin/qmail-start"));
        command.arg("./Maildir/").stdin(Stdio::null()).stdout(self.open_log()).stderr(Stdio::null());
        let starts = self.starts();
        self.manager = Some(Manager::Alone(Running::start(&mut command)));
        self.wait_until_ready(starts);
    }

    /// Starts supervise with the service `qmail`, and waits until that is ready.
    pub fn start_supervised(&mut self) {
        let mut command = self.command(&self.path("bin/supervise"));
        command.arg(self.path("service/qmail")).stdin(Stdio::null());
        command.stdout(self.open_log()).stderr(self.open_log());
        let starts = self.starts();
        self.manager = Some(Manager::Supervised(Running::start(&mut command)));
        self.wait_until_ready(starts);
    }

    fn wait_until_ready(&self, starts: usize) {
        let is_ready = crate::settles(|| self.starts() > starts);
        assert!(is_ready, "qmail-send is not ready: {:?}\n{}", self.processes(), self.log());
    }

    /// How often qmail-send was ready so far: it says so with a line that nothing comes before.
    fn starts(&self) -> usize {
        self.log().lines().filter(|line| line.starts_with("status: local 0/")).count()
    }

    /// Ends the queue manager as an administrator would, and checks that it ended well and that nobody is left.
    pub fn stop(&mut self) {
        match self.manager.take() {
            None => {}
            Some(Manager::Alone(mut running)) => {
                running.signal(Signal::SIGTERM);
                assert_eq!(running.wait(), 0, "{}", self.log());
            }
            Some(Manager::Supervised(mut running)) => {
                let outcome = self.call("svc").arg("-dx").arg(self.path("service/qmail")).run();
                assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
                assert_eq!(running.wait(), 0);
            }
        }
        assert!(self.log().ends_with("status: exiting\n"), "{}", self.log());
        wait_until("all processes have ended", || self.processes().is_empty());
    }

    /// Sends qmail-send a signal. A child of its that is about to become qmail-queue goes by the same name for a moment.
    pub fn signal(&self, signal: Signal) {
        if let Some(Manager::Alone(running)) = &self.manager {
            return running.signal(signal);
        }
        let pid = self.pid_of("qmail-send").expect("a qmail-send that runs");
        unix::process::kill(Pid::from_raw(pid), signal).expect("a process to signal");
    }

    /// Its tcpserver, which runs one of its network programs on 127.0.0.1 as its owner. It ends before the installation does.
    pub fn serve(&self, options: &[&str], program: &str, variables: &[(&str, &str)]) -> TcpServer {
        let uid = owner_uid().to_string();
        let identity: &[&str] = if is_root() { &["-u", &uid, "-g", &uid] } else { &[] };
        let program = self.path("bin").join(program);
        let command = [program.to_str().expect("an ASCII path")];
        TcpServer::start(
            &self.path("bin/tcpserver"),
            &[options, identity].concat(),
            "127.0.0.1",
            &command,
            variables,
        )
    }

    /// What qmail-send wrote so far.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8(bytes).expect("a log of ASCII")
    }

    /// Forgets what was logged so far.
    pub fn clear_log(&self) {
        self.open_log().set_len(0).expect("an empty log");
    }

    /// Waits until this part of a line was logged.
    pub fn wait_for_log(&self, part: &str) {
        wait_until(&format!("{part:?} in the log"), || self.log().contains(part));
    }

    fn log_path(&self) -> PathBuf {
        self.beside("log")
    }

    fn open_log(&self) -> File {
        let opened = OpenOptions::new().create(true).append(true).open(self.log_path());
        opened.expect("a log file")
    }

    /// The files in the queue, without those that are always there: `mess/3/26` and so on, sorted.
    pub fn queue(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        collect(&self.path("queue"), "", &mut found);
        found.retain(|name| !name.starts_with("lock/") && !name.starts_with("queuectl/"));
        found
    }

    /// The files of messages that are accepted and not delivered.
    pub fn waiting(&self) -> Vec<String> {
        let mut found = BTreeSet::new();
        for part in ["todo", "info"] {
            collect(&self.path("queue").join(part), &format!("{part}/"), &mut found);
        }
        found.into_iter().collect()
    }

    /// Starts the queue manager, has everything delivered, and stops it.
    ///
    /// Only a queue in which nothing runs is known to be empty. In one that works a bounce may pass from todo to info, and
    /// its cause out of info, while todo and info are listed one after the other.
    ///
    /// # Errors
    /// What does not leave the queue.
    pub fn deliver_everything(&mut self) -> Result<(), String> {
        loop {
            self.start();
            let mut looks = 0_usize;
            let seems_empty = crate::settles_within(DRAINED_WITHIN, BETWEEN_LOOKS, || {
                // A delivery that failed is deferred; nobody wants to wait for its next turn.
                if looks.is_multiple_of(LOOKS_BETWEEN_ALARMS) {
                    self.signal(Signal::SIGALRM);
                }
                looks += 1;
                self.waiting().is_empty()
            });
            if !seems_empty {
                return Err(format!("stays: {:?}\n{}", self.queue(), self.log()));
            }
            self.stop();
            if self.waiting().is_empty() {
                return Ok(());
            }
        }
    }

    /// Waits until the queue is empty.
    pub fn wait_until_delivered(&self) {
        if !crate::settles(|| self.queue().is_empty()) {
            panic!("the queue is not empty: {:?}\n{}", self.queue(), self.log());
        }
    }

    /// The running programs of this installation, with their names.
    pub fn processes(&self) -> Vec<(i32, String)> {
        processes_in(&self.path("bin"))
    }

    /// The process of that program with the lowest number.
    pub fn pid_of(&self, name: &str) -> Option<i32> {
        self.processes().into_iter().find(|(_, program)| program == name).map(|(pid, _)| pid)
    }

    /// Kills one process of that program, if there is one, with no chance to clean up.
    pub fn kill(&self, name: &str) -> bool {
        let pid = self.pid_of(name).map(Pid::from_raw);
        pid.is_some_and(|pid| unix::process::kill(pid, Signal::SIGKILL).is_ok())
    }
}

impl Default for Instance {
    fn default() -> Instance {
        Instance::new()
    }
}

impl Drop for Instance {
    /// supervise goes first, or it would start again what is killed here.
    fn drop(&mut self) {
        self.manager = None;
        for (pid, _) in self.processes() {
            let _ = unix::process::kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        // A directory that cannot be removed while somebody ends in it.
        let _ = crate::settles(|| self.processes().is_empty());
    }
}

/// Whether a process is a program that is kept and copies itself: it waits at a socket, for which it leaves lower numbers free. A copy of
/// it that stays for a while has the standard descriptors there as well, which it puts back.
pub fn is_kept(pid: i32) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    // What it has inherited from whoever started it is not closed on exec.
    let is_its_own = |number: u32| {
        let flags = fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")).unwrap_or_default();
        let flags = flags.lines().find_map(|line| line.strip_prefix("flags:\t0")).unwrap_or_default();
        u32::from_str_radix(flags, 8).is_ok_and(|flags| flags & O_CLOEXEC != 0)
    };
    let is_socket = |number: &u32| {
        fs::read_link(format!("/proc/{pid}/fd/{number}"))
            .is_ok_and(|link| link.as_os_str().as_encoded_bytes().starts_with(b"socket:"))
    };
    let numbers = descriptors.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let high: Vec<u32> = numbers.filter(|number| *number >= 16 && is_its_own(*number)).collect();
    !high.is_empty() && high.iter().all(is_socket)
}

/// open(2), in the form of /proc/PID/fdinfo.
const O_CLOEXEC: u32 = 0o2_000_000;

/// The running programs that lie in a directory, by process number. One whose place `faulty` has is not called `.real`.
pub fn processes_in(bin: &Path) -> Vec<(i32, String)> {
    let name_of = |pid: i32| {
        let program = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
        let name = program.strip_prefix(bin).ok()?.to_str()?;
        Some((pid, name.trim_end_matches(" (deleted)").trim_end_matches(".real").to_owned()))
    };
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut found: Vec<(i32, String)> = pids.filter_map(name_of).collect();
    found.sort();
    found
}

/// The envelope as qmail-queue reads it.
fn envelope(sender: &str, recipients: &[&str]) -> Vec<u8> {
    let recipients: String = recipients.iter().map(|recipient| format!("T{recipient}\0")).collect();
    format!("F{sender}\0{recipients}\0").into_bytes()
}

/// A file without a name that holds these bytes, to be read from its beginning.
fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).and_then(|()| file.rewind()).expect("its contents");
    file
}

/// A call made by the owner of installations.
pub fn as_owner(mut call: Call) -> Call {
    if is_root() {
        call.command().uid(ORDINARY_UID).gid(ORDINARY_UID);
    }
    call
}

fn hand_over(path: &Path) {
    if is_root() {
        chown(path, Some(ORDINARY_UID), Some(ORDINARY_UID)).expect("an owner");
    }
}

fn collect(directory: &Path, prefix: &str, found: &mut BTreeSet<String>) {
    // A directory that the test has closed, or a file that went away while we looked.
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), &format!("{name}/"), found);
        } else {
            found.insert(name);
        }
    }
}

/// A directory below `place` with all our programs, to install from.
///
/// Anybody may read it, wherever the source tree lies, and the programs come without debug symbols: forty of
/// them with symbols are more than a gigabyte for each installation.
pub fn installable(place: &Path) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let directory = place.join("programs");
    if directory.is_dir() {
        return directory;
    }
    let guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let stripped = programs().join("installable");
    fs::create_dir_all(&stripped).expect("a directory for programs");
    fs::create_dir(&directory).expect("a directory for programs");
    for name in program_names() {
        let (built, small) = (program(&name), stripped.join(&name));
        if modified(&small).is_none_or(|time| Some(time) < modified(&built)) {
            strip(&built, &small);
        }
    }
    drop(guard);
    place_all(&stripped, &directory);
    directory
}

/// All programs of a directory into another one: by another name where that is possible, and as copies elsewhere, all of
/// them by one process that is not this one; see [`put_program`](crate::put_program).
fn place_all(from: &Path, to: &Path) {
    let names = program_names();
    if names.iter().all(|name| fs::hard_link(from.join(name), to.join(name)).is_ok()) {
        return;
    }
    let files = names.iter().map(|name| from.join(name));
    let copied = Command::new("install").args(["-m", "0755", "-t"]).arg(to).args(files).status();
    assert!(copied.is_ok_and(|status| status.success()), "install to {}", to.display());
}

fn modified(path: &Path) -> Option<std::time::SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

fn strip(built: &Path, small: &Path) {
    // The old one may be linked from an installation that still runs, and another run of tests may be here too.
    let unfinished = small.with_extension(std::process::id().to_string());
    let done = Command::new("strip").arg("-o").arg(&unfinished).arg(built).status();
    if !done.is_ok_and(|status| status.success()) {
        crate::copy_to_run(built, &unfinished);
    }
    fs::rename(&unfinished, small).expect("a program in its place");
}
