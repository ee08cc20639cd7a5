//! Resources that are gone: no space, no inodes, no descriptors, no processes, no memory; and another time of day.
//!
//! Nobody is killed here; calls fail, and programs have to notice. A refusal must be one for now, a refused message must leave
//! nothing, and when the resource is back everything that was accepted arrives.

mod clock_steps;
mod full_disk;
mod half_sent;
mod in_every_state;
mod laboratory;
mod limit;
mod limits;
mod route;
mod small_disk;
mod wall_clock;
