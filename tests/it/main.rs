//! Usher, from the outside: over a real socket, on a fresh file, with a clock that moves
//! when it is told to.

mod harness;
mod openreplay;
mod layers;
mod registry;
mod cli;
mod process;
mod kills;
mod load;
mod clients;
mod life;
mod routes;
mod alloy;
mod proficient;
mod native;
