//! What system tests share: the programs under test, calls of them, and waiting for what they do.
//!
//! A test runs real programs with real descriptors and looks at exit status, bytes out and files left.
//! The programs are those of the last `cargo build` of the same profile; see [`program`].

mod age;
mod call;
mod dns_server;
pub mod fault;
pub mod figures;
mod filled_queue;
mod home;
mod installation;
mod instance;
mod maildir;
mod ordinary_user;
mod random;
mod reference;
mod running;
mod smtp_peer;
mod smtp_sink;
mod tcp_server;
mod user_home;
mod wait;

pub use age::{STRAY_HOURS, set_age};
pub use call::{Call, Outcome};
pub use dns_server::{Answer, DnsServer, Record};
pub use filled_queue::Stage;
pub use home::{FakeQueue, MailHome};
pub use installation::{Installation, uid_of};
pub use instance::{HOST, Instance, as_owner, installable, is_kept, owner_uid, processes_in};
pub use maildir::messages;
pub use ordinary_user::OrdinaryUser;
pub use random::Random;
pub use reference::{Suite, both, counting, held};
pub use running::Running;
pub use smtp_peer::{Script, SmtpPeer};
pub use smtp_sink::{SmtpSink, Taken};
pub use tcp_server::TcpServer;
pub use user_home::{LocalDelivery, UserHome};
pub use wait::{settles, settles_within, wait_until};

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The path of one of our programs.
///
/// # Panics
/// If it was not built: `cargo test` does not build the programs of other packages.
pub fn program(name: &str) -> PathBuf {
    let path = programs().join(name);
    // Not the one that is counted.
    std::assert!(path.is_file(), "{} is not there: run `cargo build --workspace` first", path.display());
    path
}

/// The directory that holds our programs.
pub fn programs() -> PathBuf {
    // The test itself is target/PROFILE/deps/NAME.
    let test = std::env::current_exe().expect("the test's own path");
    test.ancestors().nth(2).expect("a test program lies in target/PROFILE/deps").to_path_buf()
}

/// The names of our programs, as the source tree has them. Scripts are in [`script_names`].
pub fn program_names() -> BTreeSet<String> {
    names_in(&["mta/src/bin", "supervise/src/bin", "tcpserver/src/bin", "cyclog/src/bin"])
}

/// The names of the scripts that are installed beside the programs.
pub fn script_names() -> BTreeSet<String> {
    names_in(&["supervise/scripts", "tcpserver/scripts", "mta/scripts"])
}

/// The names of the files in directories of the source tree, without `.rs`.
fn names_in(directories: &[&str]) -> BTreeSet<String> {
    let entries = directories.iter().flat_map(|name| {
        let path = source_tree().join(name);
        std::fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    });
    let names = entries.map(|entry| entry.expect("a file of the source tree").file_name());
    let names = names.map(|name| name.into_string().expect("an ASCII name"));
    names.map(|name| name.trim_end_matches(".rs").to_owned()).collect()
}

/// The top of the source tree.
pub fn source_tree() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace")
}

/// Writes a file that can be run, with mode 0755.
///
/// Another process writes it: had this one, a child that another test forks meanwhile would hold the file open
/// for writing, and running it would fail with "text busy".
pub fn put_program(path: &Path, bytes: impl AsRef<[u8]>) {
    let script = "umask 022 && rm -f \"$0\" && cat >\"$0\" && chmod 0755 \"$0\"";
    let outcome = Call::path(Path::new("/bin/sh")).args(["-c", script]).arg(path).input(bytes).run();
    assert_eq!(outcome.code, 0, "{}: {}", path.display(), outcome.err_text());
}

/// A copy of one of our programs, which see.
pub fn copy_program(name: &str, path: &Path) {
    copy_to_run(&program(name), path);
}

/// A copy of a file that can be run, with mode 0755. Another process writes it, as in [`put_program`].
pub fn copy_to_run(from: &Path, to: &Path) {
    let outcome = Call::path(Path::new("/usr/bin/install")).args(["-m", "0755"]).arg(from).arg(to).run();
    assert_eq!(outcome.code, 0, "{}: {}", to.display(), outcome.err_text());
}

/// A directory of the test's own, removed at its end. Others may search it, so that other accounts reach it.
pub fn scratch() -> tempfile::TempDir {
    scratch_in(&std::env::temp_dir())
}

/// The same on a file system in memory, where there is one.
pub fn scratch_in_memory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    scratch_in(if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() }.as_path())
}

fn scratch_in(place: &Path) -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::Builder::new().prefix("suite-").tempdir_in(place).expect("a scratch directory");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(directory.path(), mode).expect("a scratch directory that may be searched");
    directory
}

/// Whether the test runs as root. Tests that need it say so on standard error and return otherwise.
pub fn is_root() -> bool {
    unix::account::effective_uid() == 0
}

/// Says aloud that a test, or a part of it, was not run, and why.
pub fn skipped(why: &str) {
    // Past the test runner, which shows what a test prints only if it fails.
    unix::descriptor::write_error_line(&[b"SKIPPED: ", why.as_bytes()]);
}

/// The path of a program of the system, if it is installed.
pub fn installed(name: &str) -> Option<PathBuf> {
    ["/usr/bin", "/bin", "/usr/sbin", "/sbin"]
        .iter()
        .map(|place| Path::new(place).join(name))
        .find(|path| path.is_file())
}

/// A port of the loopback address that nobody listens on, and that no other test is given.
///
/// It lies below those that the kernel gives away by itself, or another test's server could have it a moment later.
pub fn free_port() -> u16 {
    use std::sync::atomic::{AtomicU16, Ordering};
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = std::process::id() % 180 * 100;
    loop {
        let offset = start + u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(12_000 + offset % 18_000).expect("a number below 30,000");
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
