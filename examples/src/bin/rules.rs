//! Rules that change while a job runs: payments above the limit of their currency are refused, and
//! limits come as a stream of their own, which every instance keeps.
//!
//!     cargo run --package thalweg-examples --bin rules

use thalweg::prelude::*;

#[derive(Clone, Debug, Data)]
#[data(crate = "thalweg::core")]
struct Payment {
    account: String,
    currency: String,
    amount: i64,
    millis: i64,
}

/// From `millis` on, no payment in the currency may be above `limit`.
#[derive(Clone, Debug, Data)]
#[data(crate = "thalweg::core")]
struct Rule {
    currency: String,
    limit: i64,
    millis: i64,
}

/// The limits of a currency, each with the instant from which it holds.
type Limits = Vec<(i64, i64)>;

struct Judge {
    limits: BroadcastState<String, Limits>,
    waiting: ListState<Payment>,
    refused: ValueState<u32>,
}

impl BroadcastOperator<Payment, Rule, String> for Judge {
    fn process(
        &mut self,
        payment: Record<Payment>,
        ctx: &mut Context,
        _: &mut Output<String>,
    ) -> Result<()> {
        // The watermark is that of both inputs: once it is here, so are the rules up to now.
        self.waiting.add(ctx, payment.value)?;
        ctx.register_event_timer(payment.time);
        Ok(())
    }

    fn process_broadcast(
        &mut self,
        rule: Record<Rule>,
        ctx: &mut BroadcastContext<'_>,
        _: &mut Output<String>,
    ) -> Result<()> {
        let Rule {
            currency,
            limit,
            millis,
        } = rule.value;
        let limits = self.limits.get_or_insert_with(ctx, currency, Vec::new);
        limits.push((millis, limit));
        limits.sort_unstable();
        Ok(())
    }

    fn on_event_timer(
        &mut self,
        time: EventTime,
        ctx: &mut Context,
        out: &mut Output<String>,
    ) -> Result<()> {
        let waiting = self.waiting.take(ctx)?;
        let (due, later) = waiting.into_iter().partition(|p| p.millis <= time.0);
        self.waiting.update(ctx, later)?;
        let due: Vec<Payment> = due;
        for payment in due {
            let limits = self.limits.get(ctx, &payment.currency);
            let limits = limits.map_or(&[][..], Vec::as_slice);
            let holds = |(since, _): &&(i64, i64)| *since <= payment.millis;
            let Some((_, limit)) = limits.iter().rev().find(holds) else {
                continue;
            };
            if payment.amount > *limit {
                let limit = *limit;
                let times = self.refused.get_or_insert_with(ctx, || 0)?;
                *times += 1;
                let Payment {
                    account,
                    currency,
                    amount,
                    millis,
                } = payment;
                out.emit(
                    format!(
                        "{millis} ms: {account} wants {amount} {currency} of at most {limit}, \
                         refusal {times}"
                    ),
                    time,
                );
            }
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    let env = StreamExecutionEnvironment::new();
    env.set_parallelism(2);
    let payments = [
        ("ada", "EUR", 900, 10),
        ("bob", "EUR", 600, 20),
        ("ada", "USD", 5000, 30),
        ("ada", "EUR", 900, 40),
        ("bob", "EUR", 600, 50),
        ("bob", "EUR", 300, 60),
    ];
    let payments = payments.map(|(account, currency, amount, millis)| Payment {
        account: account.to_owned(),
        currency: currency.to_owned(),
        amount,
        millis,
    });
    // The limit falls at 35 ms, while the job runs.
    let rules = [("EUR", 1000, 0), ("EUR", 500, 35), ("EUR", 200, 55)];
    let rules = rules.map(|(currency, limit, millis)| Rule {
        currency: currency.to_owned(),
        limit,
        millis,
    });
    let payments = env
        .from_collection(payments)
        .assign_timestamps_and_watermarks(
            WatermarkStrategy::for_monotonous_timestamps()
                .with_timestamp_assigner(|payment: &Payment| payment.millis),
        );
    let rules = env.from_collection(rules).assign_timestamps_and_watermarks(
        WatermarkStrategy::for_monotonous_timestamps()
            .with_timestamp_assigner(|rule: &Rule| rule.millis),
    );
    let mut refused = payments
        .key_by(|payment| payment.account.clone())
        .connect(&rules.broadcast_stream())
        .process(|states| Judge {
            limits: states.broadcast("limits"),
            waiting: states.list("waiting"),
            refused: states.value("refused"),
        })
        .execute_and_collect()?;
    refused.sort();
    refused.iter().for_each(|line| println!("{line}"));
    Ok(())
}
