//! `mailsubj`: see mailsubj(1).

fn main() -> std::process::ExitCode {
    unix::program::run("mailsubj", mta::receive::inject::mailsubj::main)
}
