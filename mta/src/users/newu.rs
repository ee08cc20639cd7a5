//! `qmail-newu` puts the assignments of `users/assign` into force, by making `users/cdb` of them.
//!
//! Reads    users/assign.      Writes  users/cdb, in one step: lookups see the old table or the new one.
//! Runs as  root, by hand.     Trusts  the administrator who wrote the table.
//! Exits    0 · 111 nothing was changed.
//! Manual   qmail-newu(8), qmail-users(5).

use super::assign::{self, CompileError};
use crate::setup::home::Home;
use std::io::Read;
use std::path::Path;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::{file, process};

/// The program's entry.
pub fn main(_: &Invocation) -> Result<Exit, Failure> {
    // qmail-lspawn is not the only reader: the table is no secret, but only its owner changes it.
    process::set_umask(0o033);
    let users = Home::of_this_program()?.path().join("users");
    let text = read(&users.join("assign"))?;
    let database = assign::compile(&text).map_err(|error| match error {
        CompileError::BadFormat => Failure::temporary("bad format in users/assign"),
        CompileError::TooLarge(error) => Failure::temporary("unable to write users/cdb.tmp").because(&error),
    })?;
    file::replace(&users.join("cdb"), &users.join("cdb.tmp"), &database, 0o644)
        .map_err(|error| Failure::temporary("unable to replace users/cdb").because(&error))?;
    Ok(Exit::SUCCESS)
}

fn read(assign: &Path) -> Result<Vec<u8>, Failure> {
    let mut file = file::open_read(assign)
        .map_err(|error| Failure::temporary("unable to open users/assign").because(&error))?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)
        .map_err(|error| Failure::temporary("unable to read users/assign").because(&error))?;
    Ok(text)
}
