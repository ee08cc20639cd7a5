//! `qmail-inject` completes the header of a user's message and queues it.
//!
//! Reads    fd 0: the message; control/{me, defaultdomain, defaulthost, plusdomain, idhost}; the file that
//!          QMAILMFTFILE names.
//! Writes   fd 1: the message, with -n alone.
//! Runs as  the user.   Trusts  its caller; the message may come from anybody.
//! Exits    0 queued · 100 the message, an address or an option is wrong, or the queue refuses it · 111 try later.
//! Manual   qmail-inject(8), qmail-header(5).    Next in the flow: queue::enqueue.
//!
//! A message whose header cannot be completed is refused before the queue program is started. The body is
//! copied as it comes and never held in memory.

mod failure;
mod fields;
pub mod mailsubj;
mod missing_fields;
mod options;
mod output;
pub mod predate;
mod recipients;
mod rewrite;
mod sender;
pub mod sendmail;

use crate::control::{self, Control, NameSet};
use crate::message::header_field::{self, Header, HeaderError};
use crate::message::tokens::Malformed;
use crate::setup::home::Home;
use fields::Fields;
use missing_fields::Sources;
use options::{Options, Wishes};
use output::{Envelope, Output};
use rewrite::Values;
use sender::Identity;
use std::ffi::OsStr;
use std::io::BufReader;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use unix::environment::Environment;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal};
use unix::stamp::Stamp;
use unix::{descriptor, file, inherited, process};

/// The longest header in bytes. A list of 100,000 recipients fits.
const HEADER_LIMIT: usize = 4 * 1024 * 1024;

/// What makes the names of this message unique: the time of the start, and our process number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Moment {
    /// Seconds since 1970.
    seconds: u64,
    pid: i32,
}

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    // With -n, output that nobody reads is a failure to report.
    signal::ignore(Signal::SIGPIPE);
    let moment = Moment { seconds: Stamp::now().seconds, pid: process::own_pid().as_raw() };
    let home = Home::of_this_program()?;
    let environment = invocation.environment();
    let identity = Identity::from_environment(&environment);
    let wishes = Wishes::from_environment(&environment);
    let mailing_lists = read_mailing_lists(&environment)?;
    let Values { completion, id_host } = Values::read(&Control::new(home.control()), &environment)?;
    let options = Options::parse(invocation)?;

    let complete = |sender: &Vec<u8>| completion.rewrite_argument(sender);
    let given_sender = options.sender.as_ref().map(complete).transpose();
    let given_sender = given_sender
        .map_err(|Malformed| failure::unparsable_line(options.sender.as_deref().unwrap_or_default()))?;
    let arguments = recipients::from_arguments(&options, &completion)?;

    // No message is not an empty message.
    inherited::check(0).map_err(|error| failure::unreadable_message(&error))?;
    let mut input = BufReader::new(descriptor::input());
    let Header { fields, body_start } = read_header(&mut input)?;
    let mut fields = Fields::treat(&fields, wishes, &completion)?;
    let sender = match given_sender.or(fields.return_path.take()) {
        Some(sender) => sender,
        None => identity
            .default_sender(wishes, moment, &completion)
            .map_err(|Malformed| failure::unparsable_line(&identity.sender_user))?,
    };
    let sources = Sources {
        identity: &identity,
        wishes,
        moment,
        completion: &completion,
        id_host: &id_host,
        mailing_lists: mailing_lists.as_ref(),
    };
    let missing = sources.missing_in(&fields)?;
    let is_resent = fields.is_resent();
    let recipients = recipients::of_envelope(options.recipients, arguments, fields.recipients, is_resent);

    let envelope = Envelope { sender, recipients };
    let mut output = Output::start(options.destination, &home, &envelope)?;
    output.put(&missing)?;
    output.put(&fields.kept)?;
    output.put_body(&body_start, &mut input)?;
    output.finish(&envelope)?;
    Ok(Exit::SUCCESS)
}

/// The file that QMAILMFTFILE names is a control list, one address a line. No such file: no such lists.
fn read_mailing_lists(environment: &Environment) -> Result<Option<NameSet>, Failure> {
    let Some(path) = environment.get("QMAILMFTFILE") else { return Ok(None) };
    let text = file::read_if_present(Path::new(OsStr::from_bytes(path)))
        .map_err(|error| failure::unreadable_list_file(path, &error))?;
    Ok(text.map(|text| NameSet::new(control::items(&text))))
}

fn read_header(input: &mut BufReader<descriptor::Standard>) -> Result<Header, Failure> {
    header_field::read_header(input, HEADER_LIMIT).map_err(|error| match error {
        HeaderError::TooLong => failure::header_too_long(HEADER_LIMIT),
        HeaderError::Read(error) => failure::unreadable_message(&error),
    })
}
