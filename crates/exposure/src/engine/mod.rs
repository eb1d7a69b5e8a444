//! The road of a run: which host and port comes next, how many at once, where it stands.
