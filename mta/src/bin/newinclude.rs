//! `newinclude`: see newinclude(1).

fn main() -> std::process::ExitCode {
    unix::program::run("newinclude", mta::aliases::newinclude::main)
}
