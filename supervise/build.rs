//! Links the programs that never look up users statically, at a fixed address, where the system's C library allows it.
//!
//! A machine runs one supervise for each service, and each service starts through several of the others: without
//! dynamic loading and relocation, supervise owns about half the memory, and a program is there in about two thirds of the time.
//! Programs that look up users stay dynamic: the C library loads what reads its user databases.
//!
//! Cargo links statically by `-C target-feature=+crt-static`, but only a whole build, so this says it to the linker:
//! of each library that the standard library asks for it finds, in a directory of ours, the static one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

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

/// What the standard library is linked with, and the static library for each.
const LIBRARIES: [(&str, &[&str]); 7] = [
    ("libc.so", &["libc.a"]),
    ("libdl.so", &["libdl.a"]),
    ("libgcc_s.so", &["libgcc_eh.a", "libgcc.a"]),
    ("libm.so", &["libm.a"]),
    ("libpthread.so", &["libpthread.a"]),
    ("librt.so", &["librt.a"]),
    ("libutil.so", &["libutil.a"]),
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let directory = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names a directory"));
    if !is_native_glibc() || !LIBRARIES.iter().all(|(name, parts)| stand_in(&directory.join(name), parts)) {
        return;
    }
    for program in PROGRAMS {
        for argument in ["-static", "-no-pie", &format!("-L{}", directory.display())] {
            println!("cargo::rustc-link-arg-bin={program}={argument}");
        }
    }
}

/// Whether the libraries of this machine are those to link with, and no other choice was made.
fn is_native_glibc() -> bool {
    let set = |name| env::var(name).unwrap_or_default();
    set("HOST") == set("TARGET")
        && set("CARGO_CFG_TARGET_OS") == "linux"
        && set("CARGO_CFG_TARGET_ENV") == "gnu"
        && !set("CARGO_CFG_TARGET_FEATURE").split(',').any(|feature| feature == "crt-static")
}

/// Writes what the linker takes for a library, and which names the static ones; nothing if one of them is missing.
fn stand_in(path: &Path, parts: &[&str]) -> bool {
    let Some(found) = parts.iter().map(|part| library(part)).collect::<Option<Vec<String>>>() else {
        return false;
    };
    fs::write(path, format!("GROUP ( {} )\n", found.join(" "))).is_ok()
}

/// The path of a library of the C compiler, which links for rustc. One that it does not have it calls by the bare name.
fn library(name: &str) -> Option<String> {
    let output = Command::new("cc").arg(format!("-print-file-name={name}")).output().ok()?;
    let path = String::from_utf8(output.stdout).ok()?.trim_end().to_owned();
    Path::new(&path).is_absolute().then_some(path)
}
