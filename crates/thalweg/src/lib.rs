//! Stateful computation over bounded and unbounded streams: SQL and the DataStream API.
//!
//! ```
//! use thalweg::prelude::*;
//!
//! let env = StreamExecutionEnvironment::new();
//! let mut words = env
//!     .from_collection(["to be", "or not", "to be"].map(String::from))
//!     .flat_map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>())
//!     .filter(|word| word != "or")
//!     .execute_and_collect()?;
//! words.sort();
//! assert_eq!(words, ["be", "be", "not", "to", "to"]);
//! # Ok::<(), thalweg::Error>(())
//! ```

pub mod environment;
mod state_backend;

pub use state_backend::state_backend;
pub use thalweg_columnar as columnar;
pub use thalweg_core as core;
pub use thalweg_core::{Data, Error, ErrorKind, Result};
pub use thalweg_dataflow as dataflow;
pub use thalweg_formats as formats;
pub use thalweg_runtime as runtime;
pub use thalweg_sql as sql;
pub use thalweg_state_rocksdb as state_rocksdb;

/// The connectors that come with the engine.
pub fn connectors() -> Vec<std::sync::Arc<dyn thalweg_columnar::connector::TableConnector>> {
    thalweg_connector_builtin::connectors()
}

/// Makes known which file systems this build has, besides local ones, for checkpoints and savepoints.
/// Sessions and environments do so themselves.
pub fn register_file_systems() {
    #[cfg(feature = "s3")]
    {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(thalweg_object_storage::register_s3);
    }
}

/// A SQL session with the built-in connectors.
pub fn session() -> thalweg_sql::session::Session {
    register_file_systems();
    thalweg_sql::session::Session::new(connectors())
}

/// What a DataStream program needs.
pub mod prelude {
    pub use crate::environment::StreamExecutionEnvironment;
    pub use std::time::Duration;
    pub use thalweg_core::operator::{
        AggregateFunction, BroadcastContext, BroadcastOperator, Context, Operator, Output,
        OutputTag, TwoInputOperator,
    };
    pub use thalweg_core::rows::Record;
    pub use thalweg_core::state::{
        BroadcastState, ListState, MapState, StateRegistry, StateTtlConfig, TtlListState,
        TtlMapState, TtlValueState, ValueState,
    };
    pub use thalweg_core::time::{EventTime, ProcessingTime};
    pub use thalweg_core::{Data, Error, Result};
    pub use thalweg_dataflow::stream::{DataStream, KeyedStream};
    pub use thalweg_dataflow::watermark_strategy::WatermarkStrategy;
}
