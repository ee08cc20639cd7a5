//! Keeping services running, and changing a process before it runs.
//!
//! [`supervise`] starts a program and starts it again whenever it ends. It meets its helpers in the files of
//! a service directory ([`supervise::service_dir`]): [`svc`] sends it commands, [`svstat`] shows what it does
//! and [`svok`] asks whether it is there.
//! The programs of [`chain`] each make one change to their own process and then run another program.

pub mod chain;
pub mod fifo;
pub mod readproctitle;
pub mod supervise;
pub mod svc;
pub mod svok;
pub mod svscan;
pub mod svstat;
pub mod svwait;
pub mod testfilelock;
