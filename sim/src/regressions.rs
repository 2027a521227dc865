//! Seeds that have found a bug. They are run with every test.

/// The seeds, by what was wrong.
pub const SEEDS: &[u64] = &[
    // The number of a damaged checkpoint was used again, and its retirement deleted the new one.
    146, 396, 526, 740,
    // The end of a task stood for a checkpoint that the task had gone past to a newer one.
    309, 947, 1617, 1812,
];
