//! Services: supervised, logged, signalled, killed, with full disks.

mod accustamp;
mod chain;
mod cyclog;
mod supervise;
mod tcpserver;
