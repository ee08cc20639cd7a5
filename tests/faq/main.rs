//! Each answer of qmail's FAQ, typed as it stands there and carried out by the real programs.
//!
//! A file for each question: `q7_1.rs` is 7.1. Its head says in our words what the answer promises. What is typed differs
//! from the answer only in paths, port numbers, addresses and host names; see [`Site`](site::Site).

mod network;
mod q1_1;
mod q1_2;
mod q1_3;
mod q2_1;
mod q2_2;
mod q2_3;
mod q2_4;
mod q2_5;
mod q3_1;
mod q3_2;
mod q3_3;
mod q4_1;
mod q4_10;
mod q4_2;
mod q4_3;
mod q4_4;
mod q4_5;
mod q4_6;
mod q4_7;
mod q4_8;
mod q4_9;
mod q5_1;
mod q5_2;
mod q5_3;
mod q5_4;
mod q5_5;
mod q5_6;
mod q6_1;
mod q6_2;
mod q6_3;
mod q6_4;
mod q7_1;
mod q7_2;
mod q7_3;
mod q7_4;
mod q7_5;
mod q7_6;
mod q7_7;
mod q8_1;
mod q8_2;
mod q8_3;
mod site;
