//! A failure that ends a program: what to say, and whether trying again can help.

use crate::descriptor;
use crate::program::Exit;
use std::io;

/// Why a program ends early. Permanent or temporary is chosen where the cause is known.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    report: Report,
}

#[derive(Debug)]
enum Report {
    /// `name: fatal: text`
    Fatal(Vec<u8>),
    /// `name: usage: text`, after a complaint about an option if there is one.
    Usage {
        complaint: Option<Vec<u8>>,
        usage: &'static str,
    },
    /// The text and nothing else.
    Verbatim(Vec<u8>),
    Silent,
}

impl Failure {
    /// Trying again later may help: exit 111.
    pub fn temporary(text: impl AsRef<[u8]>) -> Failure {
        Failure::with_exit(Exit::TEMPORARY, text)
    }

    /// Trying again cannot help: exit 100.
    pub fn permanent(text: impl AsRef<[u8]>) -> Failure {
        Failure::with_exit(Exit::PERMANENT, text)
    }

    /// A fatal line with one of a program's own exit statuses.
    pub fn with_exit(exit: Exit, text: impl AsRef<[u8]>) -> Failure {
        Failure { exit, report: Report::Fatal(text.as_ref().to_vec()) }
    }

    /// The program was called wrongly: `name: usage: text`, exit 100. The text is without the prefix.
    pub fn usage(usage: &'static str) -> Failure {
        Failure { exit: Exit::PERMANENT, report: Report::Usage { complaint: None, usage } }
    }

    pub(crate) fn bad_option(complaint: Vec<u8>, usage: &'static str) -> Failure {
        Failure { exit: Exit::PERMANENT, report: Report::Usage { complaint: Some(complaint), usage } }
    }

    /// A text that is printed as it is (a newline is added), for programs whose manual gives whole lines.
    pub fn verbatim(exit: Exit, text: impl AsRef<[u8]>) -> Failure {
        Failure { exit, report: Report::Verbatim(text.as_ref().to_vec()) }
    }

    /// Nothing is printed; for programs whose manual gives only the exit status.
    pub fn silent(exit: Exit) -> Failure {
        Failure { exit, report: Report::Silent }
    }

    /// Adds `: ` and the text for a system error.
    pub fn because(mut self, error: &io::Error) -> Failure {
        if let Report::Fatal(text) | Report::Verbatim(text) = &mut self.report {
            text.extend_from_slice(b": ");
            text.extend_from_slice(describe(error).as_bytes());
        }
        self
    }

    /// The same failure with another status, for programs whose manual gives their own.
    pub fn with_status(self, exit: Exit) -> Failure {
        Failure { exit, ..self }
    }

    /// The text alone, for a program that goes on with a warning.
    pub fn text(&self) -> &[u8] {
        match &self.report {
            Report::Fatal(text) | Report::Verbatim(text) => text,
            Report::Usage { usage, .. } => usage.as_bytes(),
            Report::Silent => b"",
        }
    }

    /// The status to exit with.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Prints the failure on standard error.
    pub fn report(&self, name: &str) {
        match &self.report {
            Report::Fatal(text) => descriptor::write_error_line(&[name.as_bytes(), b": fatal: ", text]),
            Report::Usage { complaint, usage } => {
                if let Some(complaint) = complaint {
                    descriptor::write_error_line(&[complaint]);
                }
                descriptor::write_error_line(&[name.as_bytes(), b": usage: ", usage.as_bytes()]);
            }
            Report::Verbatim(text) => descriptor::write_error_line(&[text]),
            Report::Silent => {}
        }
    }
}

/// `text: reason` as bytes, for warnings that name a system error.
pub fn because(text: impl AsRef<[u8]>, error: &io::Error) -> Vec<u8> {
    [text.as_ref(), b": ", describe(error).as_bytes()].concat()
}

