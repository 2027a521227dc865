//! Rows that expire, against a join row by row.

use std::time::Duration;

use thalweg_core::time::ProcessingTime;

use super::*;

const TTL_MS: i64 = 100;

fn spec_with_ttl(kind: JoinKind, keys: usize, condition: bool) -> SharedJoin {
    let mut spec = JoinSpec::clone(&spec(kind, keys, condition));
    spec.ttl = Some(Duration::from_millis(TTL_MS.unsigned_abs()));
    Arc::new(spec)
}

fn set_now(harness: &mut Harness, now: i64) {
    harness.ctx.set_now(ProcessingTime(now));
}

/// Inner joins: a pair comes when its later row does, if the earlier one still lives; and goes when one
/// of two living rows is retracted.
fn run(updates: bool, rows_max: u64, steps: usize, seed: u64) {
    let spec = spec_with_ttl(JoinKind::Inner, 1, true);
    let mut random = Random::new(seed);
    let mut harness = Harness::new(spec.clone());
    let mut living: [Vec<(Row, i64)>; 2] = Default::default();
    let mut expected = Bag::new();
    let mut now = 1000;
    for step in 0..steps {
        now += random.below(50) as i64;
        for side in &mut living {
            side.retain(|(_, since)| since + TTL_MS > now);
        }
        let port = random.below(2) as usize;
        let (mut rows, mut kinds) = (Vec::new(), Vec::new());
        for _ in 0..=random.below(rows_max) {
            let known = living[port].len() as u64;
            let retracts = updates && known > 0 && random.below(3) == 0;
            let row = if retracts {
                // The engine takes the latest of equal rows.
                let at = random.below(known) as usize;
                let row = living[port][at].0;
                let latest = living[port].iter().rposition(|(known, _)| *known == row);
                living[port].remove(latest.unwrap()).0
            } else {
                let mut value = |below| Some(random.below(below) as i64).filter(|v| *v > 0);
                let row = [value(20), value(3), value(9)];
                living[port].push((row, now));
                row
            };
            for (other, _) in &living[1 - port] {
                let (left, right) = if port == 0 {
                    (row, *other)
                } else {
                    (*other, row)
                };
                for (pair, count) in naive(&spec, &[left], &[right]) {
                    let known = expected.entry(pair).or_default();
                    *known += if retracts { -count } else { count };
                }
            }
            rows.push(row);
            let kind = if retracts {
                RowKind::Delete
            } else {
                RowKind::Insert
            };
            kinds.push(kind as u8);
        }
        set_now(&mut harness, now);
        if updates {
            harness.process(port, &rows, kinds);
        } else {
            harness.insert(port, &rows);
        }
        expected.retain(|_, count| *count != 0);
        assert_eq!(harness.result, expected, "step {step}, seed {seed}");
        if random.below(4) == 0 {
            harness.restore();
            set_now(&mut harness, now);
            harness.join.open(&mut harness.ctx).unwrap();
        }
    }
}

#[test]
fn a_row_is_joined_until_its_time_to_live_has_passed_wherever_it_is_restored() {
    for seed in 0..8 {
        run(true, 20, 80, seed);
        // Few rows are indexed at once; many wait unindexed.
        run(false, 20, 80, seed);
        run(false, 400, 12, seed);
    }
}

#[test]
fn expired_rows_are_neither_kept_nor_stored() {
    let mut harness = Harness::new(spec_with_ttl(JoinKind::Inner, 1, false));
    let row = |n: i64| [Some(n), Some(1), Some(1)];
    let kept = |harness: &Harness| harness.ctx.states().get(&harness.join.sides[0]).kept_rows();
    let many: Vec<Row> = (0..40_000).map(row).collect();
    harness.insert(0, &many);
    assert_eq!(kept(&harness), 40_000);
    set_now(&mut harness, TTL_MS);
    // Not even what the cleaning has not come to.
    assert_eq!(harness.ctx.snapshot().unwrap().tables[0].entries.len(), 0);
    harness.insert(0, &[row(-1)]);
    harness.insert(0, &[row(-2)]);
    assert!(kept(&harness) <= 2, "{}", kept(&harness));
    harness.insert(1, &[row(5), row(-1), row(-2)]);
    assert_eq!(harness.result.len(), 2);
}

#[test]
fn a_row_whose_matches_are_counted_lives_on_when_they_change() {
    let mut harness = Harness::new(spec_with_ttl(JoinKind::Left, 1, false));
    let (left, right) = ([Some(1), None, Some(7)], |n| [Some(1), None, Some(n)]);
    let pair = |row: Row| [left, row].concat();
    harness.insert(0, &[left]);
    set_now(&mut harness, 60);
    harness.insert(1, &[right(1)]);
    set_now(&mut harness, 60 + TTL_MS - 1);
    harness.insert(1, &[right(2)]);
    let pairs = |rows: &[i64]| rows.iter().map(|n| (pair(right(*n)), 1)).collect::<Bag>();
    assert_eq!(harness.result, pairs(&[1, 2]));
    // Nobody changes it any more: the next match finds nothing.
    set_now(&mut harness, 60 + 2 * TTL_MS - 1);
    harness.insert(1, &[right(3)]);
    assert_eq!(harness.result, pairs(&[1, 2]));
}
