//! Each test runs on the reference program, which proves the test, and on ours.
//! A file for each program.

mod accustamp;
mod aliases;
mod chain;
mod cyclog;
mod dot_qmail_programs;
mod filters;
mod fixtures;
mod maildir2mbox;
mod maildirmake;
mod mailsubj;
mod multilog;
mod qbiff;
mod qmail_getpw;
mod qmail_inject;
mod qmail_local;
mod qmail_newu;
mod qmail_remote;
mod qmail_showctl;
mod qmail_smtpd;
mod qreceipt;
mod rblsmtpd;
mod supervise;
mod svc;
mod svscan;
mod tai64n;
mod tailocal;
mod tcpclient;
mod tcprules;
mod tcprulescheck;
mod tcpserver;
mod usually;
