//! Each program of the mail path is killed at each of its system calls in turn, and each of its calls fails in turn.
//!
//! A clean run under `faulty` (tests/faulty) lists the calls of a program, those of its threads and its children with them.
//! Each call has these points:
//!
//! * *kill*: SIGKILL in place of the call;
//! * *an error*: the call does nothing and fails with EIO, ENOSPC, EDQUOT, EMFILE, ENOMEM or EINTR, whether its manual page
//!   has that error or not. Calls that the kernel never lets fail (munmap, futex, getpid ...) are only killed at;
//! * *a short write*: the kernel is asked to write one byte, or half, of what the program wanted, and says so; the program has to
//!   write the rest. In the same way a *short read* gives it the first byte only.
//!
//! What happens then is the program's affair. Afterwards the queue, with nothing wrong any more, has to deliver all that was
//! acknowledged, and to collect what nobody was told of.
//!
//! | module | programs |
//! |---|---|
//! | `submitters` | those that a message comes in by: each point is one message, and the queue manager runs all the time |
//! | `servers` | tcpserver: each point is one life of a server, to which several clients come |
//! | `agents` | those that a message leaves by: each point is the first attempt to deliver one message |
//! | `managers` | those in between: each point is one life of the queue manager |
//! | `snapshots` | qmail-queuectl, which copies the queue and restores the copy |

mod agents;
mod ends;
mod faulty;
mod managers;
mod points;
mod servers;
mod site;
mod snapshots;
mod submitters;
