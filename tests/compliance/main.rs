//! Each test runs on the reference program, which proves the test, and on ours.
//! A file for each program.

mod accustamp;
mod chain;
mod cyclog;
mod dot_qmail_programs;
mod filters;
mod fixtures;
mod lookups;
mod maildirmake;
mod multilog;
mod program_list;
mod qmail_getpw;
mod qmail_inject;
mod qmail_local;
mod qmail_newmrh;
mod qmail_newu;
mod qmail_pw2u;
mod qmail_remote;
mod qmail_showctl;
mod qmail_smtpd;
mod queue_programs;
mod rblsmtpd;
mod splogger;
mod supervise;
mod svc;
mod svscan;
mod tai64n;
mod tailocal;
mod tcp_env;
mod tcpclient;
mod tcprules;
mod tcprulescheck;
mod tcpserver;
mod usually;
