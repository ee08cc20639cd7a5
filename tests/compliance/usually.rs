//! `usually`.
