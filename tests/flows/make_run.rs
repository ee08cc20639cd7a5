//! make_run
