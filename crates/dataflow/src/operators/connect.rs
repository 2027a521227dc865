//! Two streams of different types into one operator that shares state between them.
//!
//! | Contract |                                                                  |
//! |----------|------------------------------------------------------------------|
//! | Input    | two, each in its own order; nothing is said about order between  |
//! | Output   | whatever the operator emits                                      |
//! | State    | what the operator declares; keyed if both streams are            |
//! | Timers   | the watermark is the minimum over both inputs                    |
//! | Source   | Flink `ConnectedStreams`                                         |

use thalweg_core::data::{Data, Key};
use thalweg_core::error::Result;
use thalweg_core::operator::{Context, Output, TwoInputOperator};
use thalweg_core::rows::Record;
use thalweg_core::state::StateRegistry;

use crate::stream::{ConnectedStreams, DataStream, KeyedConnectedStreams};

impl<A: Data, B: Data> ConnectedStreams<A, B> {
    /// Turns the records of each input into records of one type.
    pub fn map<O: Data>(
        &self,
        first: impl Fn(A) -> O + Clone + Send + Sync + 'static,
        second: impl Fn(B) -> O + Clone + Send + Sync + 'static,
    ) -> DataStream<O> {
        self.process(move |_| CoMap(first.clone(), second.clone()))
    }

    /// Runs an operator of your own.
    pub fn process<O: Data, Op: TwoInputOperator<A, B, O>>(
        &self,
        declare: impl Fn(&mut StateRegistry) -> Op + Send + Sync + 'static,
    ) -> DataStream<O> {
        self.apply("CoProcess", declare)
    }
}

impl<K: Key, A: Data, B: Data> KeyedConnectedStreams<K, A, B> {
    /// Runs an operator of your own over each key.
    pub fn process<O: Data, Op: TwoInputOperator<A, B, O>>(
        &self,
        declare: impl Fn(&mut StateRegistry) -> Op + Send + Sync + 'static,
    ) -> DataStream<O> {
        self.apply("KeyedCoProcess", declare)
    }
}

struct CoMap<F, G>(F, G);

impl<A, B, O, F, G> TwoInputOperator<A, B, O> for CoMap<F, G>
where
    A: Data,
    B: Data,
    O: Data,
    F: Fn(A) -> O + Send + 'static,
    G: Fn(B) -> O + Send + 'static,
{
    fn process_first(
        &mut self,
        record: Record<A>,
        _: &mut Context,
        out: &mut Output<O>,
    ) -> Result<()> {
        out.emit((self.0)(record.value), record.time);
        Ok(())
    }

    fn process_second(
        &mut self,
        record: Record<B>,
        _: &mut Context,
        out: &mut Output<O>,
    ) -> Result<()> {
        out.emit((self.1)(record.value), record.time);
        Ok(())
    }
}
