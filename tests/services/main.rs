//! Services: supervised, logged, signalled, killed, with full disks.

mod chain;
mod cyclog;
mod settings;
mod supervise;
mod svscan;
mod tcpserver;
