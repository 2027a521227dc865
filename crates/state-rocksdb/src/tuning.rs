//! How a database is set up.

use std::ffi::CStr;
use std::sync::Arc;

use rocksdb::compaction_filter::{CompactionFilter, Decision};
use rocksdb::compaction_filter_factory::{CompactionFilterContext, CompactionFilterFactory};
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, DBCompactionStyle, DBCompressionType, LogLevel,
    Options, UniversalCompactOptions, WriteOptions,
};
use thalweg_core::host::Clock;
use thalweg_core::state::store::{StoreTable, StoredKey};

use crate::memory::Memory;
use crate::options::{CompactionStyle, RocksDbOptions};

// Sorted runs of a state that are left alone. A lookup asks the filter of each.
const RUNS_MAX: i32 = 12;
// While everything is merged into one, which takes as long as reading and writing the state,
// every checkpoint adds a run. It waits for the merge only when there are this many.
const RUNS_STALLED: i32 = 64;
// Of each file that is merged; this memory is not a part of the budget.
const MERGE_READAHEAD_BYTES: usize = 256 << 10;
// What a merge has written goes to disk bit by bit, not all at once when a checkpoint syncs.
const SYNCED_BYTES: u64 = 1 << 20;
// Of a write buffer, for a filter: most lookups do not find their key there.
const WRITE_BUFFER_FILTER_SHARE: f64 = 0.05;

/// The options of a database; `tables` and `clock` drop what is expired.
pub(crate) fn database(
    options: &RocksDbOptions,
    memory: &Memory,
    tables: &[StoreTable],
    clock: &Arc<dyn Clock>,
) -> Options {
    let mut database = Options::default();
    database.create_if_missing(true);
    database.set_write_buffer_manager(&memory.write_buffers);
    database.set_write_buffer_size(memory.write_buffer_bytes);
    database.set_max_write_buffer_number(2);
    database.set_max_background_jobs(i32::try_from(options.threads).unwrap_or(i32::MAX));
    database.set_memtable_whole_key_filtering(true);
    database.set_memtable_prefix_bloom_ratio(WRITE_BUFFER_FILTER_SHARE);
    database.set_compaction_readahead_size(MERGE_READAHEAD_BYTES);
    database.set_bytes_per_sync(SYNCED_BYTES);
    database.set_compression_type(DBCompressionType::Lz4);
    database.set_target_file_size_base(options.target_file_bytes);
    database.set_block_based_table_factory(&blocks(options, memory));
    match options.compaction_style {
        CompactionStyle::Level => {}
        CompactionStyle::Universal => universal(&mut database),
    }
    // Lookups must not pay for opening files; what an open file holds is in the cache.
    database.set_max_open_files(-1);
    // Nobody reads RocksDB's own log and statistics; errors come back from the calls.
    database.set_keep_log_file_num(1);
    database.set_max_log_file_size(1 << 20);
    database.set_log_level(LogLevel::Error);
    database.set_stats_dump_period_sec(0);
    database.set_stats_persist_period_sec(0);
    if tables.iter().any(|table| table.ttl.is_some()) {
        database.set_compaction_filter_factory(Expiry {
            tables: tables.into(),
            clock: Arc::clone(clock),
        });
        database.set_periodic_compaction_seconds(options.periodic_compaction.as_secs());
    }
    database
}

/// Runs of similar size are merged. A record is rewritten a few times in its life, where levels
/// rewrite it ten times a level.
fn universal(database: &mut Options) {
    database.set_compaction_style(DBCompactionStyle::Universal);
    database.set_level_zero_file_num_compaction_trigger(RUNS_MAX);
    database.set_level_zero_slowdown_writes_trigger(RUNS_STALLED);
    database.set_level_zero_stop_writes_trigger(RUNS_STALLED + RUNS_MAX);
    let mut universal = UniversalCompactOptions::default();
    universal.set_max_size_amplification_percent(100);
    database.set_universal_compaction_options(&universal);
}

fn blocks(options: &RocksDbOptions, memory: &Memory) -> BlockBasedOptions {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(&memory.cache);
    blocks.set_block_size(options.block_bytes);
    blocks.set_bloom_filter(options.bloom_bits_per_key, false);
    // Within the budget, like everything else.
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_cache_index_and_filter_blocks_with_high_priority(true);
    if options.partitioned_index_filters {
        blocks.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
        blocks.set_partition_filters(true);
        blocks.set_metadata_block_size(options.block_bytes);
        blocks.set_pin_top_level_index_and_filter(true);
    }
    blocks
}

/// Without a log: what is not in a checkpoint is done again after a failure. Batches are sorted,
/// so that the place of an entry in the write buffer is near the one before.
pub(crate) fn writes() -> WriteOptions {
    let mut writes = WriteOptions::default();
    writes.disable_wal(true);
    writes.set_memtable_insert_hint_per_batch(true);
    writes
}

/// Makes a filter for each merge of files.
struct Expiry {
    tables: Arc<[StoreTable]>,
    clock: Arc<dyn Clock>,
}

impl CompactionFilterFactory for Expiry {
    type Filter = ExpiredAt;

    fn create(&mut self, _: CompactionFilterContext) -> ExpiredAt {
        ExpiredAt {
            tables: Arc::clone(&self.tables),
            now_ms: self.clock.now().millis(),
        }
    }

    fn name(&self) -> &CStr {
        c"thalweg.state.ttl"
    }
}

/// Drops what is expired at the beginning of a merge.
struct ExpiredAt {
    tables: Arc<[StoreTable]>,
    now_ms: i64,
}

impl CompactionFilter for ExpiredAt {
    fn filter(&mut self, _: u32, key: &[u8], value: &[u8]) -> Decision {
        if is_expired(&self.tables, key, value, self.now_ms) {
            Decision::Remove
        } else {
            Decision::Keep
        }
    }

    fn name(&self) -> &CStr {
        c"thalweg.state.ttl"
    }
}

/// Whether an entry may be dropped. What cannot be understood is kept, for its reader to report.
pub(crate) fn is_expired(tables: &[StoreTable], key: &[u8], value: &[u8], now_ms: i64) -> bool {
    StoredKey::parse(key).is_ok_and(|stored| {
        tables
            .get(usize::from(stored.table))
            .is_some_and(|table| table.is_expired(value, now_ms))
    })
}
