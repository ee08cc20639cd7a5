//! `qbiff`: see qbiff(1).

fn main() -> std::process::ExitCode {
    unix::program::run("qbiff", mta::deliver::commands::qbiff::main)
}
