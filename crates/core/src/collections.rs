//! Hash maps and sets whose iteration order depends only on what was done to them.
//!
//! The standard library's maps are seeded at random, so two runs over the same input could emit
//! in different orders. These are seeded with a constant; `clippy.toml` bans the others.

/// A hash map with a fixed seed.
pub type HashMap<K, V> = hashbrown::HashMap<K, V, foldhash::fast::FixedState>;

/// A hash set with a fixed seed.
pub type HashSet<T> = hashbrown::HashSet<T, foldhash::fast::FixedState>;
