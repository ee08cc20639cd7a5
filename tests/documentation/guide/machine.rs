//! A fresh machine, and what is typed there.

use super::blocks::Prompt;
use harness::{Running, installable, program_names, scratch, source_tree};
use std::fs;
use std::io::{Read, Write};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// Root's shell on a machine of its own, as the script `guide/machine` makes it, gone when dropped.
pub struct Machine {
    _shell: Running,
    input: ChildStdin,
    output: Receiver<Vec<u8>>,
    _place: tempfile::TempDir,
}

/// What a command left.
#[derive(Debug)]
pub struct Outcome {
    /// Its exit status.
    pub code: i32,
    /// Output and errors, as they came.
    pub printed: String,
}

/// How long a command may take. Not a claim about speed.
const PATIENCE: Duration = Duration::from_secs(60);
/// Stands before the exit status of a command; none prints it.
const END: char = '\u{1}';

impl Machine {
    /// A machine where DNS has these records. Debian's packages are there, and qmail is not.
    pub fn start(zone: &str) -> Machine {
        let place = scratch();
        let programs = installable(place.path());
        for name in program_names() {
            assert!(programs.join(&name).is_file(), "{name} was not built");
        }
        let (root, file) = (place.path().join("machine"), place.path().join("zone"));
        fs::create_dir(&root).expect("a directory");
        fs::write(&file, format!("{zone}\n")).expect("the zone");
        let mut command = Command::new("unshare");
        command.args(NAMESPACES).arg("/bin/sh").arg(source_tree().join("tests/documentation/guide/machine"));
        command.arg(&root).arg(&programs).arg(source_tree()).arg(&file);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut shell = Running::start(&mut command);
        let input = shell.child().stdin.take().expect("a pipe");
        let mut pipe = shell.child().stdout.take().expect("a pipe");
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = pipe.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Machine { _shell: shell, input, output, _place: place }
    }

    /// Types a command, and waits for its end. What it leaves in the background runs on.
    pub fn types(&mut self, prompt: Prompt, command: &str) -> Outcome {
        let command = match prompt {
            Prompt::Root => command.to_owned(),
            Prompt::Client => format!("{CLIENT} bash -c '{}'", command.replace('\'', r"'\''")),
        };
        let line = format!("{{ {command}\n}} </dev/null 2>&1; printf '{END}%d{END}' $?\n");
        self.input.write_all(line.as_bytes()).expect("a shell that listens");
        let mut bytes = Vec::new();
        loop {
            match self.output.recv_timeout(PATIENCE) {
                Ok(more) => bytes.extend(more),
                Err(RecvTimeoutError::Timeout) => panic!("no end: {}", String::from_utf8_lossy(&bytes)),
                Err(RecvTimeoutError::Disconnected) => panic!("the machine has stopped: {command}"),
            }
            let text = String::from_utf8_lossy(&bytes);
            if let Some((printed, code)) =
                text.strip_suffix(END).and_then(|text| text.rsplit_once(END)).filter(|_| text.ends_with(END))
            {
                let code = code.parse().expect("an exit status");
                return Outcome { code, printed: printed.to_owned() };
            }
        }
    }
}

/// What a machine has for itself, until its first process ends with `unshare`.
const NAMESPACES: [&str; 7] =
    ["--mount", "--net", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc"];
/// Runs a command at the other computer.
const CLIENT: &str = "nsenter --target $(cat /run/other-computer) --net --uts \
                      setpriv --reuid 2000 --regid 2000 --clear-groups env --chdir=/tmp HOME=/tmp";

/// What keeps a machine from being made here.
pub fn obstacle() -> Option<String> {
    if !harness::is_root() {
        return Some("only root can make a machine of its own".to_owned());
    }
    let missing = PROGRAMS.iter().find(|name| harness::installed(name).is_none());
    if let Some(name) = missing {
        return Some(format!("{name} is not installed"));
    }
    let mut trial = Command::new("unshare");
    trial.args(NAMESPACES).args(["sh", "-c", TRIAL]).stdout(Stdio::null()).stderr(Stdio::null());
    let possible = trial.status().is_ok_and(|status| status.success());
    (!possible).then(|| "namespaces, layers of files or network cables are not possible here".to_owned())
}

/// Whether files can be laid over others, and cables be laid.
const TRIAL: &str = "mount -t tmpfs none /mnt && mkdir /mnt/upper /mnt/work /mnt/root && \
    mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work none /mnt/root && \
    ip link add eth0 type veth peer name eth1";
/// What the machine is made with, and what the guide has from Debian.
const PROGRAMS: &[&str] = &[
    "apt-get",
    "host",
    "ip",
    "man",
    "mpop",
    "nsd",
    "nsenter",
    "setpriv",
    "smtp-sink",
    "swaks",
    "svscan",
    "systemd-analyze",
    "unshare",
];
