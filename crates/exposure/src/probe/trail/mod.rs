//! Did the targets' own trail see us (M-01), and what was not looked at (M-02).
