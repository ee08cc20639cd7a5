//! `fastforward`: see fastforward(1).

fn main() -> std::process::ExitCode {
    unix::program::run("fastforward", mta::aliases::fastforward::main)
}
