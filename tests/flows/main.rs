//! Mail on its way through the whole suite.

mod boot;
mod crashes;
mod full_disk;
mod install;
mod mail;
mod make_run;
mod null_client;
mod pop3;
mod netqmail_home;
mod queue;
mod queue_exchange;
mod queue_states;
mod queuectl;
mod quick_protocols;
mod remote;
mod service_templates;
