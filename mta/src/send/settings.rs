//! What qmail-send reads from control files.

use super::channel::ByChannel;
use super::route::Routing;
use super::spawn::SPAWN_LIMIT;
use super::spawn::request::MOST_SLOTS;
use crate::control::{Control, NameSet, Unreadable};
use unix::failure::Failure;

/// The settings that are read once, at the start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The host's own name, if it has one.
    pub me: Option<Vec<u8>>,
    /// Seconds after which a message that still cannot be delivered is given up.
    pub queuelifetime: i64,
    /// Most deliveries at once.
    pub concurrency: ByChannel<usize>,
    /// User name that bounces come from.
    pub bouncefrom: Vec<u8>,
    /// Host name that bounces come from.
    pub bouncehost: Vec<u8>,
    /// Whether bounces have parts for programs (RFC 3464).
    pub bouncedsn: bool,
    /// Where bounces go that bounced.
    pub double_bounce_to: Vec<u8>,
}

/// A host that no control file names.
#[derive(Debug)]
pub enum Trouble {
    /// A control file is there and cannot be read.
    Unreadable(Unreadable),
    /// Neither `locals` nor `me` is there: what is local is unknown.
    NoName,
}

/// What is said where no control file names the host.
pub const NO_NAME: &str = "neither control/locals nor control/me is there";

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Failure {
        match trouble {
            Trouble::Unreadable(unreadable) => unreadable.into(),
            Trouble::NoName => Failure::temporary(NO_NAME),
        }
    }
}

impl From<Unreadable> for Trouble {
    fn from(trouble: Unreadable) -> Trouble {
        Trouble::Unreadable(trouble)
    }
}

impl Settings {
    /// Reads the control files.
    pub fn read(control: &Control) -> Result<Settings, Trouble> {
        let me = control.line("me")?;
        let name_or = |name: &str, otherwise: &str| -> Result<Vec<u8>, Unreadable> {
            Ok(control.line(name)?.or_else(|| me.clone()).unwrap_or_else(|| otherwise.as_bytes().to_vec()))
        };
        let most = control.integer("conf-spawn", SPAWN_LIMIT.into())?.min(MOST_SLOTS.into());
        let concurrency = |name: &str, default: u64| -> Result<usize, Unreadable> {
            Ok(usize::try_from(control.integer(name, default)?.min(most)).unwrap_or(usize::MAX))
        };
        let double_bounce_user = control.line("doublebounceto")?.unwrap_or_else(|| b"postmaster".to_vec());
        let double_bounce_host = name_or("doublebouncehost", "doublebouncehost")?;
        Ok(Settings {
            queuelifetime: i64::try_from(control.integer("queuelifetime", 604_800)?).unwrap_or(i64::MAX),
            concurrency: ByChannel {
                local: concurrency("concurrencylocal", 10)?,
                remote: concurrency("concurrencyremote", 20)?,
            },
            bouncefrom: control.line("bouncefrom")?.unwrap_or_else(|| b"MAILER-DAEMON".to_vec()),
            bouncehost: name_or("bouncehost", "bouncehost")?,
            bouncedsn: control.switch("bouncedsn")?,
            double_bounce_to: [double_bounce_user.as_slice(), b"@", &double_bounce_host].concat(),
            me,
        })
    }

    /// Reads what decides where a recipient goes.
    pub fn read_routing(&self, control: &Control) -> Result<Routing, Trouble> {
        let envnoathost = control.line("envnoathost")?.or_else(|| self.me.clone());
        Ok(Routing {
            envnoathost: envnoathost.unwrap_or_else(|| b"envnoathost".to_vec()),
            percenthack: control.set("percenthack")?.unwrap_or_default(),
            locals: self.read_locals(control)?,
            virtualdomains: control.map("virtualdomains")?,
        })
    }

    /// Reads `locals`; without it, `me` as it was at the start.
    pub fn read_locals(&self, control: &Control) -> Result<NameSet, Trouble> {
        match (control.set("locals")?, &self.me) {
            (Some(locals), _) => Ok(locals),
            (None, Some(me)) => Ok(NameSet::new(vec![me.clone()])),
            (None, None) => Err(Trouble::NoName),
        }
    }
}
