//! queue_states
