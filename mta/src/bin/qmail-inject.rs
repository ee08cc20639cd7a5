//! `qmail-inject`: see qmail-inject(1).

fn main() -> std::process::ExitCode {
    unix::program::run("qmail-inject", mta::receive::inject::main)
}
