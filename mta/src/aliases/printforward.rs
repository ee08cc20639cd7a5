//! `printforward` turns the database of fastforward back into a table that setforward reads.
//!
//! Reads    fd 0: the database.      Writes  fd 1: the table.
//! Runs as  anybody.   Trusts  nothing in the database.
//! Exits    0 · 100 it is none, or cut off · 111 trouble reading or writing.
//! Manual   printforward(1).

use super::table;
use std::io::{self, BufReader, BufWriter, Write};
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::{cdb, descriptor};

/// The program's entry.
pub fn main(_: &Invocation) -> Result<Exit, Failure> {
    let mut output = BufWriter::new(descriptor::output());
    let mut unwritable = None;
    let printed = cdb::for_each_record(BufReader::new(descriptor::input()), |key, data| {
        let text = table::write(key, data).ok_or(io::ErrorKind::InvalidData)?;
        output.write_all(&text).inspect_err(|error| unwritable = error.raw_os_error())
    });
    if let Some(number) = unwritable {
        return Err(unable_to_write(&io::Error::from_raw_os_error(number)));
    }
    output.flush().map_err(|error| unable_to_write(&error))?;
    match printed {
        Ok(()) => Ok(Exit::SUCCESS),
        Err(error) if cdb::is_damage(&error) || error.kind() == io::ErrorKind::InvalidData => {
            Err(Failure::permanent("bad database format"))
        }
        Err(error) => Err(Failure::temporary("unable to read input").because(&error)),
    }
}

fn unable_to_write(error: &io::Error) -> Failure {
    Failure::temporary("unable to write output").because(error)
}
