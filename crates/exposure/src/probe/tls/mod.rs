//! The TLS family (T): versions, suites, certificates, who is asked for one.
