//! The system calls, as far as something has to be known about them.

use nix::libc::{self, user_regs_struct};

/// One system call: its name, and how it may go wrong.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Its number.
    pub number: i64,
    /// Its name; nothing if the table does not have it.
    pub name: Option<&'static str>,
    /// What can become of it.
    pub kind: Kind,
}

/// What can become of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It may fail.
    Fails,
    /// It may fail, and has done its work all the same.
    FailsAfterwards,
    /// The C library, or the program, cannot live with its failure, and the kernel does not let it fail.
    Sure,
    /// It reads, at most as much as this argument says.
    Reads(Argument),
    /// It writes, at most as much as this argument says.
    Writes(Argument),
}

/// An argument of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// The third.
    Third,
    /// The fourth.
    Fourth,
    /// The fifth.
    Fifth,
}

impl Call {
    /// The call that begins with these registers.
    pub fn of(registers: &user_regs_struct) -> Call {
        let number = registers.orig_rax.cast_signed();
        let found = TABLE.iter().find(|(known, _, _)| *known == number);
        let kind = found.map_or(Kind::Fails, |(_, _, kind)| *kind);
        // With an address it is a datagram, of which the kernel never sends or keeps a part.
        let is_datagram = [libc::SYS_sendto, libc::SYS_recvfrom].contains(&number) && registers.r8 != 0;
        Call {
            number,
            name: found.map(|(_, name, _)| *name),
            kind: if is_datagram { Kind::Fails } else { kind },
        }
    }

    /// Its name, or its number.
    pub fn name(self) -> String {
        self.name.map_or_else(|| format!("call-{}", self.number), str::to_owned)
    }
}

macro_rules! table {
    ($($number:ident $name:literal $kind:expr;)*) => { &[$((libc::$number, $name, $kind)),*] };
}

const TABLE: &[(i64, &str, Kind)] = table! {
    SYS_read "read" Kind::Reads(Argument::Third);
    SYS_pread64 "pread64" Kind::Reads(Argument::Third);
    SYS_readv "readv" Kind::Reads(Argument::Third);
    SYS_recvfrom "recvfrom" Kind::Reads(Argument::Third);
    SYS_write "write" Kind::Writes(Argument::Third);
    SYS_pwrite64 "pwrite64" Kind::Writes(Argument::Third);
    SYS_writev "writev" Kind::Writes(Argument::Third);
    SYS_sendto "sendto" Kind::Writes(Argument::Third);
    SYS_sendfile "sendfile" Kind::Writes(Argument::Fourth);
    SYS_copy_file_range "copy_file_range" Kind::Writes(Argument::Fifth);
    SYS_splice "splice" Kind::Writes(Argument::Fifth);
    SYS_close "close" Kind::FailsAfterwards;
    SYS_brk "brk" Kind::Sure;
    SYS_munmap "munmap" Kind::Sure;
    SYS_futex "futex" Kind::Sure;
    SYS_exit "exit" Kind::Sure;
    SYS_exit_group "exit_group" Kind::Sure;
    SYS_rt_sigreturn "rt_sigreturn" Kind::Sure;
    SYS_rt_sigprocmask "rt_sigprocmask" Kind::Sure;
    SYS_rt_sigaction "rt_sigaction" Kind::Sure;
    SYS_sigaltstack "sigaltstack" Kind::Sure;
    SYS_arch_prctl "arch_prctl" Kind::Sure;
    SYS_set_tid_address "set_tid_address" Kind::Sure;
    SYS_set_robust_list "set_robust_list" Kind::Sure;
    SYS_rseq "rseq" Kind::Sure;
    SYS_sched_yield "sched_yield" Kind::Sure;
    SYS_getpid "getpid" Kind::Sure;
    SYS_gettid "gettid" Kind::Sure;
    SYS_getppid "getppid" Kind::Sure;
    SYS_getuid "getuid" Kind::Sure;
    SYS_geteuid "geteuid" Kind::Sure;
    SYS_getgid "getgid" Kind::Sure;
    SYS_getegid "getegid" Kind::Sure;
    SYS_umask "umask" Kind::Sure;
    SYS_mmap "mmap" Kind::Fails;
    SYS_mprotect "mprotect" Kind::Fails;
    SYS_madvise "madvise" Kind::Fails;
    SYS_execve "execve" Kind::Fails;
    SYS_open "open" Kind::Fails;
    SYS_openat "openat" Kind::Fails;
    SYS_stat "stat" Kind::Fails;
    SYS_lstat "lstat" Kind::Fails;
    SYS_fstat "fstat" Kind::Fails;
    SYS_newfstatat "newfstatat" Kind::Fails;
    SYS_statx "statx" Kind::Fails;
    SYS_access "access" Kind::Fails;
    SYS_readlink "readlink" Kind::Fails;
    SYS_getdents64 "getdents64" Kind::Fails;
    SYS_lseek "lseek" Kind::Fails;
    SYS_link "link" Kind::Fails;
    SYS_linkat "linkat" Kind::Fails;
    SYS_unlink "unlink" Kind::Fails;
    SYS_unlinkat "unlinkat" Kind::Fails;
    SYS_rename "rename" Kind::Fails;
    SYS_ftruncate "ftruncate" Kind::Fails;
    SYS_fsync "fsync" Kind::Fails;
    SYS_fdatasync "fdatasync" Kind::Fails;
    SYS_sync_file_range "sync_file_range" Kind::Fails;
    SYS_fchmod "fchmod" Kind::Fails;
    SYS_chdir "chdir" Kind::Fails;
    SYS_utimensat "utimensat" Kind::Fails;
    SYS_flock "flock" Kind::Fails;
    SYS_fcntl "fcntl" Kind::Fails;
    SYS_dup2 "dup2" Kind::Fails;
    SYS_dup3 "dup3" Kind::Fails;
    SYS_pipe2 "pipe2" Kind::Fails;
    SYS_poll "poll" Kind::Fails;
    SYS_ppoll "ppoll" Kind::Fails;
    SYS_epoll_wait "epoll_wait" Kind::Fails;
    SYS_socket "socket" Kind::Fails;
    SYS_connect "connect" Kind::Fails;
    SYS_bind "bind" Kind::Fails;
    SYS_getsockopt "getsockopt" Kind::Fails;
    SYS_setsockopt "setsockopt" Kind::Fails;
    SYS_getpeername "getpeername" Kind::Fails;
    SYS_getsockname "getsockname" Kind::Fails;
    SYS_sendmsg "sendmsg" Kind::Fails;
    SYS_recvmsg "recvmsg" Kind::Fails;
    SYS_socketpair "socketpair" Kind::Fails;
    SYS_shutdown "shutdown" Kind::Fails;
    SYS_ioctl "ioctl" Kind::Fails;
    SYS_clone "clone" Kind::Fails;
    SYS_clone3 "clone3" Kind::Fails;
    SYS_fork "fork" Kind::Fails;
    SYS_vfork "vfork" Kind::Fails;
    SYS_wait4 "wait4" Kind::Fails;
    SYS_kill "kill" Kind::Fails;
    SYS_prctl "prctl" Kind::Fails;
    SYS_prlimit64 "prlimit64" Kind::Fails;
    SYS_getrandom "getrandom" Kind::Fails;
    SYS_clock_gettime "clock_gettime" Kind::Fails;
    SYS_clock_nanosleep "clock_nanosleep" Kind::Fails;
    SYS_nanosleep "nanosleep" Kind::Fails;
    SYS_uname "uname" Kind::Fails;
    SYS_close_range "close_range" Kind::Fails;
};
