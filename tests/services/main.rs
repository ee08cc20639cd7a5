//! Services: supervised, logged, signalled, killed, with full disks.

mod accustamp;
mod chain;
mod cyclog;
mod cyclog_read;
mod disk;
mod fail2ban;
mod logging;
mod multilog;
mod settings;
mod supervise;
mod svscan;
mod tcpserver;
mod usage;
