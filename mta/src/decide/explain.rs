//! `qmail-explain` tells what would become of a message to an address, and why, step by step.
//!
//! Reads    control/*, users/cdb, the account database; as the user who controls the address, his `.qmail` files.
//! Writes   fd 1: a line for each step; the last one, `result:`, says what becomes of the message.
//! Runs as  anybody; root is told most, and becomes qmailp and the controlling user for what they will look at.
//!          Trusts  nobody: what a file or an address says is shown with its odd bytes hidden.
//! Exits    0 it is delivered, or goes to another host · 100 it bounces · 111 it waits, or that cannot be said.
//! Manual   qmail-explain(8).    Next in the flow: nothing; see send::route for the way that mail takes.

use super::View;
use crate::control::showctl::visible;
use crate::control::{Control, Unreadable};
use crate::deliver::local::instruction::Instruction;
use crate::deliver::local::plan::{self, HomeDirectory, Plan};
use crate::deliver::local::refusal::Refusal;
use crate::deliver::remote::route::Route as RemoteRoute;
use crate::queue::envelope::ADDRESS_LIMIT;
use crate::send::channel::Channel;
use crate::send::route::{self, Because, Route, Routing};
use crate::send::settings::Settings;
use crate::send::spawn::{lspawn, report, request};
use crate::setup::home::Home;
use crate::users::{Controller, Trouble};
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use unix::descriptor;
use unix::failure::Failure;
use unix::process::Ended;
use unix::program::{Exit, Invocation};

const USAGE: &str = "qmail-explain [ -d defaultdelivery ] address";

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let mut options = invocation.options("d:");
    let mut default_delivery = None;
    while let Some(option) = options.next_option().map_err(|error| error.with_usage(USAGE))? {
        default_delivery = Some(option.argument);
    }
    let [address] = options.operands() else { return Err(Failure::usage(USAGE)) };
    let home = Home::of_this_program()?;
    let control = Control::new(home.control());
    let routing = read_routing(&control)?;
    let mut report = Report::default();
    let asked = Asked { home: &home, control: &control, routing: &routing, default_delivery };
    let exit = asked.about(address, &mut report)?;
    let failed = |error| Failure::temporary("unable to write").because(&error);
    descriptor::output().write_all(&report.0).map_err(failed)?;
    Ok(exit)
}

fn read_routing(control: &Control) -> Result<Routing, Failure> {
    Ok(Settings::read(control)?.read_routing(control)?)
}

/// What is told, a line for each step.
#[derive(Default)]
struct Report(Vec<u8>);

impl Report {
    fn line(&mut self, parts: &[&[u8]]) {
        self.0.extend(visible(&parts.concat()));
        self.0.push(b'\n');
    }

    fn bounce(&mut self, reason: &[u8]) -> Exit {
        self.line(&[b"result: bounce: ", reason]);
        Exit::PERMANENT
    }

    fn defer(&mut self, reason: &[u8]) -> Exit {
        self.line(&[b"result: defer: ", reason]);
        Exit::TEMPORARY
    }

    fn unknown(&mut self, reason: &[u8]) -> Exit {
        self.line(&[b"result: cannot say: ", reason, b"; ask as root"]);
        Exit::TEMPORARY
    }

    /// As the delivery that could not start would report it.
    fn not_started(&mut self, trouble: Trouble) -> Exit {
        let text = report::local(Ended::Exited(trouble.exit()), b"");
        let (letter, text) = text.split_first().unwrap_or((&b'Z', b""));
        if *letter == b'D' { self.bounce(text.trim_ascii()) } else { self.defer(text.trim_ascii()) }
    }

    /// As qmail-local would report it.
    fn refused(&mut self, refusal: &Refusal) -> Exit {
        let text = refusal.text();
        if refusal.exit() == Exit::PERMANENT { self.bounce(&text) } else { self.defer(&text) }
    }
}

/// Everything that a question needs but the address.
struct Asked<'a> {
    home: &'a Home,
    control: &'a Control,
    routing: &'a Routing,
    /// `-d`.
    default_delivery: Option<Vec<u8>>,
}

