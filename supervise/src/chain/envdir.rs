//! `envdir` runs a program with variables that are the files of a directory.
//!
//! Reads    the first line of each file whose name does not begin with a dot.    Writes  nothing.
//! Runs as  anybody who may read the files.    Trusts  whoever may write to the directory.
//! Exits    with the status of the program · 111 anything else, wrong usage too.
//! Manual   envdir(8).
//!
//! Blanks at the end of a value are cut off, and a NUL in it stands for a newline. An empty file takes the
//! variable away. The program is looked for along the PATH from before these changes.

use super::{Chained, unable_to_run, word_and_program};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use unix::directory::{self, WorkingDirectory};
use unix::environment::Environment;
use unix::exec::{Search, exec_along};
use unix::failure::Failure;
use unix::file;
use unix::program::{Exit, Invocation};

/// Runs `envdir`.
pub fn main(invocation: &Invocation) -> Chained {
    let (name, program) = word_and_program(invocation, "envdir dir child")
        .map_err(|failure| failure.with_status(Exit::TEMPORARY))?;
    let start = WorkingDirectory::current()
        .map_err(|error| fatal(&[b"unable to switch to current directory"], &error))?;
    directory::enter(Path::new(OsStr::from_bytes(name)))
        .map_err(|error| fatal(&[b"unable to switch to directory ", name], &error))?;
    let inherited = invocation.environment();
    let mut environment = inherited.clone();
    read_directory(name, &mut environment)?;
    start.enter().map_err(|error| fatal(&[b"unable to switch to starting directory"], &error))?;
    let error = exec_along(inherited.get("PATH"), program, &environment, Search::Path);
    Err(unable_to_run(program, &error))
}

/// Applies the files of the working directory, which is called `name`.
fn read_directory(name: &[u8], environment: &mut Environment) -> Result<(), Failure> {
    let unreadable = |error: io::Error| fatal(&[b"unable to read directory ", name], &error);
    for entry in fs::read_dir(".").map_err(unreadable)? {
        let variable = entry.map_err(unreadable)?.file_name();
        if variable.as_bytes().starts_with(b".") {
            continue;
        }
        // A link to nowhere counts as an empty file, as it always has.
        let contents = file::read_if_present(Path::new(&variable))
            .map_err(|error| fatal(&[b"unable to read ", name, b"/", variable.as_bytes()], &error))?;
        apply(environment, variable.as_bytes(), &contents.unwrap_or_default());
    }
    Ok(())
}

/// A name may contain `=`, and then part of it is value: the file `A=b` with the line `c` sets `A` to `b=c`.
fn apply(environment: &mut Environment, name: &[u8], contents: &[u8]) {
    let entry = match contents {
        b"" => name.to_vec(),
        _ => [name, b"=", &value(contents)].concat(),
    };
    let mut parts = entry.splitn(2, |byte| *byte == b'=');
    environment.set_or_remove(parts.next().unwrap_or_default(), parts.next());
}

fn value(contents: &[u8]) -> Vec<u8> {
    let line = contents.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let blanks = line.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let kept = line.len().saturating_sub(blanks);
    line.iter().take(kept).map(|byte| if *byte == 0 { b'\n' } else { *byte }).collect()
}

fn fatal(text: &[&[u8]], error: &io::Error) -> Failure {
    Failure::temporary(text.concat()).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(name: &str, contents: &str) -> Environment {
        let mut environment = Environment::empty();
        environment.set("A", "old");
        apply(&mut environment, name.as_bytes(), contents.as_bytes());
        environment
    }

    #[test]
    fn a_value_is_the_first_line_without_blanks_at_its_end() {
        for (contents, expected) in [
            ("new", "new"),
            ("new\nmore\n", "new"),
            (" new \t \n", " new"),
            ("\n", ""),
            ("two\0lines", "two\nlines"),
        ] {
            assert_eq!(applied("A", contents).get("A"), Some(expected.as_bytes()));
        }
    }

    #[test]
    fn an_empty_file_takes_the_variable_away() {
        assert_eq!(applied("A", ""), Environment::empty());
    }

    #[test]
    fn a_name_may_hold_a_part_of_the_value() {
        assert_eq!(applied("A=b", "c").get("A"), Some(b"b=c".as_slice()));
        assert_eq!(applied("A=b", "").get("A"), Some(b"b".as_slice()));
    }
}
