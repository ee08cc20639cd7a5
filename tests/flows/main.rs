//! Mail on its way through the whole suite.

mod bodies;
mod boot;
mod bounces;
mod built_in;
mod crashes;
mod decisions;
mod full_disk;
mod install;
mod kept_programs;
mod mail;
mod make_run;
mod netqmail_home;
mod null_client;
mod pop3;
mod queue;
mod queue_exchange;
mod queue_states;
mod queuectl;
mod quick_protocols;
mod remote;
mod root;
mod service_templates;
mod slow_clients;
mod smuggling;
mod snapshot;
