//! The network family (N): ports, databases, remote administration, file transports.
