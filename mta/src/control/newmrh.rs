//! `qmail-newmrh` puts the long list of recipient hosts into force, by making a database of it.
//!
//! Reads    control/morercpthosts.   Writes  control/morercpthosts.cdb, in one step.
//! Runs as  root, by hand.           Trusts  the administrator who wrote the list.
//! Exits    0 · 111 nothing was changed.
//! Manual   qmail-newmrh(8).    Read by: control::rcpthosts.

use super::{Control, items_with_nuls};
use crate::setup::home::Home;
use std::io;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::{cdb, file, process};

/// The program's entry.
pub fn main(_: &Invocation) -> Result<Exit, Failure> {
    process::set_umask(0o033);
    let control = Control::new(Home::of_this_program()?.control());
    // A missing list is an error here: an empty database in its place would refuse mail.
    let text = match control.read(LIST)? {
        Some(text) => text,
        None => {
            let absent = io::ErrorKind::NotFound.into();
            return Err(Failure::temporary(format!("unable to read control/{LIST}")).because(&absent));
        }
    };
    let unable = |error: io::Error| {
        Failure::temporary(format!("unable to replace control/{LIST}.cdb")).because(&error)
    };
    let database = compile(&text).map_err(unable)?;
    let (path, aside) = (control.path("morercpthosts.cdb"), control.path("morercpthosts.tmp"));
    file::replace(&path, &aside, &database, 0o644).map_err(unable)?;
    Ok(Exit::SUCCESS)
}

/// A record without data for each host, in lower case.
fn compile(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut builder = cdb::Builder::in_memory();
    for item in items_with_nuls(text) {
        builder.add(&item.to_ascii_lowercase(), b"")?;
    }
    Ok(builder.finish()?.into_inner())
}

const LIST: &str = "morercpthosts";
