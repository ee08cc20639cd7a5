//! A program that is there already, and copies itself for each call.
//!
//! To start a program costs more than most of ours do then: the kernel builds a new memory for it, and the C library asks
//! the processor what it can do, which in a virtual machine is a question to the host. A fork of a small program that has
//! all of that behind it costs a third.
//!
//! So whoever calls a program often starts it once, as a *fork server* ([`ForkServer::start`]). It says that it is ready, and then
//! waits for calls. For each it forks, and the copy is what a program started anew would be: arguments, environment,
//! identity and descriptors are those of the call. Nothing that one copy learns is seen by another. A program takes part if it
//! starts by [`copied_program`](crate::copied_program).
//!
//! A program can say that its copies stay: then one that has served a call waits for the next beside the server, on the same
//! socket, and ends after a number of calls ([`Copies`]), or when none has come for some seconds. The kernel gives a call to whoever
//! has waited longest, the server among them; so the busier it is, the fewer calls need a new process, and nobody keeps count. A copy that has
//! become another account serves that one call.
//!
//! Nobody depends on a server: a program that does not know of this, a file that was replaced since, a server that died are
//! no harm: the caller runs the program as ever. [`KeptProgram`] knows when.
//!
//! A call is one packet of a Unix socket (`SOCK_SEQPACKET`, unix(7)), see `packet.rs`; with it come the pipe for the answer, the right
//! to carry out the call (`claim.rs`), and the descriptors. The answer is the copy's process number, four bytes in the machine's order; without it there is none. If the
//! copy is a child of the server, or stays, the program's exit status follows, one byte, when it has ended by itself.

mod claim;
mod kept;
mod packet;
mod server;

pub use kept::KeptProgram;
pub use server::Copies;
pub(crate) use server::Server;

use crate::account::Identity;
use crate::descriptor;
use crate::environment::Environment;
use crate::exec::{self, Search};
use crate::poll::{self, Interest};
use crate::process::{self, Pid};
use crate::signal::{self, Signal};
use claim::Claim;
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair};
use packet::Packet;
use std::fs::File;
use std::io::{self, IoSlice, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The variable that makes a program a server: the descriptor of the socket, and device and inode of the program's file, with
/// spaces between them.
const VARIABLE: &str = "FORK_SERVER";
/// What a server says when it is ready.
const READY: &[u8] = b"ready";
/// A program that has not said so by then does not know how, and is ended.
const PATIENCE: Duration = Duration::from_secs(10);

/// A call of a program.
pub struct Call<'a> {
    /// The arguments after `argv[0]`.
    pub arguments: Vec<Vec<u8>>,
    /// The environment; `None`: that which the server was started with.
    pub environment: Option<&'a Environment>,
    /// Who the program runs as; `None`: as whom the server does.
    pub identity: Option<Identity>,
    /// The descriptors that it gets (first), and under which numbers (second, below 16). There are no others, but for the
    /// standard three: those not named here lead where the server's do.
    pub descriptors: &'a [(BorrowedFd<'a>, RawFd)],
    /// Whose child it becomes.
    pub parent: Parent,
}

/// Whose child a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parent {
    /// Of the process that started the server, and can wait for it as for any child.
    Starter,
    /// Of the server. Its end is told to whoever made the call: [`Copy::wait`].
    Server,
}

/// A copy that was made.
pub struct Copy {
    pid: Pid,
    end: File,
}

impl Copy {
    /// Its process number.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// The exit status, if it was told by now: by a child of the server, or by a copy that stays. `None`: not yet, or it will not be, and a
    /// child of ours has to be waited for as such.
    pub fn told(&self) -> Option<u8> {
        if poll::wait_one(self.as_fd(), Interest::Read, Some(Duration::ZERO)).unwrap_or(true) {
            self.wait()
        } else {
            None
        }
    }

    /// Waits for the exit status. `None`: it will not be told.
    pub fn wait(&self) -> Option<u8> {
        let mut status = [0];
        read_patiently(&self.end, &mut status).ok()?;
        let [status] = status;
        Some(status)
    }
}

/// Can be read when the call has ended, or the process that served it.
impl AsFd for Copy {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }
}

/// A server, as its callers have it.
pub struct ForkServer {
    pid: Pid,
    /// Can be read when the server has ended. Its socket does not tell: a copy that is busy has it open as well.
    end: OwnedFd,
    socket: OwnedFd,
    /// The other end, for calls that have to be taken back.
    theirs: OwnedFd,
    program: PathBuf,
    /// Of the file that it runs.
    mark: Mark,
}

impl ForkServer {
    /// Starts the program in this file as a server, and waits until it is ready. `prepare` runs in the new process before it.
    ///
    /// # Errors
    /// If there is no process for it; EPROTO if the program does not know how to be a server, or the kernel does not know how to watch one
    /// (Linux before 5.3).
    pub fn start(program: &Path, prepare: impl FnOnce() -> io::Result<()>) -> io::Result<ForkServer> {
        let mark = Mark::of(program)?;
        let kind = (AddressFamily::Unix, SockType::SeqPacket);
        let (socket, theirs) = socketpair(kind.0, kind.1, None, SockFlag::SOCK_CLOEXEC)?;
        // The caller may have closed the standard ones, whose numbers are placed over.
        let theirs = descriptor::move_above(theirs, packet::NUMBERS_END)?;
        let pid = process::fork(|| {
            let _ = prepare().and_then(|()| become_server(program, mark, &theirs));
            NOT_STARTED
        })?;
        let watched = process::watch(pid).map(|end| {
            let program = program.to_path_buf();
            ForkServer { pid, end, socket, theirs, program, mark }
        });
        match watched {
            Ok(server) if server.is_ready() => return Ok(server),
            _ => {}
        }
        let _ = process::kill(pid, Signal::SIGKILL);
        let _ = process::wait_for(pid);
        // Where nobody can be watched, nothing can be kept.
        Err(watched
            .err()
            .filter(|error| error.raw_os_error() != Some(Errno::ENOSYS as i32))
            .unwrap_or(Errno::EPROTO.into()))
    }

