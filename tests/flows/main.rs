//! Mail on its way through the whole suite.

mod bounces;
mod built_in;
mod crashes;
mod decisions;
mod full_disk;
mod install;
mod mail;
mod make_run;
mod queue;
mod queue_states;
mod remote;
