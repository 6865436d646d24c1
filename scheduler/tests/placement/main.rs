//! Placement, tested from outside: tables that a person can read, laws that hold for any view, and the same answer in two processes.

mod laws;
mod processes;
mod tables;
mod worlds;
