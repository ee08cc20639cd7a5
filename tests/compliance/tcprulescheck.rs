//! `tcprulescheck`.
