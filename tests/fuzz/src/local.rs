//! Header fields, instructions, and users.

use crate::file_of;
use mta::deliver::local::instruction::Instructions;
use mta::message::address::{Completion, rewrite_field, value};
use mta::message::header_field::read_header;
use mta::message::{quote, tokens};
use mta::users::{Controller, assign};
use unix::cdb::Reader;

/// A header: each field of addresses is rewritten to one field, whose lines all belong to it.
///
/// The result need not be a fixed point: an escaped blank or comma in an atom loses its backslash, as documented. And a
/// backslash at the end of a line makes the line end part of the address, as ever; qmail-queue refuses such a recipient.
pub fn header_rewriting(bytes: &[u8]) {
    let Ok(header) = read_header(&mut &bytes[..], 100_000) else { return };
    let completion = Completion::new(b"host", b"plus.example", b"example.org").expect("names");
    for field in header.fields {
        let Some(once) = rewritten(&field, &completion) else { continue };
        let _ = rewritten(&once, &completion);
        if field.windows(2).any(|pair| pair == b"\\\n") {
            continue;
        }
        for (end, _) in once.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
            let next = once.get(end + 1);
            assert!(
                next.is_none_or(|byte| matches!(byte, b' ' | b'\t')),
                "{} from {}",
                once.escape_ascii(),
                field.escape_ascii()
            );
        }
    }
    let _ = completion.rewrite_argument(bytes);
    let _ = quote::address(bytes);
}

fn rewritten(field: &[u8], completion: &Completion) -> Option<Vec<u8>> {
    let tokens = tokens::lex(field).ok()?;
    rewrite_field(tokens, |address| {
        completion.rewrite(address);
        let _ = value(address);
    })
    .ok()
}

/// A `.qmail` file: every line is an instruction, a refusal or nothing.
pub fn dot_qmail(bytes: &[u8]) {
    for forward_only in [false, true] {
        let count = Instructions::new(bytes, forward_only).count();
        assert!(count <= bytes.split(|byte| *byte == b'\n').count());
    }
}

/// `users/assign`: what compiles is found, and every record that is found is a whole one.
pub fn users_assign(bytes: &[u8]) {
    let Ok(database) = assign::compile(bytes) else { return };
    let database = Reader::new(file_of(&database)).expect("a database");
    for name in bytes.split(|byte| matches!(byte, b'\n' | b':')) {
        let name = name.get(1..).unwrap_or_default();
        if let Ok(Some((controller, _))) = assign::find(&database, name) {
            assert!(Controller::decode(&controller.encode()).is_some());
        }
    }
}

/// M5: any bytes as a database of users: an answer or a refusal, for every key.
pub fn users_cdb(bytes: &[u8]) {
    let Ok(database) = Reader::new(file_of(bytes)) else { return };
    for local in [&b""[..], b"joe", b"joe-ext", b"root", b"\xff"] {
        let _ = assign::find(&database, local);
    }
}
