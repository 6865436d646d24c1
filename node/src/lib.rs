//! rc-node as a library.
