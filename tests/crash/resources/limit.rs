//! Limits of the kernel (setrlimit(2)), set by prlimit(1) in front of a program, for it and all its children.

use std::fmt;

/// A limit of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Open descriptors.
    Descriptors(u64),
    /// Processes of the user, threads included; the kernel lets root have more.
    Processes(u64),
    /// Memory that can be addressed, in bytes.
    Memory(u64),
    /// The size of a file that is written, in bytes.
    FileSize(u64),
    /// The stack, in bytes.
    Stack(u64),
}

impl Limit {
    /// The limits to try, the tightest first, up to where most programs do not notice any more; one list for each kind.
    pub fn all() -> [(&'static str, Vec<Limit>); 5] {
        [
            ("descriptors", (3..=40).map(Limit::Descriptors).collect()),
            ("processes", (1..=9).map(Limit::Processes).collect()),
            ("memory", (4..=60).map(|step| Limit::Memory(step * 128 * KIB)).collect()),
            ("file size", (0..=20).map(|step| Limit::FileSize(step * 100)).collect()),
            ("stack", (1..=16).map(|step| Limit::Stack(step * 4 * KIB)).collect()),
        ]
    }

    /// The words that set it, soft and hard.
    pub fn words(self) -> Vec<String> {
        let (name, value) = match self {
            Limit::Descriptors(count) => ("nofile", count),
            Limit::Processes(count) => ("nproc", count),
            Limit::Memory(bytes) => ("as", bytes),
            Limit::FileSize(bytes) => ("fsize", bytes),
            Limit::Stack(bytes) => ("stack", bytes),
        };
        // No debugger is interested in what dies of it.
        vec![PRLIMIT.to_owned(), "--core=0:0".to_owned(), format!("--{name}={value}:{value}")]
    }

    /// Whether a program may die of it where it stands, which leaves what it had done so far.
    pub fn kills(self) -> bool {
        matches!(self, Limit::Memory(_) | Limit::Stack(_))
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self:?}")
    }
}

/// The program that sets limits.
pub const PRLIMIT: &str = "/usr/bin/prlimit";
const KIB: u64 = 1024;