impl Asked<'_> {
    fn about(&self, address: &[u8], report: &mut Report) -> Result<Exit, Failure> {
        report.line(&[b"address: ", address]);
        if address.len() > ADDRESS_LIMIT || address.iter().any(u8::is_ascii_control) {
            return Ok(report.bounce(b"qmail-queue takes no address that is so long or has control bytes"));
        }
        let route = self.routing.decide(address);
        self.tell_route(address, &route, report)?;
        if let Err(refusal) = request::check_recipient(&route.address) {
            return Ok(report.bounce(refusal.get(1..).unwrap_or_default().trim_ascii()));
        }
        match route.channel {
            Channel::Local => Ok(self.local(&route.address, report)),
            Channel::Remote => Ok(self.remote(route::host(&route.address), report)?),
        }
    }

    fn tell_route(&self, address: &[u8], route: &Route, report: &mut Report) -> Result<(), Unreadable> {
        if !address.contains(&b'@') {
            report.line(&[b"host: none, so it is that of control/envnoathost: ", &self.routing.envnoathost]);
        }
        let complete = self.routing.with_host(address);
        let unhacked = self.routing.without_percent(address);
        if unhacked != complete {
            report.line(&[
                b"percent hack: ",
                &complete,
                b" becomes ",
                &unhacked,
                b", by control/percenthack",
            ]);
        }
        match &route.because {
            Because::Locals => self.tell_locals(route::host(&route.address), report),
            Because::VirtualDomain(key) => {
                let line = self.line_of("virtualdomains", key)?;
                let text = b"\" in control/virtualdomains, as ";
                report.line(&[b"channel: local, by the line \"", &line, text, &route.address]);
                Ok(())
            }
            Because::Exception(key) => {
                let line = self.line_of("virtualdomains", key)?;
                report.line(&[b"channel: remote, by the line \"", &line, b"\" in control/virtualdomains"]);
                Ok(())
            }
            Because::Elsewhere => {
                report.line(&[
                    b"channel: remote, because neither control/locals nor control/virtualdomains has it",
                ]);
                Ok(())
            }
        }
    }

    fn tell_locals(&self, host: &[u8], report: &mut Report) -> Result<(), Unreadable> {
        match self.control.list("locals")? {
            Some(lines) => {
                let line = lines.into_iter().find(|line| line.eq_ignore_ascii_case(host)).unwrap_or_default();
                report.line(&[b"channel: local, by the line \"", &line, b"\" in control/locals"]);
            }
            None => report.line(&[b"channel: local, by control/me; there is no control/locals"]),
        }
        Ok(())
    }

    /// The line of a map that counts for a key: the last one that has it.
    fn line_of(&self, name: &str, key: &[u8]) -> Result<Vec<u8>, Unreadable> {
        let lines = self.control.list(name)?.unwrap_or_default();
        let has_key = |line: &Vec<u8>| {
            let mut parts = line.splitn(2, |byte| *byte == b':');
            let is_it = parts.next().is_some_and(|found| found.eq_ignore_ascii_case(key));
            is_it && parts.next().is_some()
        };
        Ok(lines.into_iter().rev().find(has_key).unwrap_or_default())
    }

    fn remote(&self, host: &[u8], report: &mut Report) -> Result<Exit, Unreadable> {
        let routes = self.control.map("smtproutes")?;
        let way = RemoteRoute::to(host, &routes);
        if let Some((key, _)) = routes.find_host(host) {
            report.line(&[
                b"route: by the line \"",
                &self.line_of("smtproutes", key)?,
                b"\" in control/smtproutes",
            ]);
        } else {
            report.line(&[b"route: control/smtproutes has none"]);
        }
        let by = if way.is_relay {
            [b"by smtproutes to ", &way.host[..], b" port ", way.port.to_string().as_bytes()].concat()
        } else if way.literal().is_some() {
            b"by its address".to_vec()
        } else {
            b"by its MX records".to_vec()
        };
        report.line(&[b"result: remote: host ", host, b", ", &by]);
        Ok(Exit::SUCCESS)
    }

    fn local(&self, address: &[u8], report: &mut Report) -> Exit {
        let local = route::local_part(address);
        let found = super::find_controller(self.home, local, &mut |line| report.line(&[line]));
        let found = match found {
            Ok(found) if found.is_certain => found,
            Ok(_) => return report.unknown(b"a home directory cannot be looked at by everybody"),
            Err(trouble) => return report.not_started(trouble),
        };
        let controller = &found.controller;
        tell_controller(controller, report);
        match super::view(self.home, controller) {
            Err(trouble) => report.not_started(trouble),
            Ok(View::Own) => self.files(controller, true, report),
            Ok(View::Outside) => self.files(controller, false, report),
            Ok(View::Become(identity)) => {
                let looked = super::in_child(Some(&identity), |out| {
                    let mut report = Report::default();
                    let exit = self.files(controller, true, &mut report);
                    out.append(&mut report.0);
                    exit.0
                });
                match looked {
                    Ok((status, mut told)) => {
                        report.0.append(&mut told);
                        Exit(status)
                    }
                    Err(_) => report.not_started(Trouble::System),
                }
            }
        }
    }

    /// What the controller's home directory says. `is_owner`: whether we see all that he sees.
    fn files(&self, controller: &Controller, is_owner: bool, report: &mut Report) -> Exit {
        match self.plan(controller, report) {
            Ok(plan) => self.tell_plan(&plan, report),
            Err(refusal) if !is_owner && is_closed(&refusal) => report.unknown(&refusal.text()),
            Err(refusal) => report.refused(&refusal),
        }
    }

    fn plan(&self, controller: &Controller, report: &mut Report) -> Result<Plan, Refusal> {
        let Controller { home, dash, ext, .. } = controller;
        std::env::set_current_dir(Path::new(OsStr::from_bytes(home)))
            .map_err(|error| Refusal::NoHome { home: home.clone(), error })?;
        let here = Path::new(".");
        if plan::check_home(here)? == HomeDirectory::BeingEdited {
            return Err(Refusal::HomeSticky);
        }
        report.line(&[b"home: ", home, b" is ready for deliveries"]);
        let (default_delivery, origin) = self.default_delivery();
        let plan = plan::make_telling(here, dash, ext, &default_delivery, &mut |name, controls| {
            report.line(&[b"file: ", name, if controls { b": controls it" } else { b": is not there" }]);
        })?;
        if let Some(default) = &plan.default {
            report.line(&[b"default: DEFAULT is \"", default, b"\""]);
        }
        if plan.is_default_delivery {
            report.line(&[b"default delivery: ", &default_delivery, b", ", origin]);
        }
        Ok(plan)
    }

    /// What a mailbox without instructions gets, and how we know.
    fn default_delivery(&self) -> (Vec<u8>, &'static [u8]) {
        if let Some(said) = &self.default_delivery {
            return (said.clone(), b"by option -d");
        }
        match lspawn::running_default_delivery(self.home) {
            Some(said) => (said, b"which the running qmail-lspawn was given"),
            None => (b"./Mailbox".to_vec(), b"if qmail-start is given nothing else"),
        }
    }

    fn tell_plan(&self, plan: &Plan, report: &mut Report) -> Exit {
        let mut done: Vec<Vec<u8>> = Vec::new();
        for instruction in plan.instructions() {
            match instruction {
                Ok(instruction) => {
                    let text = describe(&instruction);
                    report.line(&[b"instruction: ", &text]);
                    done.push(text);
                }
                // Those before are carried out each time, but for the forwards.
                Err(refusal) => return report.refused(&refusal),
            }
        }
        if done.is_empty() {
            report.line(&[b"result: deliver: to nobody; the message is thrown away"]);
        } else {
            report.line(&[b"result: deliver: ", &done.join(&b", "[..])]);
        }
        Exit::SUCCESS
    }
}

fn tell_controller(controller: &Controller, report: &mut Report) {
    let Controller { user, uid, gid, home, dash, ext } = controller;
    let ids = format!(", uid {uid}, gid {gid}, home ");
    report.line(&[
        b"controller: user ",
        user,
        ids.as_bytes(),
        home,
        b", dash \"",
        dash,
        b"\", extension \"",
        ext,
        b"\"",
    ]);
}

fn describe(instruction: &Instruction) -> Vec<u8> {
    let (what, argument) = match instruction {
        Instruction::Maildir(name) => (&b"maildir "[..], name),
        Instruction::Mbox(name) => (&b"mbox "[..], name),
        Instruction::Program(command) => (&b"run "[..], command),
        Instruction::Forward(address) => (&b"forward to "[..], address),
    };
    [what, argument].concat()
}

/// Whether this is only because we are not the user: he may well see what we do not.
fn is_closed(refusal: &Refusal) -> bool {
    let (Refusal::NoHome { error, .. }
    | Refusal::HomeUnreadable(error)
    | Refusal::DotQmailUnreadable { error, .. }) = refusal
    else {
        return false;
    };
    error.kind() == io::ErrorKind::PermissionDenied
}
