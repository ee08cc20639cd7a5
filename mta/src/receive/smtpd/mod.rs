//! `qmail-smtpd` takes messages from one SMTP client and hands them to `qmail-queue`.
//!
//! Reads    fd 0: commands and messages.   control/{me, smtpgreeting, localiphost, timeoutsmtpd, rcpthosts,
//!          morercpthosts.cdb, badmailfrom, databytes, maxrecipients, smtpdbarecr, rcptcheck}; with rcptcheck what
//!          decide::recipients reads, in processes of their own.
//!          TCPREMOTEHOST, TCPREMOTEIP, TCPREMOTEINFO, TCPLOCALHOST, TCPLOCALIP, RELAYCLIENT, DATABYTES.
//! Writes   fd 1: replies.   fd 2: why it could not serve.
//! Runs     qmail-queue, or what QMAILQUEUE names, once for each message.
//! Runs as  qmaild.   Trusts  its environment and control files, the client for nothing.
//! Exits    0 after QUIT · 1 otherwise.
//! Manual   qmail-smtpd(8).    Next in the flow: queue::enqueue.
//!
//! Here is the loop, and with [`connection`](crate::server::connection) the only input and output. What a client may do is in
//! [`session`], what a message is on the wire in [`data`], what the administrator allows in [`policy`].

pub mod data;
pub mod path;
pub mod policy;
pub mod reply;
pub mod session;
pub mod verbs;

use crate::control::{Control, Unreadable};
use crate::decide::recipients::LocalRecipients;
use crate::message::received::{Connection as Ends, Protocol};
use crate::queue::client::Submission;
use crate::server::connection::{Connection, Lost, Timeouts};
use crate::server::line::LineReader;
use crate::setup::home::Home;
use data::{Decoder, Progress, Verdict};
use policy::Policy;
use reply::Reply;
use session::{Envelope, Session, Step};
use unix::failure::Failure;
use unix::interface;
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal};
use unix::stamp::Stamp;
use verbs::Command;

/// Every end of a session but QUIT.
const UNFINISHED: Exit = Exit(1);
/// Without `timeoutsmtpd`: seconds that a client has for one command. RFC 5321 §4.5.3.2.7.
const COMMAND_TIMEOUT: u64 = 300;
/// Without `timeoutsmtpd`: seconds that a client may pause within a message.
const PAUSE_TIMEOUT: u64 = 1200;

/// The program's entry.
pub fn main(_: &Invocation) -> Result<Exit, Failure> {
    signal::ignore(Signal::SIGPIPE);
    let mut server = match Server::prepare() {
        Ok(server) => server,
        Err(trouble) => return Err(trouble.tell()),
    };
    match server.serve() {
        Err(End::Lost(lost)) => server.say_farewell(lost),
        Err(End::Trouble(trouble)) => {
            let _ = server.connection.flush();
            return Err(trouble.tell());
        }
        Err(End::HungUp) => {}
        Ok(()) => return Ok(Exit::SUCCESS),
    }
    Ok(UNFINISHED)
}

/// Everything that one session needs.
struct Server {
    home: Home,
    /// What the administrator calls this server.
    name: Vec<u8>,
    ends: Ends,
    connection: Connection,
    session: Session,
}

/// Why a session ends without QUIT.
enum End {
    /// The client cannot be heard or reached any more.
    Lost(Lost),
    /// We ended it, and have said why.
    HungUp,
    /// We cannot go on.
    Trouble(Trouble),
}

/// What the client is told and what the log is told when we cannot serve.
struct Trouble {
    reply: Reply,
    failure: Failure,
}

impl Trouble {
    fn controls(failure: Failure) -> Trouble {
        Trouble { reply: Reply::NoControls, failure }
    }

    /// Tells the client; the failure is for the log. A client that does not listen misses it.
    fn tell(self) -> Failure {
        let timeouts = Timeouts::from_seconds(COMMAND_TIMEOUT, PAUSE_TIMEOUT);
        let mut connection = Connection::new(timeouts);
        let _ = connection.reply(&self.reply.to_bytes(b"")).and_then(|()| connection.flush());
        self.failure.with_status(UNFINISHED)
    }
}

impl From<Lost> for End {
    fn from(lost: Lost) -> End {
        End::Lost(lost)
    }
}

impl Server {
    fn prepare() -> Result<Server, Trouble> {
        let home = Home::of_this_program().map_err(Trouble::controls)?;
        let control = Control::new(home.control());
        let unreadable = |trouble: Unreadable| Trouble::controls(trouble.into());
        let no_name = || Trouble::controls(Failure::temporary("neither control/smtpgreeting nor control/me"));
        let name = control.line_or_me("smtpgreeting").map_err(unreadable)?.ok_or_else(no_name)?;
        let seconds = |default| control.integer("timeoutsmtpd", default).map_err(unreadable);
        let timeouts = Timeouts::from_seconds(seconds(COMMAND_TIMEOUT)?, seconds(PAUSE_TIMEOUT)?);
        let mut policy = Policy::read(&control).map_err(unreadable)?;
        if control.switch("rcptcheck").map_err(unreadable)? {
            let local = LocalRecipients::read(&home, &control).map_err(unreadable)?;
            policy.recipient_check = Some(Box::new(move |recipient| local.ask(recipient.address())));
        }
        Ok(Server {
            home,
            name,
            ends: Ends::from_environment(),
            connection: Connection::new(timeouts),
            session: Session::new(policy),
        })
    }

