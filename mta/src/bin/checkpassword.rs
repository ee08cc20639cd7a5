//! `checkpassword`: see checkpassword(8).

fn main() -> std::process::ExitCode {
    unix::program::run("checkpassword", mta::retrieve::checkpassword::main)
}
