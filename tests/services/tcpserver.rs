//! tcpserver
