//! One job, two pipelines that have nothing to do with each other: one fails and starts again, the
//! other goes on.
//!
//!     cargo run --package thalweg-examples --bin regions

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use thalweg::core::config::RestartStrategy;
use thalweg::core::error::ErrorKind;
use thalweg::prelude::*;
use thalweg::runtime::MiniCluster;
use thalweg::runtime::mini_cluster::Restarted;

const RECORDS: u64 = 10_000;

/// Counts how often it is started, and fails once in the middle if it is told to.
struct Fragile {
    starts: Arc<AtomicU64>,
    fails: Arc<AtomicBool>,
}

impl Operator<u64, u64> for Fragile {
    fn open(&mut self, _: &mut Context) -> Result<()> {
        self.starts.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn process(&mut self, n: Record<u64>, _: &mut Context, out: &mut Output<u64>) -> Result<()> {
        if n.value == RECORDS / 2 && self.fails.swap(false, Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Retryable, "the network is down"));
        }
        out.push(n);
        Ok(())
    }
}

fn main() -> Result<()> {
    let directory = std::env::temp_dir().join(format!("thalweg-regions-{}", std::process::id()));
    let env = StreamExecutionEnvironment::new();
    env.configure(|config| {
        config.checkpointing.interval = Some(Duration::from_millis(10));
        config.checkpointing.directory = Some(directory.display().to_string());
        config.restart = RestartStrategy::FixedDelay {
            attempts: 3,
            delay: Duration::from_millis(100),
        };
    });
    let mut pipelines = Vec::new();
    for (name, fails) in [("orders", true), ("clicks", false)] {
        let starts = Arc::new(AtomicU64::new(0));
        let (counted, fails) = (starts.clone(), Arc::new(AtomicBool::new(fails)));
        env.from_generator(Some(RECORDS), |n| n)
            .process(move |_| Fragile {
                starts: counted.clone(),
                fails: fails.clone(),
            })
            .name(name)
            .key_by(|n| n % 100)
            .reduce(|one, other| one + other)
            .for_each(|_| {});
        pipelines.push((name, starts));
    }

    let job = MiniCluster.start(&env.job_graph()?, &env.config())?;
    let client = job.client();
    job.join()?;
    for (name, starts) in pipelines {
        println!("{name}: started {} times", starts.load(Ordering::SeqCst));
    }
    for failure in client.exceptions().failures() {
        println!("{}", failure.message);
        if let Restarted::Region(tasks) = &failure.restarted {
            println!("started again: {}", tasks.join(", "));
        }
    }
    Ok(std::fs::remove_dir_all(directory)?)
}