    /// The whole session, up to QUIT.
    fn serve(&mut self) -> Result<(), End> {
        self.reply(&Reply::Banner)?;
        loop {
            let command = self.read_command()?;
            self.find_own_addresses(&command)?;
            let reply_now = command.ends_a_group();
            let step = self.session.answer(command).map_err(|error| {
                let text = "unable to read control/morercpthosts.cdb";
                End::Trouble(Trouble::controls(Failure::temporary(text).because(&error)))
            })?;
            self.connection.pause(self.session.delay())?;
            match step {
                Step::Reply(reply) if reply_now => self.reply_at_once(&reply)?,
                Step::Reply(reply) => self.reply(&reply)?,
                Step::Message(envelope) => self.message(&envelope)?,
                Step::Quit => return Ok(self.reply_at_once(&Reply::Goodbye)?),
                Step::HangUp(reply) => {
                    self.reply_at_once(&reply)?;
                    return Err(End::HungUp);
                }
            }
        }
    }

    /// Before the first command that may be about one of our addresses.
    fn find_own_addresses(&mut self, command: &Command) -> Result<(), End> {
        if let Command::Mail(argument) | Command::Rcpt(argument) = command
            && self.session.policy().own_literals.need_addresses(argument)
        {
            let addresses = interface::addresses().map_err(|error| {
                let failure = Failure::temporary("unable to find my IP addresses").because(&error);
                End::Trouble(Trouble { reply: Reply::NoOwnAddresses, failure })
            })?;
            self.session.know_own_addresses(addresses);
        }
        Ok(())
    }

    fn read_command(&mut self) -> Result<Command, Lost> {
        let deadline = self.connection.command_deadline();
        let mut reader = LineReader::default();
        loop {
            let (used, line) = reader.feed(self.connection.bytes(deadline)?);
            self.connection.consume(used);
            if let Some(line) = line {
                return Ok(Command::parse(line));
            }
        }
    }

    /// DATA: from the queue's readiness to the queue's answer.
    fn message(&mut self, envelope: &Envelope) -> Result<(), End> {
        let Ok(mut submission) = Submission::start(&self.home) else {
            return Ok(self.reply_at_once(&Reply::QueueNotStarted)?);
        };
        self.reply_at_once(&Reply::GoAhead)?;
        let time = Stamp::now().seconds;
        submission.put(&self.ends.received(Protocol::Smtp, self.session.helo(), time));
        // An early end drops the submission: qmail-queue sees no envelope and removes what it has.
        let verdict = self.receive_message(&mut submission)?;
        let reply = close(submission, envelope, verdict);
        Ok(self.reply_at_once(&reply)?)
    }

    fn receive_message(&mut self, submission: &mut Submission) -> Result<Verdict, End> {
        let policy = self.session.policy();
        let mut decoder = Decoder::new(policy.bare_cr, policy.databytes);
        let mut decoded = Vec::new();
        let mut pace = self.connection.pace();
        loop {
            let bytes = self.connection.message_bytes(&mut pace)?;
            let (used, progress) = decoder.feed(bytes, &mut decoded);
            self.connection.consume(used);
            let fault = match progress {
                Progress::More | Progress::Complete => None,
                Progress::BareLineFeed => Some(Reply::BareLineFeed),
                Progress::BareCarriageReturn => Some(Reply::BareCarriageReturn),
            };
            if let Some(reply) = fault {
                // What follows might be meant as commands by somebody; nobody here will read it.
                self.reply_at_once(&reply)?;
                return Err(End::HungUp);
            }
            submission.put(&decoded);
            decoded.clear();
            if progress == Progress::Complete {
                return Ok(decoder.verdict());
            }
        }
    }

    fn say_farewell(&mut self, lost: Lost) {
        let reply = match lost {
            Lost::Gone => return,
            Lost::Silent => Reply::Timeout,
            Lost::SessionTooLong => Reply::SessionTooLong,
        };
        let _ = self.reply_at_once(&reply);
    }

    fn reply(&mut self, reply: &Reply) -> Result<(), Lost> {
        self.connection.reply(&reply.to_bytes(&self.name))
    }

    fn reply_at_once(&mut self, reply: &Reply) -> Result<(), Lost> {
        self.reply(reply)?;
        self.connection.flush()
    }
}

/// Completes the submission, or lets it fail if the message is not acceptable, and says how it ended.
fn close(submission: Submission, envelope: &Envelope, verdict: Verdict) -> Reply {
    let qp = submission.pid().as_raw();
    let mut out = submission.envelope(envelope.sender.address());
    if verdict != Verdict::Acceptable {
        out.abandon();
    }
    for recipient in &envelope.recipients {
        out.recipient(recipient.address());
    }
    let result = out.close();
    match (verdict, result) {
        (Verdict::TooManyHops, _) => Reply::TooManyHops,
        (Verdict::TooLarge, _) => Reply::TooLarge,
        (Verdict::Acceptable, Ok(())) => Reply::Queued { time: Stamp::now().seconds, qp },
        (Verdict::Acceptable, Err(refusal)) => Reply::Refused(refusal),
    }
}
