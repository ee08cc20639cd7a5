//! The server's side: a program that waits for calls, and the copies of it.

use super::packet::{self, Packet};
use super::{NOT_STARTED, Parent, READY, VARIABLE};
use crate::signal::{self, Signal};
use crate::{account, descriptor, environment, process};
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use std::fs::File;
use std::io::{self, IoSliceMut, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// A program that is to wait for calls.
pub(crate) struct Server {
    socket: OwnedFd,
}

/// A call, as it came.
struct Received {
    packet: Packet,
    answer: File,
    descriptors: Vec<OwnedFd>,
}

/// What receiving came to.
enum Next {
    Call(Received),
    /// Something that is no call, or none that may be made here. It has no answer, and its caller sees that.
    Nonsense,
    /// Nobody is left who could call.
    End,
}

impl Server {
    /// This program as a server, if whoever started it wants one.
    pub fn wanted() -> Option<Server> {
        let number = environment::get(VARIABLE)?;
        environment::remove(VARIABLE);
        let number = std::str::from_utf8(&number).ok()?.parse::<RawFd>().ok().filter(|number| *number > 2)?;
        let given = descriptor::inherited(number).ok()?;
        Some(Server { socket: descriptor::move_above(given, packet::NUMBERS_END).ok()? })
    }

    /// Serves until nobody is left who could call. `between` is called before each copy is made, and `run` in the copy, with its
    /// arguments; what it returns is the copy's exit status.
    pub fn serve(&self, between: fn(), run: impl Fn(Vec<Vec<u8>>) -> u8) {
        // Nobody waits for copies that are our children. An answer that nobody reads is no reason to end.
        signal::ignore(Signal::SIGCHLD);
        signal::ignore(Signal::SIGPIPE);
        let mut is_there = nix::unistd::write(&self.socket, READY).is_ok();
        let mut bytes = vec![0; packet::LIMIT];
        while is_there {
            match self.receive(&mut bytes) {
                Ok(Next::Call(received)) => {
                    between();
                    self.copy(received, &run);
                }
                Ok(Next::Nonsense) | Err(Errno::EINTR) => {}
                Ok(Next::End) | Err(_) => is_there = false,
            }
        }
    }

    fn receive(&self, bytes: &mut [u8]) -> Result<Next, Errno> {
        let mut space = nix::cmsg_space!([RawFd; packet::DESCRIPTORS + 1]);
        let mut parts = [IoSliceMut::new(bytes)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let message = recvmsg::<()>(self.socket.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
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

    fn copy(&self, received: Received, run: &impl Fn(Vec<Vec<u8>>) -> u8) {
        let Received { packet, mut answer, descriptors } = received;
        let parent = packet.parent;
        let socket = self.socket.as_raw_fd();
        let child = move || {
            descriptor::close_numbers([socket]);
            // The first thing that the caller hears is that there is somebody; without that, the call has come to nothing.
            if answer.write_all(&process::own_pid().as_raw().to_ne_bytes()).is_err() {
                return NOT_STARTED;
            }
            let mut answer = (packet.parent == Parent::Server).then_some(answer);
            let status = match become_called(&packet, descriptors) {
                Ok(()) => run(packet.words()),
                Err(_) => NOT_STARTED,
            };
            if let Some(answer) = &mut answer {
                let _ = answer.write_all(&[status]);
            }
            status
        };
        // If there is no process for it, the answer is closed with nothing in it.
        let _ = match parent {
            Parent::Server => process::fork(child),
            Parent::Starter => process::fork_sibling(child),
        };
    }
}

impl Received {
    fn decode(bytes: &[u8], descriptors: Vec<OwnedFd>) -> Option<Received> {
        let packet = Packet::decode(bytes)?;
        // Whoever calls a setuid program has no more to say than whoever starts it: it is its own identity that counts, and
        // the C library has seen the environment of the server alone.
        let is_setuid = account::real_uid() != account::effective_uid();
        let is_refused = is_setuid && (packet.identity.is_some() || packet.environment.is_some());
        let mut descriptors = descriptors.into_iter();
        let answer = File::from(descriptors.next()?);
        let descriptors: Vec<OwnedFd> = descriptors.collect();
        (!is_refused && descriptors.len() == packet.numbers.len()).then_some(Received {
            packet,
            answer,
            descriptors,
        })
    }
}

/// In the copy: what a program that is started finds in place. Identity last, as whoever has it may do less.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Identity;
    use crate::environment::Environment;
    use crate::fork_server::{Call, ForkServer, Mark};
    use crate::process::{Ended, wait_for};
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::path::PathBuf;

    /// A server whose copies write their arguments and the variable A to descriptor 1, and exit with the number of arguments.
    fn server() -> ForkServer {
        let (socket, theirs) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap();
        let pid = process::fork(|| {
            // Other tests' children have a copy of our end of the socket, so it alone does not end with this test.
            process::signal_at_parents_death(Signal::SIGKILL).unwrap();
            let server = Server { socket: theirs.try_clone().unwrap() };
            descriptor::close_numbers([theirs.as_raw_fd(), socket.as_raw_fd()]);
            server.serve(
                || (),
                |words| {
                    let said = [words.concat(), environment::get("A").unwrap_or_default()].concat();
                    let _ = descriptor::output().write_all(&said);
                    u8::try_from(words.len()).unwrap()
                },
            );
            0
        })
        .unwrap();
        drop(theirs);
        let program = PathBuf::from("/proc/self/exe");
        let server = ForkServer { pid, socket, mark: Mark::of(&program).unwrap(), program };
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
        let server = server();
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
    fn a_copy_that_cannot_become_whom_it_is_to_be_does_nothing() {
        if account::effective_uid() == 0 {
            return;
        }
        let server = server();
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
        let server = server();
        nix::unistd::write(&server.socket, b"nonsense").unwrap();
        assert_eq!(call(&server, &["a"], None, Parent::Server), ("a".to_owned(), Some(1)));
    }

    #[test]
    fn a_server_that_is_gone_is_known_as_such() {
        let server = server();
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
