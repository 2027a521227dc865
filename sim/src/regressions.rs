//! Seeds that have found a bug. They are run with every test.
//!
//! A change of the simulator makes other runs of them; the bugs themselves have tests in their
//! crates. Where it is cheap, a seed that has become another run is replaced by one that finds the
//! bug again when its fix is taken out.

/// The seeds, by what was wrong.
pub const SEEDS: &[u64] = &[
    // The number of a damaged checkpoint was used again, and its retirement deleted the new one.
    10, 35, 56, 127,
    // The end of a task stood for a checkpoint that the task had gone past to a newer one.
    309, 3968, 4844, // A checkpoint was stored after a newer one had made it superfluous.
    2, 16, 28,
    // A bit had changed in the version of a file, which was taken for one of a later version.
    109_539,
    // A savepoint's barrier, overtaken in an inbox, committed what no checkpoint had.
    3379,
    // A checkpoint was completed after the savepoint that the job had stopped with behind it.
    11_805,
];
