//! What a stream can be connected with.

use thalweg_core::data::{Data, Key};

use super::broadcast_stream::{
    BroadcastConnectedStream, BroadcastStream, KeyedBroadcastConnectedStream,
};
use super::connected_streams::{ConnectedStreams, KeyedConnectedStreams};
use super::data_stream::DataStream;
use super::keyed_stream::KeyedStream;

/// A stream that can be the second input behind a first one of type `S`.
pub trait Connect<S> {
    /// Both streams on their way into one operator.
    type Connected;

    /// Connects the two.
    fn behind(&self, first: &S) -> Self::Connected;
}

impl<A: Data, B: Data> Connect<DataStream<A>> for DataStream<B> {
    type Connected = ConnectedStreams<A, B>;

    fn behind(&self, first: &DataStream<A>) -> Self::Connected {
        ConnectedStreams::of(first.clone(), self.clone())
    }
}

impl<K: Key, A: Data, B: Data> Connect<KeyedStream<K, A>> for KeyedStream<K, B> {
    type Connected = KeyedConnectedStreams<K, A, B>;

    fn behind(&self, first: &KeyedStream<K, A>) -> Self::Connected {
        KeyedConnectedStreams::of(first.clone(), self.clone())
    }
}

impl<A: Data, B: Data> Connect<DataStream<A>> for BroadcastStream<B> {
    type Connected = BroadcastConnectedStream<A, B>;

    fn behind(&self, first: &DataStream<A>) -> Self::Connected {
        BroadcastConnectedStream::of(first.clone(), self.clone())
    }
}

impl<K: Key, A: Data, B: Data> Connect<KeyedStream<K, A>> for BroadcastStream<B> {
    type Connected = KeyedBroadcastConnectedStream<K, A, B>;

    fn behind(&self, first: &KeyedStream<K, A>) -> Self::Connected {
        KeyedBroadcastConnectedStream::of(first.clone(), self.clone())
    }
}
