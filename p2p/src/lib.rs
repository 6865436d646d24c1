//! The network of rc-node.