    /// The server's own process number.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Whether it is still there, and would be the same if it were started now.
    pub fn is_current(&self) -> bool {
        !can_be_read(&self.end) && Mark::of(&self.program).is_ok_and(|mark| mark == self.mark)
    }

    /// Calls the program.
    ///
    /// # Errors
    /// It was not called, and can be run in another way.
    pub fn call(&self, call: &Call) -> io::Result<Copy> {
        let packet = Packet::of(call)?.encode()?;
        let (reader, writer) = descriptor::pipe()?;
        let claim = Claim::new()?;
        let descriptors: Vec<RawFd> = [writer.as_raw_fd(), claim.number()]
            .into_iter()
            .chain(call.descriptors.iter().map(|(descriptor, _)| descriptor.as_raw_fd()))
            .collect();
        let (bytes, rights) = ([IoSlice::new(&packet)], [ControlMessage::ScmRights(&descriptors)]);
        sendmsg::<()>(self.socket.as_raw_fd(), &bytes, &rights, MsgFlags::MSG_NOSIGNAL, None)?;
        drop(writer);
        let end = File::from(reader);
        let answer = self.answer(&end).or_else(|error| {
            // Whoever finds the call from now on leaves it alone, unless somebody is at work on it already, and says so.
            if claim.take() {
                self.take_back();
                Err(error)
            } else {
                read_number(&end)
            }
        })?;
        Ok(Copy { pid: answer, end })
    }

    /// Waits for the number of the copy that has taken a call.
    ///
    /// # Errors
    /// It does not come, or the server has ended, and maybe nobody waits for calls any more.
    fn answer(&self, answer: &File) -> io::Result<Pid> {
        let both = [(answer.as_fd(), Interest::Read), (self.end.as_fd(), Interest::Read)];
        match poll::wait(&both, None)?.as_slice() {
            [false, ..] => Err(Errno::ESRCH.into()),
            _ => read_number(answer),
        }
    }

    /// Closes what the calls hold that wait where nobody waits for them: as long as a copy is at work, the socket would keep them, and
    /// somebody may wait for the end of a pipe. Those who made them notice, and do without.
    fn take_back(&self) {
        if can_be_read(&self.end) {
            let mut bytes = vec![0; packet::LIMIT];
            while server::receive(&self.theirs, &mut bytes, MsgFlags::MSG_DONTWAIT).is_ok() {}
        }
    }

    fn is_ready(&self) -> bool {
        let mut said = [0; READY.len()];
        let both = [(self.socket.as_fd(), Interest::Read), (self.end.as_fd(), Interest::Read)];
        let has_spoken = poll::wait(&both, Some(PATIENCE)).is_ok_and(|ready| ready.first() == Some(&true));
        has_spoken
            && nix::unistd::read(&self.socket, &mut said)
                .is_ok_and(|length| said.get(..length) == Some(READY))
    }
}

fn can_be_read(descriptor: &OwnedFd) -> bool {
    poll::wait_one(descriptor.as_fd(), Interest::Read, Some(Duration::ZERO)).unwrap_or(true)
}

fn read_number(answer: &File) -> io::Result<Pid> {
    let mut number = [0; 4];
    read_patiently(answer, &mut number)?;
    Ok(Pid::from_raw(i32::from_ne_bytes(number)))
}

/// Reads what a copy says. It is at work already: for an error that passes, it must not be done a second time beside it, nor be taken for dead.
///
/// # Errors
/// There is no such copy, or it ended without a word; or the error did not pass.
fn read_patiently(mut end: &File, bytes: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    let mut troubles = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match end.read(rest) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => filled = filled.saturating_add(length),
            Err(error) if troubles == TROUBLES => return Err(error),
            Err(_) => {
                troubles = troubles.saturating_add(1);
                std::thread::sleep(PAUSE);
            }
        }
    }
    Ok(())
}

/// How often reading is tried again, and after how long: for a second.
const TROUBLES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(10);

/// The exit status of what should have become a server, or a copy, and could not.
const NOT_STARTED: u8 = 111;

/// In the child: standard input and output that lead nowhere, then the program.
fn become_server(program: &Path, mark: Mark, socket: &OwnedFd) -> io::Result<()> {
    let nowhere = File::options().read(true).write(true).open("/dev/null")?;
    descriptor::place_all(&[(nowhere.as_fd(), 0), (nowhere.as_fd(), 1)])?;
    descriptor::set_inheritable(socket, true)?;
    signal::default(Signal::SIGCHLD);
    signal::default(Signal::SIGPIPE);
    let mut environment = Environment::inherited();
    let Mark { file: (device, inode), .. } = mark;
    environment.set(VARIABLE, format!("{} {device} {inode}", socket.as_raw_fd()));
    Err(exec::exec(&[program.as_os_str().as_bytes().to_vec()], &environment, Search::Direct))
}

/// What tells a file from one that has taken its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    file: (u64, u64),
    changed: (i64, i64),
}

impl Mark {
    fn of(path: &Path) -> io::Result<Mark> {
        let found = path.metadata()?;
        Ok(Mark { file: (found.dev(), found.ino()), changed: (found.ctime(), found.ctime_nsec()) })
    }
}
