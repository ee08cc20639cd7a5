//! Each answer of qmail's FAQ, typed as it stands there and carried out by the real programs.
//!
//! A file for each question: `q7_1.rs` is 7.1. Its head says in our words what the answer promises. What is typed differs
//! from the answer only in paths, port numbers, addresses and host names; see [`Site`](site::Site).

mod q5_1;
mod q5_4;
mod q7_1;
mod q7_2;
mod q7_6;
mod q7_7;
mod site;
