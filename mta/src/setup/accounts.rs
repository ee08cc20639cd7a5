//! `qmail-setup accounts`: the accounts and groups of the mail system, made with the system's own programs.

use super::home::{DEFAULT_HOME, NO_FILES_GROUP, QUEUE_GROUP, Role};
use super::{hierarchy, say};
use std::process::Command;
use unix::account;
use unix::failure::Failure;
use unix::program::Exit;

/// Makes those that are missing, and says which.
pub fn create_missing() -> Result<Exit, Failure> {
    for group in [QUEUE_GROUP, NO_FILES_GROUP] {
        if account::find_group(group).ok().flatten().is_none() {
            system_command("groupadd", &["--system", group])?;
            say(format!("made group {group}"));
        }
    }
    for (role, group) in hierarchy::accounts() {
        let name = role.name();
        if account::find_user(name.as_bytes()).ok().flatten().is_none() {
            let home =
                if role == Role::Alias { format!("{DEFAULT_HOME}/alias") } else { DEFAULT_HOME.to_owned() };
            let options =
                ["--system", "--no-create-home", "--shell", "/bin/false", "--gid", group, "--home-dir"];
            system_command("useradd", &[&options[..], &[home.as_str(), name]].concat())?;
            say(format!("made user {name}"));
        }
    }
    Ok(Exit::SUCCESS)
}

fn system_command(program: &str, arguments: &[&str]) -> Result<(), Failure> {
    let failed = || Failure::temporary(format!("unable to run {program} {}", arguments.join(" ")));
    let status = Command::new(program).args(arguments).status().map_err(|error| failed().because(&error))?;
    if status.success() { Ok(()) } else { Err(failed()) }
}
