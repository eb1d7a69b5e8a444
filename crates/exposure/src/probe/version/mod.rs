//! Known versions against the dated rule base (V).
