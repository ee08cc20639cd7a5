//! Services: supervised, logged, signalled, killed, with full disks.

mod chain;
mod cyclog;
mod disk;
mod multilog;
mod supervise;
mod tcpserver;
