//! Power that is lost after a system call: the file system is switched off there, mounted again, and everything judged.
//!
//! A point is a system call of one program, by name and ordinal. The program runs under strace, which stops it when that call has
//! returned; then the file system goes down by its own ioctl, all processes are killed, and the system starts again. Calls that
//! change no file are points too: between two that do, another program may have changed one.

mod deliver;
mod experiment;
mod left_out;
mod log;
mod receive;
mod send;
mod snapshots;
mod tables;
