//! Whole jobs: word count, unions, side outputs, parallelism.

use thalweg_core::operator::{Context, Operator, Output, OutputTag};
use thalweg_core::rows::Record;
use thalweg_core::state::ValueState;
use thalweg_core::{Error, Result};
use thalweg_testkit::environment;

struct Count(ValueState<u64>);

impl Operator<String, (String, u64)> for Count {
    fn process(
        &mut self,
        record: Record<String>,
        ctx: &mut Context,
        out: &mut Output<(String, u64)>,
    ) -> Result<()> {
        let count = self.0.get_or_insert_with(ctx, || 0)?;
        *count += 1;
        out.emit((record.value, *count), record.time);
        Ok(())
    }
}

#[test]
fn words_are_counted_at_every_parallelism() {
    for parallelism in [1, 2, 7] {
        let env = environment();
        env.set_parallelism(parallelism);
        let words = env
            .from_collection(["to be", "or not", "to be"].map(String::from))
            .rebalance()
            .flat_map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>())
            .key_by(Clone::clone)
            .process(|states| Count(states.value("count")))
            .execute_and_collect()
            .unwrap();
        let mut last: Vec<(String, u64)> = words;
        last.sort();
        let expected = [
            ("be", 1),
            ("be", 2),
            ("not", 1),
            ("or", 1),
            ("to", 1),
            ("to", 2),
        ];
        assert_eq!(last, expected.map(|(w, n)| (w.to_owned(), n)));
    }
}

#[test]
fn a_union_with_itself_doubles_its_records() {
    let env = environment();
    let numbers = env.from_collection([1i64, 2, 3]);
    let mut doubled = numbers
        .union(std::slice::from_ref(&numbers))
        .map(|n| n)
        .execute_and_collect()
        .unwrap();
    doubled.sort_unstable();
    assert_eq!(doubled, [1, 1, 2, 2, 3, 3]);
}

#[test]
fn side_outputs_reach_their_own_consumer_only() {
    let env = environment();
    let odd = OutputTag::<String>::new("odd");
    let tag = odd.clone();
    let even =
        env.from_collection(0..6i64)
            .process_each(move |record, _, out: &mut Output<i64>| {
                if record.value % 2 == 0 {
                    out.push(record);
                } else {
                    out.side(
                        &tag,
                        Record::new(format!("odd {}", record.value), record.time),
                    );
                }
                Ok(())
            });
    let odd = even.side_output(&odd).execute_and_collect().unwrap();
    assert_eq!(odd, ["odd 1", "odd 3", "odd 5"]);
}

#[test]
fn an_error_of_a_function_fails_the_job_and_names_the_task() {
    let env = environment();
    let error = env
        .from_collection([1i64, 0])
        .try_map(|n| {
            10i64
                .checked_div(n)
                .ok_or_else(|| Error::user("division by zero"))
        })
        .execute_and_collect()
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("division by zero") && text.contains("Map"),
        "{text}"
    );
}

#[test]
fn a_panic_fails_the_job_not_the_process() {
    let env = environment();
    let result = env
        .from_collection([1i64])
        .map(|n| {
            assert!(n != 1, "this record is poison");
            n
        })
        .execute_and_collect();
    assert!(
        result
            .unwrap_err()
            .to_string()
            .contains("this record is poison")
    );
}

#[test]
fn a_long_iterator_is_drained_as_the_output_has_room() {
    let env = environment();
    env.configure(|config| config.batch_rows = 10);
    let sum = env
        .from_collection([1_000u64, 2_000])
        .flat_map(|n| 0..n)
        .rebalance()
        .map(|n| n)
        .set_parallelism(2)
        .execute_and_collect()
        .unwrap();
    assert_eq!(sum.len(), 3_000);
}
