//! For build scripts: links programs statically, where the system's C library allows it, so that they start sooner.
//!
//! A message costs several process starts, and a machine runs one supervise for each service. Without dynamic loading and
//! relocation a program owns about half the memory, and is there in about two thirds of the time.
//!
//! Cargo links statically by `-C target-feature=+crt-static`, but only a whole build, so this says it to the linker:
//! of each library that the standard library asks for it finds, in a directory of ours, the static one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// What the standard library is linked with, and the static libraries for each.
const LIBRARIES: [(&str, &[&str]); 7] = [
    ("libc.so", &["libc.a"]),
    ("libdl.so", &["libdl.a"]),
    COMPILERS_LIBRARY,
    ("libm.so", &["libm.a"]),
    ("libpthread.so", &["libpthread.a"]),
    ("librt.so", &["librt.a"]),
    ("libutil.so", &["libutil.a"]),
];

/// The compiler's own library, which walks the stack after a panic.
const COMPILERS_LIBRARY: (&str, &[&str]) = ("libgcc_s.so", &["libgcc_eh.a", "libgcc.a"]);

/// How programs are linked.
#[derive(Clone, Copy, Debug)]
pub enum Linking {
    /// Statically, at a fixed address: the soonest start.
    Fixed,
    /// Statically, at an address that the kernel chooses anew each time: for programs that read what strangers send.
    Anywhere,
    /// With the shared C library, which loads what reads the user databases, but with no other.
    SharedLibc,
}

/// Links the programs of this package so. Where that is not possible they are linked as ever.
///
/// For those that look up users only [`Linking::SharedLibc`] will do: without it the C library cannot load what they need.
///
/// # Panics
/// Outside a build script.
pub fn link(programs: &[&str], linking: Linking) {
    let (name, libraries, arguments): (_, &[_], &[_]) = match linking {
        Linking::Fixed => ("static", &LIBRARIES, &["-static", "-no-pie"]),
        Linking::Anywhere => ("static", &LIBRARIES, &["-static-pie"]),
        Linking::SharedLibc => ("shared", &[COMPILERS_LIBRARY], &[]),
    };
    let directory = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names a directory")).join(name);
    fs::create_dir_all(&directory).expect("a directory");
    if !is_native_glibc() || !libraries.iter().all(|(name, parts)| stand_in(&directory.join(name), parts)) {
        return;
    }
    let place = format!("-L{}", directory.display());
    for program in programs {
        for argument in arguments.iter().copied().chain([place.as_str()]) {
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

/// Writes what the linker takes for a library, and which names the static ones; false if one of them is missing.
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
