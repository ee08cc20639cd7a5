//! `setforward` compiles a forwarding table into the database that fastforward reads.
//!
//! Called  `setforward data.cdb data.tmp`, the second being a name in the same directory.
//! Reads    fd 0: the table.      Writes  data.tmp, which then becomes data.cdb.
//! Runs as  whoever may write the database.   Trusts  its caller.
//! Exits    0 the new table is on disk · 100 the table is wrong · 111 trouble with a file; data.cdb is as it was.
//! Manual   setforward(1).    Next in the flow: aliases::fastforward.

use super::{output, table};
use std::io::Read;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::{descriptor, inherited, process};

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let [database, temporary, ..] = invocation.arguments.as_slice() else {
        return Err(Failure::usage("setforward data.cdb data.tmp"));
    };
    process::set_umask(0o033);
    let text = read_input()?;
    let records = table::parse(&text).map_err(|malformed| Failure::permanent(malformed.text()))?;
    let bytes = table::build(&records).map_err(|error| {
        Failure::temporary([b"unable to write to ".as_slice(), temporary].concat()).because(&error)
    })?;
    output::replace(database, temporary, &bytes)?;
    Ok(Exit::SUCCESS)
}

/// All of standard input. (A table that is not given is not an empty one.)
pub(super) fn read_input() -> Result<Vec<u8>, Failure> {
    let unreadable = |error| Failure::temporary("unable to read input").because(&error);
    inherited::check(0).map_err(unreadable)?;
    let mut text = Vec::new();
    descriptor::input().read_to_end(&mut text).map_err(unreadable)?;
    Ok(text)
}
