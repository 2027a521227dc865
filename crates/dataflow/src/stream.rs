//! The kinds of streams a program composes.

mod broadcast_stream;
mod connect;
mod connected_streams;
mod data_stream;
mod joined_streams;
mod keyed_stream;
mod partitioned;
mod windowed_stream;

pub use broadcast_stream::{
    BroadcastConnectedStream, BroadcastStream, KeyedBroadcastConnectedStream,
};
pub use connect::Connect;
pub use connected_streams::{ConnectedStreams, KeyedConnectedStreams};
pub use data_stream::DataStream;
pub use joined_streams::{
    Either, Groups, HalfKeyedStreams, JoinedStreams, JoinedWindow, KeyedJoinedStreams, Pairs,
};
pub use keyed_stream::KeyedStream;
pub use windowed_stream::WindowedStream;
