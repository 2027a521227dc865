//! State: declared by name, typed, found by the current key, snapshotted by the runtime.
//!
//! ```text
//!   key ──hash──▶ KeyIndex ──▶ Slot(u32) ──index──▶ SlotTable<T> of each declared state
//! ```
//!
//! A batch's keys are looked up once, all together; after that every access to a keyed state is
//! one array index, whatever the number of states. A slot is given back when no state and no
//! timer of its key is left.
//!
//! Everything that is stored implements [`StateTable`]: it can write itself as entries (key group
//! and bytes) and take entries back. Snapshot, restore and rescale need nothing else.
//!
//! State with a time to live is of types of its own (`ttl`).
//! State larger than memory lies below these tables, in a [`store`].

mod bits;
mod broadcast_state;
mod changes;
mod chunked;
mod declared;
mod entries;
mod entry_writer;
mod frozen;
mod frozen_state;
mod frozen_store;
mod handle;
mod key_index;
mod keyed_state;
mod layers;
mod list_state;
mod map_state;
mod operator_state;
mod paged_table;
mod paging;
mod paging_spec;
mod registry;
mod schemas;
mod slot;
mod slot_table;
mod snapshot;
pub mod store;
mod table;
mod ttl;
mod view;

pub use bits::Bits;
pub use broadcast_state::BroadcastState;
pub use changes::Changes;
pub use chunked::{Chunked, SharedChunks};
pub use entries::Entries;
pub use entry_writer::EntryWriter;
pub use frozen::{Freezing, FrozenEntries, FrozenKeys, FrozenSlots};
pub use frozen_state::{FrozenState, FrozenTable};
pub use frozen_store::FrozenStore;
pub use handle::{AggregatingState, ReducingState, ValueState};
pub use key_index::{ErasedKeyIndex, KeyIndex};
pub use keyed_state::KeyedState;
pub use layers::{LayerTable, StateLayer, merge_layers};
pub use list_state::ListState;
pub use map_state::MapState;
pub use operator_state::OperatorListState;
pub use paged_table::PagedTable;
pub use paging_spec::{PagingSpec, WorkingDirectory};
pub use registry::{InstantSlots, StateRegistry};
pub use slot::Slot;
pub use slot_table::SlotTable;
pub use snapshot::{
    KeyGroups, Redistribution, StateSnapshot, StoreSnapshot, StoredTable, TableSnapshot,
    redistribute,
};
pub use table::{Cleaning, EntrySink, StateTable, TableHandle, written};
pub use ttl::{
    StateTtlConfig, StateVisibility, TtlAggregatingState, TtlListState, TtlMapState,
    TtlReducingState, TtlStates, TtlValueState, UpdateType,
};
pub use view::{Content, LayerTableView, LayerView, StateView, TableView};
