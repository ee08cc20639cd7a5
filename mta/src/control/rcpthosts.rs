//! Which recipient hosts the network may send to.
