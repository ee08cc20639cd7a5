//! Services: supervised, logged, signalled, killed, with full disks.

mod accustamp;
mod chain;
mod cyclog;
mod settings;
mod supervise;
mod svscan;
mod tcpserver;
