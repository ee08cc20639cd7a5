//! POP3 in a try-out: its port, and the one name and password that it knows.
//!
//! The passwords of the system are none of its business, and without root it could not read them. So a script in the
//! service directory checks a password of its own, which is made anew for each run.

use super::super::home::{Home, Role};
use super::super::{services, trouble};
use super::DEFAULT_PORT;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use unix::failure::Failure;

/// The port beside the default port of SMTP.
const PORT: u16 = 2110;

/// What a client has to know, and qmail-popup.
pub struct Pop3 {
    /// The port.
    pub port: u16,
    /// The name of the user.
    pub user: String,
    /// The password.
    pub password: String,
    /// The program that checks it.
    pub check: PathBuf,
}

impl Pop3 {
    /// Chooses a port and a password, and writes the program.
    pub fn prepare(home: &Home, smtp_port: u16) -> Result<Pop3, Failure> {
        let port = free_port(smtp_port)
            .map_err(|error| Failure::temporary("unable to find a port for POP3").because(&error))?;
        let password = new_password()
            .map_err(|error| Failure::temporary("unable to make a password").because(&error))?;
        let user = home.account(Role::Alias)?.name;
        let directory = services::directory(home, "pop3d");
        let check = directory.join("check");
        fs::create_dir_all(&directory)
            .and_then(|()| put(&directory.join("password"), 0o600, &format!("{user}\n{password}\n")))
            .and_then(|()| put(&check, 0o700, CHECK))
            .map_err(|error| trouble("write", &check, &error))?;
        Ok(Pop3 { port, user, password, check })
    }
}

/// The usual port beside the usual one of SMTP, if nobody has it; otherwise one that the system gives.
fn free_port(smtp_port: u16) -> io::Result<u16> {
    let usual = if smtp_port == DEFAULT_PORT { PORT } else { 0 };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, usual));
    let listener = listener.or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    Ok(listener.local_addr()?.port())
}

/// Twelve letters and digits, of 48 random bits.
fn new_password() -> io::Result<String> {
    let mut bytes = [0; 6];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn put(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let mut file = File::options().write(true).create(true).truncate(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    file.set_permissions(fs::Permissions::from_mode(mode))
}

/// As checkpassword(8): name and password come on descriptor 3, and the arguments are run for the user, in his home.
const CHECK: &str = r#"#!/bin/sh
# Checks the one name and password of this try-out, which are in the file beside it.
directory=${0%/*}
given=$(tr '\0' '\n' <&3 | head -n 2)
exec 3<&-
[ "$given" = "$(cat "$directory/password")" ] || exit 1
cd "$directory/../../mail" || exit 111
HOME=$PWD
export HOME
exec "$@"
"#;
