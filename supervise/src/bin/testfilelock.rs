//! `testfilelock`: see testfilelock(1).
fn main() -> std::process::ExitCode {
    unix::program::run("testfilelock", supervise::testfilelock::main)
}
