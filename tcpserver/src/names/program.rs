//! `tcpnames` looks names and addresses up for programs that are to stay small.
//!
//! Called   `tcpnames question ...`; a question is `name=ADDRESS`, `confirmed=ADDRESS` or `addresses=NAME`.
//! Reads    the DNS.      Writes  fd 1: a line for each question, in order.
//! Runs as  anybody; `tcpserver` starts it for a connection that is to have names.   Trusts  nobody.
//! Exits    0 whatever the answers are · 100 called wrongly · 111 the answers cannot be written.
//! Manual   tcpnames(8).

use super::{Answer, Question, encode};
use crate::dns::{Resolver, Trouble};
use std::io::Write;
use std::net::IpAddr;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::signal::Signal;
use unix::{descriptor, process};

/// Runs the program.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let questions: Option<Vec<Question>> =
        invocation.arguments.iter().map(|argument| Question::decode(argument)).collect();
    let questions = questions.filter(|questions| !questions.is_empty());
    let questions = questions.ok_or_else(|| Failure::usage(USAGE))?;
    // An answer is of no use to anybody but who asked. Without this, it is looked up for nobody; no more.
    let _ = process::signal_at_parents_death(Signal::SIGTERM);
    let resolver = Resolver::from_system();
    for question in &questions {
        let answer = match &resolver {
            Ok(resolver) => answer(resolver, question),
            Err(trouble) => Err(trouble.clone()),
        };
        let line = [encode(&answer).as_slice(), b"\n"].concat();
        descriptor::output()
            .write_all(&line)
            .map_err(|error| Failure::temporary("unable to write answers").because(&error))?;
    }
    Ok(Exit::SUCCESS)
}

fn answer(resolver: &Resolver, question: &Question) -> Answer {
    match question {
        Question::Name(address) => first_name(resolver, *address),
        Question::ConfirmedName(address) => {
            let name = first_name(resolver, *address)?;
            if resolver.addresses(&name)?.contains(address) { Ok(name) } else { Err(Trouble::Absent) }
        }
        Question::Addresses(name) => {
            let addresses: Vec<String> = resolver.addresses(name)?.iter().map(IpAddr::to_string).collect();
            Ok(addresses.join(" ").into_bytes())
        }
    }
}

fn first_name(resolver: &Resolver, address: IpAddr) -> Answer {
    let first = resolver.names(address)?.into_iter().next();
    first.filter(|name| name != b".").ok_or(Trouble::Absent)
}

const USAGE: &str = "tcpnames name=ADDRESS | confirmed=ADDRESS | addresses=NAME ...";
