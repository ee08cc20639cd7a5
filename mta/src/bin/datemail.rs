//! `datemail`: see datemail(1).

fn main() -> std::process::ExitCode {
    unix::program::run("datemail", mta::receive::inject::predate::datemail)
}
