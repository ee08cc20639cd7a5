//! `tcpserver`.
