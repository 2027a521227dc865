//! Connectors that need no client library.
//!
//! | `connector`  | reads | writes | what                                          |
//! |--------------|-------|--------|-----------------------------------------------|
//! | `filesystem` | yes   | yes    | files of a directory or glob, maybe compressed |
//! | `print`      |       | yes    | rows to standard output                       |
//! | `blackhole`  |       | yes    | nothing: rows are counted and dropped         |
//! | `datagen`    | yes   |        | random values and sequences                   |
//! | `nexmark`    | yes   |        | persons, auctions and bids, made on the spot  |
//! | `socket`     | yes   |        | the records that a server sends               |

mod blackhole;
mod blocks;
mod datagen;
mod filesystem;
mod nexmark;
mod options;
mod print;
mod random;
mod socket;
mod throttle;

#[cfg(test)]
mod testing;

use std::sync::Arc;

use thalweg_columnar::connector::TableConnector;

/// All connectors of this crate.
pub fn connectors() -> Vec<Arc<dyn TableConnector>> {
    vec![
        Arc::new(filesystem::FileSystem),
        Arc::new(print::Print),
        Arc::new(blackhole::BlackHole),
        Arc::new(datagen::DataGen),
        Arc::new(nexmark::Nexmark),
        Arc::new(socket::Socket),
    ]
}
