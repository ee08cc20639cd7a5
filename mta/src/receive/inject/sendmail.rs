//! `sendmail` lets programs that know only sendmail send their mail: it becomes the program of ours they mean.
//!
//! Reads    nothing; the program that it becomes reads fd 0.      Writes  nothing.
//! Runs as  the user.   Trusts  its caller.
//! Exits    100 wrong usage · 111 that program cannot be run · otherwise what that program exits with.
//! Manual   sendmail(1).    Next in the flow: receive::inject (or receive::smtpd with -bs, queue::qread with -bp).
//!
//! Without `-t`, recipients in the header never count. Input ends where it ends: a line with a lone dot is part
//! of the message, with `-oi` and without.

use crate::setup::home::Home;
use std::os::unix::ffi::OsStrExt;
use unix::environment::Environment;
use unix::exec::{self, Search};
use unix::failure::Failure;
use unix::options::OptionError;
use unix::program::{Exit, Invocation};

const USAGE: &str = "sendmail [ -t ] [ -fsender ] [ -Fname ] [ -bp ] [ -bs ] [ arg ... ]";

/// Options that begin with these letters are sendmail's; those that we do not act on are passed over, with
/// their arguments: `-N`, `-R` and `-V` ask for delivery status notifications, `-O` and `-o` set options.
const LETTERS: &str = "vimte:f:p:o:B:F:EJxb:N:R:V:O:";

/// What a call of sendmail means.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Request {
    /// Show the queue.
    ListQueue,
    /// Speak SMTP on standard input and output.
    Smtp {
        /// `-F`
        name: Option<Vec<u8>>,
    },
    /// Rebuild the alias database, which is another package's.
    RebuildAliases,
    /// Queue the message on standard input.
    Inject(Injection),
}

/// How a message is to be queued.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Injection {
    /// `-t`: the header's recipients count too.
    header_recipients: bool,
    /// `-f`
    sender: Option<Vec<u8>>,
    /// `-F`
    name: Option<Vec<u8>>,
    recipients: Vec<Vec<u8>>,
}

/// A program and the environment to run it in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Command {
    program: &'static str,
    arguments: Vec<Vec<u8>>,
    environment: Environment,
}

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let home = Home::of_this_program()?;
    std::env::set_current_dir(home.path())
        .map_err(|error| Failure::temporary("unable to switch to qmail home directory").because(&error))?;
    let command = Request::parse(invocation)?.command(invocation.environment())?;
    let program = home.program(command.program).as_os_str().as_bytes().to_vec();
    let words: Vec<Vec<u8>> = [program].into_iter().chain(command.arguments).collect();
    let error = exec::exec(&words, &command.environment, Search::Direct);
    Err(Failure::temporary(format!("unable to run {}", command.program)).because(&error))
}

impl Request {
    /// Reads the command line, and the name that the program was called by.
    fn parse(invocation: &Invocation) -> Result<Request, Failure> {
        let mut injection = Injection::default();
        let mut options = invocation.options(LETTERS);
        let usage = |error: OptionError| error.with_usage(USAGE);
        while let Some(option) = options.next_option().map_err(usage)? {
            match option.letter {
                b't' => injection.header_recipients = true,
                b'f' => injection.sender = Some(option.argument),
                b'F' => injection.name = Some(option.argument),
                b'b' => match option.argument.first() {
                    Some(b'm') => {}
                    Some(b'p') => return Ok(Request::ListQueue),
                    Some(b's') => return Ok(Request::Smtp { name: injection.name }),
                    _ => return Err(Failure::usage(USAGE)),
                },
                b'E' | b'J' => options.skip_cluster(),
                _ => {}
            }
        }
        injection.recipients = options.operands().to_vec();
        Ok(match invocation.called_as.as_slice() {
            b"mailq" => Request::ListQueue,
            b"newaliases" => Request::RebuildAliases,
            _ => Request::Inject(injection),
        })
    }

    /// What to run.
    fn command(self, mut environment: Environment) -> Result<Command, Failure> {
        match self {
            Request::ListQueue => Ok(Command { program: "qmail-qread", arguments: Vec::new(), environment }),
            Request::Smtp { name } => {
                set_name(&mut environment, name);
                set_local_connection(&mut environment);
                Ok(Command { program: "qmail-smtpd", arguments: Vec::new(), environment })
            }
            Request::RebuildAliases => Err(Failure::permanent("please use fastforward/newaliases instead")),
            Request::Inject(injection) => Ok(injection.command(environment)),
        }
    }
}

impl Injection {
    fn command(self, mut environment: Environment) -> Command {
        let source: &[u8] = if self.header_recipients { b"-H" } else { b"-a" };
        let mut arguments = vec![source.to_vec()];
        set_name(&mut environment, self.name);
        if let Some(sender) = self.sender {
            set_user(&mut environment, &sender);
            arguments.extend([b"-f".to_vec(), sender]);
        }
        arguments.push(b"--".to_vec());
        arguments.extend(self.recipients);
        Command { program: "qmail-inject", arguments, environment }
    }
}

fn set_name(environment: &mut Environment, name: Option<Vec<u8>>) {
    if let Some(name) = name {
        environment.set("MAILNAME", name);
    }
}

