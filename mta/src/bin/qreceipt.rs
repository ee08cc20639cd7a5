//! `qreceipt`: see qreceipt(1).

fn main() -> std::process::ExitCode {
    unix::program::run("qreceipt", mta::deliver::commands::qreceipt::main)
}
