//! The server's side: a program that waits for calls, and the copies of it.

use super::claim::Claim;
use super::packet::{self, Packet};
use super::{Mark, NOT_STARTED, Parent, READY, VARIABLE};
use crate::environment::{self, Environment};
use crate::signal::{self, Signal};
use crate::{account, descriptor, process};
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use std::fs::File;
use std::io::{self, IoSliceMut, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::time::Duration;

/// A program that is to wait for calls.
pub(crate) struct Server {
    socket: OwnedFd,
}

/// What the copies of a program are like.
pub struct Copies {
    /// Called by the server before it makes a copy.
    pub between: fn(),
    /// Calls that a copy serves, one after the other, if none of them gives it another identity.
    pub calls: u32,
}

/// How long a copy waits for another call.
const IDLE: Duration = Duration::from_secs(10);

/// A call, as it came.
pub(super) struct Received {
    packet: Packet,
    answer: File,
    claim: Claim,
    descriptors: Vec<OwnedFd>,
}

/// What receiving came to.
pub(super) enum Next {
    Call(Received),
    /// Something that is no call, or none that may be made here. It has no answer, and its caller sees that.
    Nonsense,
    /// Nobody is left who could call.
    End,
}

impl Server {
    /// This program as a server, if whoever started it wants one: of it, and not of a program in its place that has run it then. Such a
    /// program has something to do for each call.
    pub fn wanted() -> Option<Server> {
        let wish = environment::get(VARIABLE)?;
        environment::remove(VARIABLE);
        let mut words = std::str::from_utf8(&wish).ok()?.split(' ');
        let number = words.next()?.parse::<RawFd>().ok().filter(|number| *number > 2)?;
        let file = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        if Mark::of(Path::new("/proc/self/exe")).ok()?.file != file {
            return None;
        }
        let given = descriptor::inherited(number).ok()?;
        Some(Server { socket: descriptor::move_above(given, packet::NUMBERS_END).ok()? })
    }

    /// Serves until nobody is left who could call. `run` is called in a copy, with the arguments of the call; what it returns is
    /// the program's exit status.
    pub fn serve(&self, copies: &Copies, run: impl Fn(Vec<Vec<u8>>) -> u8) {
        // Nobody waits for copies that are our children. An answer that nobody reads is no reason to end.
        signal::ignore(Signal::SIGCHLD);
        signal::ignore(Signal::SIGPIPE);
        let mut is_there = nix::unistd::write(&self.socket, READY).is_ok();
        let mut bytes = vec![0; packet::LIMIT];
        while is_there {
            match receive(&self.socket, &mut bytes, MsgFlags::empty()) {
                Ok(Next::Call(received)) => {
                    (copies.between)();
                    self.copy(received, copies, &run);
                }
                Ok(Next::Nonsense) | Err(Errno::EINTR) => {}
                Ok(Next::End) | Err(_) => is_there = false,
            }
        }
    }

    /// Makes a copy for a call. If there is no process for it, the answer is closed with nothing in it.
    fn copy(&self, received: Received, copies: &Copies, run: &impl Fn(Vec<Vec<u8>>) -> u8) {
        let parent = received.packet.parent;
        let child = || {
            if copies.calls > 1 && received.packet.identity.is_none() {
                self.serve_several(received, copies.calls, run)
            } else {
                descriptor::close_numbers([self.socket.as_raw_fd()]);
                serve_call(received, run)
            }
        };
        let _ = match parent {
            Parent::Server => process::fork(child),
            Parent::Starter => process::fork_sibling(child),
        };
    }

    /// Takes further calls from the socket, as the server does: the kernel gives each to the process that has waited longest.
    fn serve_several(&self, first: Received, calls: u32, run: &impl Fn(Vec<Vec<u8>>) -> u8) -> u8 {
        let Ok(mut original) = Original::note() else { return serve_call(first, run) };
        let mut bytes = vec![0; packet::LIMIT];
        let mut next = Some(first);
        let mut status = NOT_STARTED;
        for call in 1..=calls {
            let Some(received) = next else { break };
            let becomes_another = received.packet.identity.is_some();
            status = original.serve_call(received, run);
            if becomes_another || call == calls {
                break;
            }
            next = self.next_call(&mut bytes);
        }
        status
    }

    /// The next call. `None`: there is none for as long as a copy may wait, or nobody who could call.
    fn next_call(&self, bytes: &mut [u8]) -> Option<Received> {
        let _interrupted = signal::Interrupts::each(IDLE);
        loop {
            match receive(&self.socket, bytes, MsgFlags::empty()) {
                Ok(Next::Call(received)) => return Some(received),
                Ok(Next::Nonsense) => {}
                Ok(Next::End) | Err(_) => return None,
            }
        }
    }
}

/// The next packet.
pub(super) fn receive(socket: &OwnedFd, bytes: &mut [u8], flags: MsgFlags) -> Result<Next, Errno> {
    let mut space = nix::cmsg_space!([RawFd; packet::DESCRIPTORS + 2]);
    let mut parts = [IoSliceMut::new(bytes)];
    let flags = flags | MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
    let mut numbers = Vec::new();
    for part in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(received) = part {
            numbers.extend(received);
        }
    }
    let descriptors = descriptor::received(numbers);
    let is_cut = message.flags.intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC);
    let length = message.bytes;
    Ok(match length {
        0 => Next::End,
        _ if is_cut => Next::Nonsense,
        _ => Received::decode(bytes.get(..length).unwrap_or_default(), descriptors)
            .map_or(Next::Nonsense, Next::Call),
    })
}

