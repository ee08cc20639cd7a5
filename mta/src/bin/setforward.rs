//! `setforward`: see setforward(1).

fn main() -> std::process::ExitCode {
    unix::program::run("setforward", mta::aliases::setforward::main)
}
