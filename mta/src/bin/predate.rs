//! `predate`: see predate(1).

fn main() -> std::process::ExitCode {
    unix::program::run("predate", mta::receive::inject::predate::main)
}