impl Received {
    /// Takes the call over, and tells the caller who has. False: the caller does without by now, or is gone.
    fn begin(&self) -> bool {
        let number = process::own_pid().as_raw().to_ne_bytes();
        self.claim.take() && (&self.answer).write_all(&number).is_ok()
    }

    fn decode(bytes: &[u8], descriptors: Vec<OwnedFd>) -> Option<Received> {
        let packet = Packet::decode(bytes)?;
        // Whoever calls a setuid program has no more to say than whoever starts it: it is its own identity that counts, and
        // the C library has seen the environment of the server alone.
        let is_setuid = account::real_uid() != account::effective_uid();
        let is_refused = is_setuid && (packet.identity.is_some() || packet.environment.is_some());
        // They came under the lowest numbers that were free, which may be those that they are to be placed under.
        let above = |descriptor| descriptor::move_above(descriptor, packet::NUMBERS_END).ok();
        let mut descriptors = descriptors.into_iter().map(above);
        let answer = File::from(descriptors.next()??);
        let claim = Claim::from(descriptors.next()??);
        let descriptors: Vec<OwnedFd> = descriptors.collect::<Option<_>>()?;
        (!is_refused && descriptors.len() == packet.numbers.len()).then_some(Received {
            packet,
            answer,
            claim,
            descriptors,
        })
    }
}

/// In a copy that ends with it: serves a call. The exit status is told if nobody can wait for this process.
fn serve_call(received: Received, run: &impl Fn(Vec<Vec<u8>>) -> u8) -> u8 {
    if !received.begin() {
        return NOT_STARTED;
    }
    let Received { packet, answer, descriptors, .. } = received;
    let mut answer = (packet.parent == Parent::Server).then_some(answer);
    let status = match become_called(&packet, descriptors) {
        Ok(()) => run(packet.words()),
        Err(_) => NOT_STARTED,
    };
    if let Some(answer) = &mut answer {
        let _ = answer.write_all(&[status]);
    }
    status
}

/// What a program that is started finds in place. Identity last, as whoever has it may do less.
fn become_called(packet: &Packet, descriptors: Vec<OwnedFd>) -> io::Result<()> {
    signal::default(Signal::SIGCHLD);
    signal::default(Signal::SIGPIPE);
    for (descriptor, number) in descriptors.iter().zip(&packet.numbers) {
        descriptor::place(descriptor, RawFd::from(*number))?;
    }
    if let Some(variables) = &packet.environment {
        environment::replace(variables);
    }
    packet.identity().map_or(Ok(()), |identity| identity.assume())
}

/// What a copy that stays finds again for each call: the standard descriptors, and the environment.
struct Original {
    standard: Vec<OwnedFd>,
    environment: Vec<u8>,
    /// A call had an environment of its own.
    is_environment_replaced: bool,
}

impl Original {
    fn note() -> io::Result<Original> {
        let standard = [descriptor::input(), descriptor::output(), descriptor::error()];
        let standard =
            standard.iter().map(|one| descriptor::copy_above(one.as_fd(), packet::NUMBERS_END.into()));
        Ok(Original {
            standard: standard.collect::<io::Result<_>>()?,
            environment: Environment::inherited().strings()?,
            is_environment_replaced: false,
        })
    }

