//! cyclog
