//! `qmail-explain`: see qmail-explain(8).

fn main() -> std::process::ExitCode {
    unix::program::run("qmail-explain", mta::decide::explain::main)
}
