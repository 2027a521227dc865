//! Which operators keep their uid, and with it their state, when a script changes.

use std::collections::BTreeMap;

use thalweg_sql::dialect::Script;
use thalweg_sql::session::{Outcome, Session};

const TABLES: &str = "
    CREATE TABLE orders (id BIGINT, customer BIGINT, amount BIGINT, ts TIMESTAMP(3),
        WATERMARK FOR ts AS ts) WITH ('connector' = 'datagen', 'number-of-rows' = '1');
    CREATE TABLE customers (id BIGINT, name STRING)
        WITH ('connector' = 'datagen', 'number-of-rows' = '1');
    CREATE TABLE totals (a BIGINT, b BIGINT) WITH ('connector' = 'blackhole');
    CREATE TABLE others (a BIGINT, b BIGINT) WITH ('connector' = 'blackhole');";

/// The uids of the operators of a job with state, by name.
fn uids(inserts: &str) -> BTreeMap<String, String> {
    let mut session = Session::new(thalweg_connector_builtin::connectors());
    let script = format!("{TABLES} {inserts}");
    let mut uids = BTreeMap::new();
    for statement in Script::new(&script) {
        if let Outcome::Insert(job) = session.execute(&statement.unwrap().node).unwrap() {
            let operators = job.graph.vertices.iter().flat_map(|v| &v.operators);
            for operator in operators.filter(|o| o.name != "Calc" && o.name != "Watermark") {
                let mut name = operator.name.clone();
                while uids.contains_key(&name) {
                    name.push('\'');
                }
                uids.insert(name, operator.uid.to_string());
            }
        }
    }
    assert!(!uids.is_empty());
    uids
}

const GROUPED: &str =
    "INSERT INTO totals SELECT customer, SUM(amount) FROM orders GROUP BY customer;";

#[test]
fn filters_constants_and_computations_leave_all_state_in_its_place() {
    let before = uids(GROUPED);
    for after in [
        "INSERT INTO totals SELECT customer, SUM(amount) FROM orders WHERE id > 7 GROUP BY customer;",
        "INSERT INTO totals SELECT customer, 1 + SUM(amount * 2) FROM orders GROUP BY customer;",
        "INSERT INTO totals SELECT customer, SUM(amount) FROM orders /*+ OPTIONS('rows-per-second' = '5') */
             GROUP BY customer HAVING SUM(amount) > 100;",
    ] {
        assert_eq!(uids(after), before, "{after}");
    }
}

#[test]
fn another_aggregate_key_or_type_is_other_state() {
    let before = uids(GROUPED);
    for after in [
        "INSERT INTO totals SELECT customer, MAX(amount) FROM orders GROUP BY customer;",
        "INSERT INTO totals SELECT customer, CAST(SUM(CAST(amount AS DOUBLE)) AS BIGINT) FROM orders
             GROUP BY customer;",
        "INSERT INTO totals SELECT customer, SUM(DISTINCT amount) FROM orders GROUP BY customer;",
        "INSERT INTO totals SELECT customer, SUM(amount) + COUNT(*) FROM orders GROUP BY customer;",
        "INSERT INTO totals SELECT id, SUM(amount) FROM orders GROUP BY id;",
        "INSERT INTO totals SELECT customer, SUM(amount) FROM (SELECT DISTINCT * FROM orders)
             GROUP BY customer;",
    ] {
        let after_uids = uids(after);
        let source = |uids: &BTreeMap<String, String>| {
            let mut sources = uids.iter().filter(|(name, _)| name.starts_with("Source"));
            sources.next().map(|(_, uid)| uid.clone())
        };
        assert_eq!(source(&after_uids), source(&before), "{after}");
        assert!(
            after_uids.values().all(|uid| *uid != before["GroupAggregate"]),
            "{after}"
        );
    }
}

#[test]
fn a_window_keeps_its_state_by_its_size_and_a_join_by_its_columns() {
    let windowed = |size: &str| {
        uids(&format!(
            "INSERT INTO totals SELECT customer, COUNT(*) FROM TABLE(TUMBLE(TABLE orders,
                 DESCRIPTOR(ts), INTERVAL '{size}' MINUTE))
             GROUP BY window_start, window_end, customer;"
        ))
    };
    assert_eq!(windowed("5"), windowed("5"));
    assert_ne!(
        windowed("5")["WindowAggregate"],
        windowed("6")["WindowAggregate"]
    );
    let joined = |columns: &str, kind: &str| {
        uids(&format!(
            "INSERT INTO totals SELECT {columns} FROM orders AS o {kind} JOIN customers AS c
                 ON o.customer = c.id;"
        ))
    };
    let inner = joined("o.id, c.id", "");
    assert_eq!(inner, joined("1 + o.id, c.id", ""));
    assert_ne!(inner["Join"], joined("o.id, c.id", "LEFT")["Join"]);
    assert_ne!(inner["Join"], joined("o.id, o.amount", "")["Join"]);
}

#[test]
fn a_further_insert_behind_the_others_leaves_their_state_alone() {
    let other = "INSERT INTO others SELECT id, MAX(amount) FROM orders GROUP BY id;";
    let set = |inserts: &str| uids(&format!("EXECUTE STATEMENT SET BEGIN {inserts} END;"));
    let (before, after) = (set(GROUPED), set(&format!("{GROUPED} {other}")));
    for (name, uid) in before {
        assert!(after.values().any(|other| *other == uid), "{name}");
    }
}
