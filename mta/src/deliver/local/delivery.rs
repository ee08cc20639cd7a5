//! What qmail-local is asked to do: its arguments as a type.

use unix::failure::Failure;
use unix::program::Invocation;

const USAGE: &str = "qmail-local [ -nN ] user homedir local dash ext domain sender aliasempty";

/// One delivery: a message, not named here, to one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The user who controls the address.
    pub user: Vec<u8>,
    /// His home directory, an absolute path.
    pub home: Vec<u8>,
    /// The recipient's local part.
    pub local: Vec<u8>,
    /// What stands between `.qmail` and the extension in the names of files.
    pub dash: Vec<u8>,
    /// The extension: which of the user's addresses it is.
    pub ext: Vec<u8>,
    /// The recipient's host.
    pub domain: Vec<u8>,
    /// The envelope sender; empty for bounces.
    pub sender: Vec<u8>,
    /// The instructions in place of an empty `.qmail` file.
    pub default_delivery: Vec<u8>,
}

impl Delivery {
    /// The recipient's address.
    pub fn recipient(&self) -> Vec<u8> {
        [self.local.as_slice(), b"@", &self.domain].concat()
    }
}

/// Whether to deliver, or to print what a delivery would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The default, and `-N`.
    Deliver,
    /// `-n`.
    Print,
}

/// Reads the arguments.
pub fn parse(invocation: &Invocation) -> Result<(Mode, Delivery), Failure> {
    let mut options = invocation.options("nN");
    let mut mode = Mode::Deliver;
    while let Some(option) = options.next_option().map_err(|error| error.with_usage(USAGE))? {
        mode = if option.letter == b'n' { Mode::Print } else { Mode::Deliver };
    }
    let [user, home, local, dash, ext, domain, sender, default_delivery] = options.operands() else {
        return Err(Failure::usage(USAGE));
    };
    if !home.starts_with(b"/") {
        return Err(Failure::usage(USAGE));
    }
    let delivery = Delivery {
        user: user.clone(),
        home: home.clone(),
        local: local.clone(),
        dash: dash.clone(),
        ext: ext.clone(),
        domain: domain.clone(),
        sender: sender.clone(),
        default_delivery: default_delivery.clone(),
    };
    Ok((mode, delivery))
}
