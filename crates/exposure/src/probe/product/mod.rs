//! Consoles of known products (A), and the two credential tries.
