//! `svstat` shows what the services of one or more directories do.
//!
//! Reads    the status file of each directory.    Writes  fd 1: one line for each.
//! Runs as  anybody who may read the status files.    Trusts  supervise for what they say.
//! Exits    0, also if a directory has no status · 111 no way back to the directory it was started in, or fd 1
//!          cannot be written.
//! Manual   svstat(8).
//!
//! The kind of directory decides the kind of line: `869197736 up pid 70` as in daemontools 0.53, which
//! `tailocal` reads, or `service: up (pid 70) 12 seconds` as in 0.76.

use crate::supervise::service_dir::Layout;
use crate::supervise::state::Want;
use crate::supervise::status::{LENGTH_0_53, Status};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use unix::descriptor;
use unix::directory::{self, WorkingDirectory};
use unix::failure::{Failure, because, describe, is_absent};
use unix::program::{Exit, Invocation};
use unix::stamp::Stamp;
use unix::{fifo, file};

/// Runs `svstat`.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let start = WorkingDirectory::current()
        .map_err(|error| Failure::temporary("unable to open current directory").because(&error))?;
    for name in &invocation.arguments {
        if let Some(mut line) = look_at(invocation, name) {
            line.push(b'\n');
            descriptor::output()
                .write_all(&line)
                .map_err(|error| Failure::temporary("unable to write output").because(&error))?;
        }
        start.enter().map_err(|error| Failure::temporary("unable to set directory").because(&error))?;
    }
    Ok(Exit::SUCCESS)
}

/// Enters a directory and gives the line for it, or warns and gives none.
fn look_at(invocation: &Invocation, name: &[u8]) -> Option<Vec<u8>> {
    if let Err(error) = directory::enter(Path::new(OsStr::from_bytes(name))) {
        invocation.warn(because([b"unable to chdir to ", name].concat(), &error));
        return None;
    }
    match Layout::of_working_directory() {
        Layout::Flat => look_at_flat(invocation, name),
        Layout::Nested => Some([name, b": ", look_at_nested().as_bytes()].concat()),
    }
}

fn look_at_flat(invocation: &Invocation, name: &[u8]) -> Option<Vec<u8>> {
    let text = [b"unable to read status in ", name].concat();
    let bytes = match read_status(Layout::Flat) {
        Ok(bytes) => bytes,
        Err(error) => {
            invocation.warn(because(text, &error));
            return None;
        }
    };
    let Some((status, normally_up)) = Status::decode_0_53(&bytes) else {
        invocation.warn([text.as_slice(), b": bad format"].concat());
        return None;
    };
    if fifo::open_writer(Layout::Flat.alive()).is_err_and(|error| fifo::has_no_reader(&error)) {
        invocation.warn([b"supervise not running in ", name].concat());
    }
    Some(line_0_53(&status, normally_up).into_bytes())
}

fn look_at_nested() -> String {
    let normally_up = match fs::metadata("down") {
        Ok(_) => false,
        Err(error) if is_absent(&error) => true,
        Err(error) => return format!("unable to stat down: {}", describe(&error)),
    };
    match fifo::open_writer(Layout::Nested.alive()) {
        Ok(_) => {}
        Err(error) if fifo::has_no_reader(&error) => return "supervise not running".to_owned(),
        Err(error) => return format!("unable to open supervise/ok: {}", fifo::describe(&error)),
    }
    let bytes = match read_status(Layout::Nested) {
        Ok(bytes) => bytes,
        Err(error) => return format!("unable to open supervise/status: {}", describe(&error)),
    };
    match Status::decode_0_76(&bytes) {
        Some(status) => line_0_76(&status, normally_up, Stamp::now()),
        None => "unable to read supervise/status: bad format".to_owned(),
    }
}

/// The start of the status file; no more than any kind of it needs.
fn read_status(layout: Layout) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let path: &Path = layout.status();
    file::open_read(path)?.take(LENGTH_0_53 as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Seconds since 1970 first, so that `tailocal` can make them readable.
fn line_0_53(status: &Status, normally_up: bool) -> String {
    let since = status.since.seconds;
    let process = match status.pid {
        Some(pid) => format!("{since} up pid {pid}"),
        None => format!("{since} down"),
    };
    process + &remarks(status, normally_up)
}

/// A stamp in the future (the clock was set back) counts as now.
fn line_0_76(status: &Status, normally_up: bool, now: Stamp) -> String {
    let seconds = now.seconds.saturating_sub(status.since.seconds);
    let process = match status.pid {
        Some(pid) => format!("up (pid {pid}) {seconds} seconds"),
        None => format!("down {seconds} seconds"),
    };
    process + &remarks(status, normally_up)
}

/// What differs from the expected, in this order. A service that is wanted once has no remark for that.
fn remarks(status: &Status, normally_up: bool) -> String {
    let up = status.pid.is_some();
    [
        (up && !normally_up, ", normally down"),
        (!up && normally_up, ", normally up"),
        (up && status.paused, ", paused"),
        (!up && status.want == Want::Up, ", want up"),
        (up && status.want == Want::Down, ", want down"),
    ]
    .iter()
    .filter(|(applies, _)| *applies)
    .map(|(_, remark)| *remark)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SINCE: Stamp = Stamp { seconds: 869_197_736, nanoseconds: 542_713_000 };

    fn line(pid: Option<u32>, paused: bool, want: Want, normally_up: bool) -> String {
        line_0_53(&Status { since: SINCE, pid, paused, want }, normally_up)
    }

    #[test]
    fn a_service_that_does_the_expected_has_no_remark() {
        assert_eq!(line(Some(70), false, Want::Up, true), "869197736 up pid 70");
        assert_eq!(line(None, false, Want::Down, false), "869197736 down");
        assert_eq!(line(Some(70), false, Want::Once, true), "869197736 up pid 70");
        assert_eq!(line(None, false, Want::Once, false), "869197736 down");
    }

    #[test]
    fn remarks_come_in_a_fixed_order() {
        let all = "869197736 up pid 70, normally down, paused, want down";
        assert_eq!(line(Some(70), true, Want::Down, false), all);
        assert_eq!(line(None, true, Want::Up, true), "869197736 down, normally up, want up");
    }

    #[test]
    fn the_newer_line_counts_seconds_and_never_below_zero() {
        let status = Status { since: SINCE, pid: Some(70), paused: false, want: Want::Up };
        let later = Stamp { seconds: SINCE.seconds + 12, nanoseconds: 0 };
        let earlier = Stamp { seconds: SINCE.seconds - 12, nanoseconds: 0 };
        assert_eq!(line_0_76(&status, true, later), "up (pid 70) 12 seconds");
        assert_eq!(line_0_76(&status, true, earlier), "up (pid 70) 0 seconds");
    }
}
