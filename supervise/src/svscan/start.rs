//! Starting a supervise: what it is given, and where it runs.

use super::service::{Service, Side};
use crate::supervise::program::reset_signals;
use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use unix::environment::Environment;
use unix::exec::{Search, exec};
use unix::failure::because;
use unix::limits::{self, Resource};
use unix::process::{self, Pid};
use unix::program::{Exit, Invocation};
use unix::{descriptor, directory};

/// Makes the process of one side of a service. `open_files` is the limit that it gets back.
pub fn start(
    invocation: &Invocation,
    service: &Service,
    side: Side,
    open_files: (u64, u64),
) -> io::Result<Pid> {
    process::fork(|| {
        reset_signals();
        let _ = limits::set_soft(Resource::RLIMIT_NOFILE, open_files.0, open_files.1);
        invocation.warn(because(
            [b"unable to start supervise ", shown(service, side).as_slice()].concat(),
            &run(service, side),
        ));
        Exit::TEMPORARY.0
    })
}

/// What messages call one side of a service.
fn shown(service: &Service, side: Side) -> Vec<u8> {
    match side {
        Side::Main => service.name.clone(),
        Side::Log => [service.name.as_slice(), b"/log"].concat(),
    }
}

/// Becomes supervise. Returns only if that failed.
fn run(service: &Service, side: Side) -> io::Error {
    match try_run(service, side) {
        Ok(error) | Err(error) => error,
    }
}

fn try_run(service: &Service, side: Side) -> io::Result<io::Error> {
    let pipe = service.log.as_ref().and_then(|log| log.pipe.as_ref());
    let directory = match side {
        Side::Main => {
            if let Some((_, writer)) = pipe {
                descriptor::place(writer.as_fd(), 1)?;
            }
            operand(&service.name)
        }
        Side::Log => {
            if let Some((reader, _)) = pipe {
                descriptor::place(reader.as_fd(), 0)?;
            }
            directory::enter(Path::new(OsStr::from_bytes(&service.name)))?;
            b"log".to_vec()
        }
    };
    Ok(exec(&[b"supervise".to_vec(), directory], &Environment::inherited(), Search::Path))
}

/// A name that supervise would take for options is given as a path.
fn operand(name: &[u8]) -> Vec<u8> {
    if name.starts_with(b"-") { [b"./", name].concat() } else { name.to_vec() }
}
