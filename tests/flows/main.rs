//! Mail on its way through the whole suite.

mod crashes;
mod full_disk;
mod install;
mod mail;
mod make_run;
mod queue;
mod queue_states;
mod queuectl;
mod remote;
