//! What a server that talks with one client on descriptors 0 and 1 needs, whatever they talk about: the
//! connection with its deadlines, and command lines out of what comes on it.

pub mod connection;
pub mod line;
