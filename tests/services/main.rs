//! Services: supervised, logged, signalled, killed, with full disks.

mod accustamp;
mod chain;
mod cyclog;
mod settings;
mod cyclog_read;
mod disk;
mod multilog;
mod supervise;
mod svscan;
mod tcpserver;
