//! Says how the programs are linked; see `linking`. Those that look up users keep the shared C library.

use linking::Linking;

/// The programs that look up no users.
const PROGRAMS: [&str; 15] = [
    "envdir",
    "errorsto",
    "fghack",
    "fifo",
    "pgrphack",
    "readproctitle",
    "setlock",
    "softlimit",
    "supervise",
    "svc",
    "svok",
    "svscan",
    "svstat",
    "svwait",
    "testfilelock",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    linking::link(&PROGRAMS, Linking::Fixed);
    linking::link(&["envuidgid", "setuidgid", "setuser"], Linking::SharedLibc);
}
