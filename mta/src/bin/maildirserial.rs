//! `maildirserial`: see maildirserial(1).

fn main() -> std::process::ExitCode {
    unix::program::run("maildirserial", mta::serial::maildirserial::main)
}
