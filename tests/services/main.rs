//! Services: supervised, logged, signalled, killed, with full disks.

mod chain;
mod cyclog;
mod supervise;
mod svscan;
mod tcpserver;