    /// Serves a call. Its exit status is told before its descriptors are let go: whoever sees their end can ask for it.
    fn serve_call(&mut self, received: Received, run: &impl Fn(Vec<Vec<u8>>) -> u8) -> u8 {
        if !received.begin() {
            return NOT_STARTED;
        }
        let Received { packet, mut answer, descriptors, .. } = received;
        if self.is_environment_replaced && packet.environment.is_none() {
            environment::replace(&self.environment);
        }
        self.is_environment_replaced = packet.environment.is_some();
        let status = match become_called(&packet, descriptors) {
            Ok(()) => run(packet.words()),
            Err(_) => NOT_STARTED,
        };
        signal::ignore(Signal::SIGPIPE);
        let _ = answer.write_all(&[status]);
        self.put_back(&packet.numbers);
        status
    }

    fn put_back(&self, numbers: &[u8]) {
        for number in numbers {
            match self.standard.get(usize::from(*number)) {
                // A number that exists can be placed over.
                Some(standard) => drop(descriptor::place(standard, RawFd::from(*number))),
                None => descriptor::close_numbers([RawFd::from(*number)]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Identity;
    use crate::fork_server::{Call, ForkServer};
    use crate::process::{Ended, Pid, wait_for};
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
    use std::io::Read;
    use std::os::fd::BorrowedFd;
    use std::path::PathBuf;

    /// A server whose copies write their arguments and the variable A to descriptor 1, and exit with the number of arguments.
    fn server(calls: u32) -> ForkServer {
        let (socket, theirs) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap();
        let pid = process::fork(|| {
            // Other tests' children have a copy of our end of the socket, so it alone does not end with this test.
            process::signal_at_parents_death(Signal::SIGKILL).unwrap();
            let server = Server { socket: theirs.try_clone().unwrap() };
            descriptor::close_numbers([theirs.as_raw_fd(), socket.as_raw_fd()]);
            server.serve(&Copies { between: || (), calls }, |words| {
                let said = [words.concat(), environment::get("A").unwrap_or_default()].concat();
                let _ = descriptor::output().write_all(&said);
                u8::try_from(words.len()).unwrap()
            });
            0
        })
        .unwrap();
        let program = PathBuf::from("/proc/self/exe");
        let end = process::watch(pid).unwrap();
        let server = ForkServer { pid, end, socket, theirs, mark: Mark::of(&program).unwrap(), program };
        assert!(server.is_ready());
        server
    }

    fn call(
        server: &ForkServer,
        words: &[&str],
        environment: Option<&Environment>,
        parent: Parent,
    ) -> (String, Option<u8>) {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let arguments = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let descriptors = &[(writer.as_fd(), 1)];
        let copy =
            server.call(&Call { arguments, environment, identity: None, descriptors, parent }).unwrap();
        drop(writer);
        let mut said = String::new();
        reader.read_to_string(&mut said).unwrap();
        let status = match parent {
            Parent::Server => copy.wait(),
            Parent::Starter => match wait_for(copy.pid()).unwrap() {
                Ended::Exited(status) => Some(status),
                Ended::Killed { .. } => None,
            },
        };
        (said, status)
    }

    #[test]
    fn copies_have_what_their_calls_give_them_and_nothing_of_one_another() {
        let server = server(1);
        let mut environment = Environment::empty();
        environment.set("A", "x=y");
        for parent in [Parent::Server, Parent::Starter] {
            assert_eq!(
                call(&server, &["b", "", "c"], Some(&environment), parent),
                ("bcx=y".to_owned(), Some(3))
            );
            assert_eq!(call(&server, &[], None, parent), (String::new(), Some(0)));
        }
    }

    #[test]
    fn a_copy_that_stays_serves_so_many_calls_and_each_finds_what_the_first_did() {
        let server = server(3);
        let mut environment = Environment::empty();
        environment.set("A", "x=y");
        let mut served: Vec<(Pid, String)> = Vec::new();
        for number in 0..12 {
            let (mut reader, writer) = std::io::pipe().unwrap();
            let environment = (number % 2 == 0).then_some(&environment);
            let call = Call {
                arguments: vec![number.to_string().into_bytes()],
                environment,
                identity: None,
                descriptors: &[(writer.as_fd(), 1), (writer.as_fd(), 7)],
                parent: Parent::Starter,
            };
            let copy = server.call(&call).unwrap();
            drop(writer);
            let mut said = String::new();
            reader.read_to_string(&mut said).unwrap();
            let pid = copy.pid();
            // The end of its output is seen while it may still live; its status is there already.
            assert_eq!(copy.wait(), Some(1));
            served.push((pid, said));
        }
        for (number, (_, said)) in served.iter().enumerate() {
            assert_eq!(*said, if number % 2 == 0 { format!("{number}x=y") } else { number.to_string() });
        }
        let mut copies: Vec<Pid> = served.iter().map(|(pid, _)| *pid).collect();
        let calls = |pid: &Pid| served.iter().filter(|(served_by, _)| served_by == pid).count();
        assert!(copies.iter().any(|pid| calls(pid) > 1) && copies.iter().all(|pid| calls(pid) <= 3));
        copies.sort();
        copies.dedup();
        // Whoever waits for a call ends with the last one who could make it.
        drop(server);
        for pid in copies {
            assert_eq!(wait_for(pid).unwrap(), Ended::Exited(1));
        }
    }

    /// A copy that is at work keeps the socket of its server open.
    #[test]
    fn a_server_that_dies_while_a_copy_works_is_missed_and_the_call_is_not_begun() {
        let server = server(2);
        let call = |descriptors: &[(BorrowedFd<'_>, RawFd)]| {
            server.call(&Call {
                arguments: vec![vec![b'x'; 1 << 14]],
                environment: None,
                identity: None,
                descriptors,
                parent: Parent::Server,
            })
        };
        // It fills the pipe, which nobody reads.
        let (mut reader, writer) = std::io::pipe().unwrap();
        nix::fcntl::fcntl(&writer, nix::fcntl::F_SETPIPE_SZ(4096)).unwrap();
        let busy = call(&[(writer.as_fd(), 1)]).unwrap();
        drop(writer);
        process::kill(server.pid, Signal::SIGKILL).unwrap();
        wait_for(server.pid).unwrap();
        assert!(!server.is_current());
        let (mut untouched, writer) = std::io::pipe().unwrap();
        assert!(call(&[(writer.as_fd(), 1)]).is_err());
        drop(writer);
        // The call was taken back: nobody has its descriptors, although a copy is at work that has the socket.
        let mut said = Vec::new();
        untouched.read_to_end(&mut said).unwrap();
        assert_eq!((said.as_slice(), busy.told()), (&b""[..], None));
        reader.read_to_end(&mut said).unwrap();
        assert_eq!((said.len(), busy.wait()), (1 << 14, Some(1)));
    }

    #[test]
    fn a_copy_that_cannot_become_whom_it_is_to_be_does_nothing() {
        if account::effective_uid() == 0 {
            return;
        }
        let server = server(1);
        let (mut reader, writer) = std::io::pipe().unwrap();
        let copy = server
            .call(&Call {
                arguments: vec![b"said".to_vec()],
                environment: None,
                identity: Some(Identity::new(0, 0)),
                descriptors: &[(writer.as_fd(), 1)],
                parent: Parent::Server,
            })
            .unwrap();
        drop(writer);
        let mut said = String::new();
        reader.read_to_string(&mut said).unwrap();
        assert_eq!((said.as_str(), copy.wait()), ("", Some(NOT_STARTED)));
    }

    #[test]
    fn nonsense_is_not_answered_and_harms_nobody() {
        let server = server(1);
        nix::unistd::write(&server.socket, b"nonsense").unwrap();
        assert_eq!(call(&server, &["a"], None, Parent::Server), ("a".to_owned(), Some(1)));
    }

    #[test]
    fn a_server_that_is_gone_is_known_as_such() {
        let server = server(1);
        assert!(server.is_current());
        process::kill(server.pid, Signal::SIGKILL).unwrap();
        wait_for(server.pid).unwrap();
        assert!(!server.is_current());
        let none = Call {
            arguments: Vec::new(),
            environment: None,
            identity: None,
            descriptors: &[],
            parent: Parent::Server,
        };
        assert!(server.call(&none).is_err());
    }

    #[test]
    fn a_program_that_does_not_know_how_is_no_server() {
        for program in ["/bin/true", "/bin/cat"] {
            assert!(ForkServer::start(PathBuf::from(program).as_path(), || Ok(())).is_err(), "{program}");
        }
    }
}
