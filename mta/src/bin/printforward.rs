//! `printforward`: see printforward(1).

fn main() -> std::process::ExitCode {
    unix::program::run("printforward", mta::aliases::printforward::main)
}
