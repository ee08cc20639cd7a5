//! Mail on its way through the whole suite.

mod install;
mod mail;
mod make_run;
mod remote;