/// With `-f`, the From field that is added names the same address, and nobody's personal name: not even that of
/// `-F`, as in netqmail and notqmail.
fn set_user(environment: &mut Environment, sender: &[u8]) {
    for name in ["QMAILNAME", "MAILNAME", "NAME", "QMAILHOST", "MAILHOST"] {
        environment.remove(name);
    }
    let at = sender.iter().rposition(|byte| *byte == b'@');
    match at.and_then(|at| sender.split_at_checked(at)) {
        Some((user, at_host)) => {
            environment.set("QMAILUSER", user);
            environment.set("QMAILHOST", at_host.strip_prefix(b"@").unwrap_or(at_host));
        }
        None => environment.set("QMAILUSER", sender),
    }
}

/// qmail-smtpd describes its client by these variables: here a program of this host, which may relay.
fn set_local_connection(environment: &mut Environment) {
    if environment.get("PROTO").is_some() {
        return;
    }
    for (name, value) in [
        ("RELAYCLIENT", ""),
        ("DATABYTES", "0"),
        ("PROTO", "TCP"),
        ("TCPLOCALIP", "127.0.0.1"),
        ("TCPLOCALHOST", "localhost"),
        ("TCPREMOTEIP", "127.0.0.1"),
        ("TCPREMOTEHOST", "localhost"),
        ("TCPREMOTEINFO", "sendmail-bs"),
    ] {
        environment.set(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(called_as: &str, words: &[&str]) -> Result<Request, Failure> {
        let arguments = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let called_as = called_as.as_bytes().to_vec();
        Request::parse(&Invocation { name: "sendmail", called_as, arguments })
    }

    fn command(words: &[&str], variables: &[(&str, &str)]) -> Command {
        let mut environment = Environment::empty();
        for (name, value) in variables {
            environment.set(name, value);
        }
        parse("sendmail", words).unwrap().command(environment).unwrap()
    }

    fn arguments(words: &[&str]) -> Vec<String> {
        let command = command(words, &[]);
        assert_eq!(command.program, "qmail-inject");
        command.arguments.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    }

    #[test]
    fn what_applications_pass_is_understood() {
        assert_eq!(arguments(&["-oem", "-oi", "-t"]), ["-H", "--"]);
        assert_eq!(
            arguments(&["-i", "-FCronDaemon", "-odi", "-oem", "-B8BITMIME", "joe"]),
            ["-a", "--", "joe"]
        );
        assert_eq!(
            arguments(&["-i", "-f", "a@b", "-N", "failure", "--", "-x"]),
            ["-a", "-f", "a@b", "--", "-x"]
        );
        assert_eq!(
            arguments(&["-N", "never", "-R", "hdrs", "-V", "id", "-O", "a=b", "joe"]),
            ["-a", "--", "joe"]
        );
        assert_eq!(arguments(&["-bm", "-vm", "-e", "m", "-p", "x", "-x", "joe"]), ["-a", "--", "joe"]);
        assert_eq!(arguments(&["-Eanything", "-Jt", "joe"]), ["-a", "--", "joe"]);
        assert_eq!(arguments(&["-tf", "x"]), ["-H", "-f", "x", "--"]);
    }

    #[test]
    fn what_is_not_understood_is_permanent() {
        for words in [&["-q"][..], &["-bd"], &["-b"], &["-f"]] {
            assert_eq!(parse("sendmail", words).unwrap_err().exit(), Exit::PERMANENT, "{words:?}");
        }
    }

    #[test]
    fn the_queue_is_shown_by_option_and_by_name() {
        assert_eq!(parse("sendmail", &["-bp", "-q"]).unwrap(), Request::ListQueue);
        assert_eq!(parse("mailq", &[]).unwrap(), Request::ListQueue);
        assert_eq!(parse("newaliases", &["x"]).unwrap(), Request::RebuildAliases);
    }

    #[test]
    fn a_sender_takes_the_place_of_user_host_and_name() {
        let variables = [("NAME", "n"), ("MAILHOST", "h"), ("USER", "u")];
        let environment = command(&["-f", "x@y@z", "-F", "lost"], &variables).environment;
        assert_eq!(environment.get("QMAILUSER"), Some(&b"x@y"[..]));
        assert_eq!(environment.get("QMAILHOST"), Some(&b"z"[..]));
        assert_eq!(["NAME", "MAILNAME", "MAILHOST"].map(|name| environment.get(name)), [None; 3]);
        let environment = command(&["-f", "x"], &[("QMAILHOST", "h")]).environment;
        assert_eq!((environment.get("QMAILUSER"), environment.get("QMAILHOST")), (Some(&b"x"[..]), None));
        assert_eq!(command(&["-F", "kept"], &[]).environment.get("MAILNAME"), Some(&b"kept"[..]));
    }

    #[test]
    fn smtp_on_standard_input_may_relay_unless_the_caller_described_a_connection() {
        let environment = command(&["-bs"], &[]).environment;
        assert_eq!(environment.get("RELAYCLIENT"), Some(&b""[..]));
        assert_eq!(environment.get("TCPREMOTEINFO"), Some(&b"sendmail-bs"[..]));
        let environment = command(&["-bs"], &[("PROTO", "TCP")]).environment;
        assert_eq!(environment.get("RELAYCLIENT"), None);
    }
}
