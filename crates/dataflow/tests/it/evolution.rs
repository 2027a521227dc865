//! Jobs whose state has changed its type since their checkpoint was taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use thalweg_core::config::Recovery;
use thalweg_core::data::{Data, Key};
use thalweg_core::error::{ErrorKind, Result};
use thalweg_core::operator::{Context, Operator, Output};
use thalweg_core::rows::Record;
use thalweg_core::state::ValueState;
use thalweg_dataflow::environment::StreamExecutionEnvironment;

use crate::recovery::{Directory, KEYS, Ledger, NUMBERS, expected, job_of};

mod v1 {
    #[derive(Clone, Default, thalweg_core::Data)]
    pub struct Totals {
        pub count: u32,
        pub last: u64,
    }
}

mod v2 {
    #[derive(Clone, Default, thalweg_core::Data)]
    #[data(alias = "Totals")]
    pub struct Statistics {
        pub smallest: Option<u64>,
        #[data(default = 1)]
        pub version: u8,
        #[data(alias = "count")]
        pub seen: u64,
    }
}

/// The record, and what is made of it and the state of its key.
struct Keep<S, F> {
    state: ValueState<S>,
    update: F,
}

impl<S, F> Operator<u64, u64> for Keep<S, F>
where
    S: Data + Default,
    F: Fn(&mut S, u64) -> u64 + Send + 'static,
{
    fn process(&mut self, r: Record<u64>, ctx: &mut Context, out: &mut Output<u64>) -> Result<()> {
        let state = self.state.get_or_insert_with(ctx, S::default)?;
        out.emit((self.update)(state, r.value), r.time);
        Ok(())
    }
}

fn job<S: Data + Default, K: Key>(
    ledger: &Ledger,
    directory: &Directory,
    failing: &[u64],
    key: impl Fn(&u64) -> K + Send + Sync + 'static,
    update: impl Fn(&mut S, u64) -> u64 + Clone + Send + Sync + 'static,
) -> StreamExecutionEnvironment {
    job_of(ledger, directory, failing, |numbers| {
        numbers.key_by(key).process(move |states| Keep {
            state: states.value("totals"),
            update: update.clone(),
        })
    })
}

/// The first version of the job, stopped in its middle.
fn run_first_version(ledger: &Ledger, directory: &Directory) -> Recovery {
    let key = |n: &u64| n % KEYS;
    let env = job(
        ledger,
        directory,
        &[2000],
        key,
        |totals: &mut v1::Totals, n| {
            totals.count += 1;
            totals.last = n;
            n % KEYS * NUMBERS + u64::from(totals.count)
        },
    );
    Directory::retain(&env);
    assert!(env.execute().is_err(), "it fails in its middle");
    directory.kept()
}

#[test]
fn a_job_goes_on_with_a_newer_type_of_its_state() {
    let (ledger, directory) = (Ledger::default(), Directory::new("evolution"));
    let kept = run_first_version(&ledger, &directory);
    let before = ledger.values().len();
    assert!(before > 0 && before < expected().len(), "{before}");
    let carried = Arc::new(AtomicU64::new(0));
    let counted = carried.clone();
    let update = move |statistics: &mut v2::Statistics, n: u64| {
        if statistics.version == 1 {
            assert!(statistics.smallest.is_none() && statistics.seen > 0);
            counted.fetch_add(1, Ordering::SeqCst);
        }
        statistics.version = 2;
        statistics.smallest.get_or_insert(n);
        statistics.seen += 1;
        n % KEYS * NUMBERS + statistics.seen
    };
    let env = job(&ledger, &directory, &[], |n| n % KEYS, update);
    env.set_parallelism(3)
        .configure(|config| config.recovery = Some(kept.clone()));
    env.execute().unwrap();
    assert_eq!(ledger.values(), expected());
    assert_eq!(carried.load(Ordering::SeqCst), KEYS, "once a stored key");
}

#[test]
fn a_type_that_cannot_read_the_stored_one_stops_the_job_with_state_field_and_types() {
    #[derive(Clone, Default, thalweg_core::Data)]
    struct Totals {
        count: String,
        last: u64,
    }
    let (ledger, directory) = (Ledger::default(), Directory::new("refused-evolution"));
    let kept = run_first_version(&ledger, &directory);
    let refused = |env: StreamExecutionEnvironment| {
        env.configure(|config| config.recovery = Some(kept.clone()));
        let error = env.execute().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::User);
        error.to_string()
    };
    let text = |totals: &mut Totals, n| {
        totals.count.push('x');
        totals.last = n;
        n
    };
    let error = refused(job(&ledger, &directory, &[], |n| n % KEYS, text));
    let expected = "state `totals`: field `count`: stored as u32, now text";
    assert!(error.ends_with(expected), "{error}");

    let same = |totals: &mut v1::Totals, n| n + u64::from(totals.count);
    let narrow = |n: &u64| (n % KEYS) as u32;
    let error = refused(job(&ledger, &directory, &[], narrow, same));
    let expected = "state `totals`: key: stored as u64, now u32";
    assert!(error.contains(expected), "{error}");
}