/// The suite's wording for a system error, which differs from `strerror(3)`: log analysers know it.
/// An error without a number is described by its kind.
pub fn describe(error: &io::Error) -> &'static str {
    use nix::errno::Errno;
    let Some(number) = error.raw_os_error() else { return describe_kind(error.kind()) };
    match Errno::from_raw(number) {
        Errno::UnknownErrno if number == 0 => "no error",
        Errno::EINTR => "interrupted system call",
        Errno::ENOMEM => "out of memory",
        Errno::ENOENT => "file does not exist",
        Errno::ETXTBSY => "text busy",
        Errno::EIO => "input/output error",
        Errno::EEXIST => "file already exists",
        Errno::ETIMEDOUT => "timed out",
        Errno::EINPROGRESS => "operation in progress",
        Errno::EAGAIN => "temporary failure",
        Errno::EPIPE => "broken pipe",
        Errno::EPERM => "permission denied",
        Errno::EACCES => "access denied",
        Errno::ENXIO => "device not configured",
        Errno::EPROTO => "protocol error",
        Errno::EISDIR => "is a directory",
        Errno::ECONNREFUSED => "connection refused",
        Errno::ENOTDIR => "not a directory",
        Errno::ESRCH => "no such process",
        Errno::E2BIG => "argument list too long",
        Errno::ENOEXEC => "exec format error",
        Errno::EBADF => "file descriptor not open",
        Errno::ECHILD => "no child processes",
        Errno::EDEADLK => "operation would cause deadlock",
        Errno::EFAULT => "bad address",
        Errno::ENOTBLK => "not a block device",
        Errno::EBUSY => "device busy",
        Errno::EXDEV => "cross-device link",
        Errno::ENODEV => "device does not support operation",
        Errno::EINVAL => "invalid argument",
        Errno::ENFILE => "system cannot open more files",
        Errno::EMFILE => "process cannot open more files",
        Errno::ENOTTY => "not a tty",
        Errno::EFBIG => "file too big",
        Errno::ENOSPC => "out of disk space",
        Errno::ESPIPE => "unseekable descriptor",
        Errno::EROFS => "read-only file system",
        Errno::EMLINK => "too many links",
        Errno::EDOM => "input out of range",
        Errno::ERANGE => "output out of range",
        Errno::EALREADY => "operation already in progress",
        Errno::ENOTSOCK => "not a socket",
        Errno::EDESTADDRREQ => "destination address required",
        Errno::EMSGSIZE => "message too long",
        Errno::EPROTOTYPE => "incorrect protocol type",
        Errno::ENOPROTOOPT => "protocol not available",
        Errno::EPROTONOSUPPORT => "protocol not supported",
        Errno::ESOCKTNOSUPPORT => "socket type not supported",
        Errno::EOPNOTSUPP => "operation not supported",
        Errno::EPFNOSUPPORT => "protocol family not supported",
        Errno::EAFNOSUPPORT => "address family not supported",
        Errno::EADDRINUSE => "address already used",
        Errno::EADDRNOTAVAIL => "address not available",
        Errno::ENETDOWN => "network down",
        Errno::ENETUNREACH => "network unreachable",
        Errno::ENETRESET => "network reset",
        Errno::ECONNABORTED => "connection aborted",
        Errno::ECONNRESET => "connection reset",
        Errno::ENOBUFS => "out of buffer space",
        Errno::EISCONN => "already connected",
        Errno::ENOTCONN => "not connected",
        Errno::ESHUTDOWN => "socket shut down",
        Errno::ETOOMANYREFS => "too many references",
        Errno::ELOOP => "symbolic link loop",
        Errno::ENAMETOOLONG => "file name too long",
        Errno::EHOSTDOWN => "host down",
        Errno::EHOSTUNREACH => "host unreachable",
        Errno::ENOTEMPTY => "directory not empty",
        Errno::EUSERS => "too many users",
        Errno::EDQUOT => "disk quota exceeded",
        Errno::ESTALE => "stale NFS file handle",
        Errno::EREMOTE => "too many levels of remote in path",
        Errno::ENOLCK => "no locks available",
        Errno::ENOSYS => "system call not available",
        Errno::ENOSTR => "not a stream device",
        Errno::ETIME => "timer expired",
        Errno::ENOSR => "out of stream resources",
        Errno::ENOMSG => "no message of desired type",
        Errno::EBADMSG => "bad message type",
        Errno::EIDRM => "identifier removed",
        Errno::ENONET => "machine not on network",
        Errno::ENOLINK => "link severed",
        Errno::EADV => "advertise error",
        Errno::ESRMNT => "srmount error",
        Errno::ECOMM => "communication error",
        Errno::EMULTIHOP => "multihop attempted",
        Errno::EREMCHG => "remote address changed",
        _ => "unknown error",
    }
}

fn describe_kind(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::UnexpectedEof => "file is too short",
        io::ErrorKind::InvalidData => "protocol error",
        io::ErrorKind::InvalidInput => "invalid argument",
        io::ErrorKind::TimedOut => "timed out",
        io::ErrorKind::WriteZero => "partial write",
        io::ErrorKind::NotFound => "file does not exist",
        io::ErrorKind::OutOfMemory => "out of memory",
        _ => "unknown error",
    }
}

/// Whether trying again later can help. "Does not exist" and its like cannot; an error that is not
/// on the list (qmail's own, kept because exit codes depend on it) is taken as lasting.
pub fn is_temporary(error: &io::Error) -> bool {
    use nix::errno::Errno;
    let Some(number) = error.raw_os_error() else {
        return matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::OutOfMemory);
    };
    matches!(
        Errno::from_raw(number),
        Errno::EINTR
            | Errno::ENOMEM
            | Errno::ETXTBSY
            | Errno::EIO
            | Errno::ETIMEDOUT
            | Errno::EAGAIN
            | Errno::EDEADLK
            | Errno::EBUSY
            | Errno::ENFILE
            | Errno::EMFILE
            | Errno::EFBIG
            | Errno::ENOSPC
            | Errno::ENETDOWN
            | Errno::ENETUNREACH
            | Errno::ENETRESET
            | Errno::ECONNABORTED
            | Errno::ECONNRESET
            | Errno::ENOBUFS
            | Errno::ETOOMANYREFS
            | Errno::ECONNREFUSED
            | Errno::EHOSTDOWN
            | Errno::EHOSTUNREACH
            | Errno::EUSERS
            | Errno::EDQUOT
            | Errno::ESTALE
            | Errno::ENOLCK
    )
}

/// Whether a file is absent. Every other error means that it may well be there.
pub fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}
