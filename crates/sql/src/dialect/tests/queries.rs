//! Queries, expressions, window functions and hints.

use sqlparser::ast::{Expr, SetExpr, TableFactor};

use super::super::*;
use super::{hint, parsed};

/// The query prints as `expected` once parsed.
fn prints(text: &str, expected: &str) {
    match parsed(text) {
        Statement::Query(query) => assert_eq!(query.to_string(), expected, "{text}"),
        other => panic!("{other:?}"),
    }
}

fn same(text: &str) {
    prints(text, text);
}

/// The first table factor of the query.
fn first_table(text: &str) -> TableFactor {
    let Statement::Query(query) = parsed(text) else {
        panic!("{text} is no query");
    };
    match *query.body {
        SetExpr::Select(mut select) => select.from.remove(0).relation,
        other => panic!("{other}"),
    }
}

#[test]
fn queries_of_flink_parse_as_they_are() {
    for text in [
        "SELECT DISTINCT a, b AS c, t.* FROM t WHERE a IN (1, 2) AND NOT b LIKE 'x%' ESCAPE '\\'",
        "SELECT a, COUNT(*) FROM t GROUP BY GROUPING SETS ((a), ()) HAVING COUNT(*) > 1",
        "SELECT a FROM t GROUP BY ROLLUP (a, b)",
        "SELECT a FROM t GROUP BY CUBE (a, b)",
        "SELECT SUM(a) OVER w FROM t WINDOW w AS (PARTITION BY b ORDER BY ts RANGE BETWEEN INTERVAL '1' HOUR PRECEDING AND CURRENT ROW)",
        "SELECT * FROM a LEFT JOIN b ON a.x = b.y FULL JOIN c USING(x) CROSS JOIN d",
        "SELECT * FROM a NATURAL JOIN b",
        "SELECT * FROM t CROSS JOIN UNNEST(t.arr) AS u (x)",
        "SELECT * FROM t ORDER BY a DESC NULLS LAST LIMIT 3 OFFSET 4",
        "SELECT * FROM t ORDER BY a FETCH FIRST 3 ROWS ONLY",
        "SELECT 1 UNION ALL SELECT 2 EXCEPT SELECT 3 INTERSECT ALL SELECT 4",
        "WITH x AS (SELECT 1), y (a) AS (SELECT 2) SELECT * FROM x, y",
        "SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS t (x, y)",
        "SELECT EXTRACT(DAY FROM ts), FLOOR(ts TO HOUR), CEIL(x), POSITION('a' IN b), TRIM(BOTH ' ' FROM c) FROM t",
        "SELECT a IS NOT DISTINCT FROM b, a IS UNKNOWN, EXISTS (SELECT 1), (a, b) OVERLAPS (c, d) FROM t",
        "SELECT ARRAY[1, 2], ROW(1, 'a'), arr[1], m['k'], r.f.g, DATE '2024-01-01', TIMESTAMP '2024-01-01 00:00:00' FROM t",
        "SELECT LISTAGG(a, ',') WITHIN GROUP (ORDER BY b), FIRST_VALUE(a) FROM t",
        "SELECT TUMBLE_START(ts, INTERVAL '1' MINUTE) FROM t GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE)",
        "SELECT * FROM t QUALIFY ROW_NUMBER() OVER (PARTITION BY a ORDER BY b) = 1",
        "SELECT format, sample, top, pivot, value, type, status, id FROM settings global",
        "SELECT * FROM t, LATERAL TABLE(f(a)) AS s (b, c)",
        "SELECT * FROM t LEFT JOIN LATERAL TABLE(f(a)) AS s (b) ON true",
        "SELECT TIMESTAMPDIFF(DAY, a, b), TIMESTAMPADD(MONTH, 1, c), 7 % 3, a || b FROM t",
        "SELECT CURRENT_TIMESTAMP, LOCALTIMESTAMP, PROCTIME(), LEFT(a, 2), IF(a, b, c) FROM t",
    ] {
        same(text);
    }
    // The tree keeps the version; only its text form moves the alias.
    prints(
        "SELECT * FROM o JOIN r FOR SYSTEM_TIME AS OF o.p AS x ON o.a = x.b",
        "SELECT * FROM o JOIN r AS x FOR SYSTEM_TIME AS OF o.p ON o.a = x.b",
    );
}

#[test]
fn expressions_of_flink_get_their_own_trees() {
    let cases = [
        ("MAP['a', 1, 'b', 2]", "MAP('a', 1, 'b', 2)"),
        (
            "CAST(a AS ROW<x INT NOT NULL>)",
            "CAST(a AS $type(ROW<`x` INT NOT NULL>))",
        ),
        (
            "TRY_CAST(a AS TIMESTAMP(3) WITH LOCAL TIME ZONE)",
            "TRY_CAST(a AS TIMESTAMP_LTZ(3))",
        ),
        ("CAST(a AS DECIMAL(3,1))", "CAST(a AS DECIMAL(3,1))"),
        (
            "a BETWEEN SYMMETRIC 1 AND 2",
            "(a BETWEEN 1 AND 2 OR a BETWEEN 2 AND 1)",
        ),
        ("a NOT BETWEEN ASYMMETRIC 1 AND 2", "a NOT BETWEEN 1 AND 2"),
        (
            "a IS NOT JSON OBJECT AND b",
            "NOT $is_json(a, 'OBJECT') AND b",
        ),
        (
            "JSON_VALUE(j, '$.a' RETURNING INT DEFAULT 0 ON EMPTY ERROR ON ERROR)",
            "JSON_VALUE(j, '$.a', returning => CAST(NULL AS INT), default_on_empty => 0, on_error => 'ERROR')",
        ),
        (
            "JSON_OBJECT(KEY 'a' VALUE 1, 'b' : x ABSENT ON NULL)",
            "JSON_OBJECT('a', 1, 'b', x, on_null => 'ABSENT')",
        ),
        (
            "JSON_QUERY(j, '$' WITH CONDITIONAL ARRAY WRAPPER)",
            "JSON_QUERY(j, '$', wrapper => 'CONDITIONAL')",
        ),
        (
            "JSON_ARRAYAGG(a NULL ON NULL) FILTER (WHERE b)",
            "JSON_ARRAYAGG(a, on_null => 'NULL') FILTER (WHERE b)",
        ),
        ("U&'\\0041' || E'\\t'", "'A' || '\t'"),
        ("INTERVAL '5' SECOND(3)", "INTERVAL '5' SECOND (3)"),
    ];
    for (text, expected) in cases {
        let expr =
            parse_expression(text).unwrap_or_else(|error| panic!("{}", error.render(None, text)));
        assert_eq!(expr.to_string(), expected, "{text}");
    }
}

fn tvf(text: &str) -> String {
    let table = first_table(&format!("SELECT * FROM {text}"));
    match window_tvf(&table) {
        Ok(None) => "none".to_string(),
        Ok(Some(tvf)) => {
            let input = match &tvf.input {
                TvfInput::Table(path) => path.to_string(),
                TvfInput::Query(query) => format!("({query})"),
            };
            let keys: Vec<String> = tvf.partition_keys.iter().map(Expr::to_string).collect();
            format!(
                "{} {input} {} size {:?} slide {:?} gap {:?} offset {} keys [{}]{}",
                tvf.kind.name(),
                tvf.time_column.value,
                tvf.size_ms,
                tvf.slide_ms,
                tvf.gap_ms,
                tvf.offset_ms,
                keys.join(", "),
                tvf.alias
                    .map_or(String::new(), |alias| format!(" as {}", alias.name.value))
            )
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_window_function_is_found_in_all_its_forms() {
    let cases = [
        (
            "TABLE(TUMBLE(TABLE c.d.t, DESCRIPTOR(ts), INTERVAL '10' SECOND)) AS w",
            "TUMBLE c.d.t ts size Some(10000) slide None gap None offset 0 keys [] as w",
        ),
        (
            "TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' DAY, INTERVAL '-8' HOUR))",
            "TUMBLE t ts size Some(86400000) slide None gap None offset -28800000 keys []",
        ),
        (
            "TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '10' SECOND))",
            "HOP t ts size Some(10000) slide Some(5000) gap None offset 0 keys []",
        ),
        (
            "TABLE(CUMULATE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' HOUR, INTERVAL '1' DAY))",
            "CUMULATE t ts size Some(86400000) slide Some(3600000) gap None offset 0 keys []",
        ),
        (
            "TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '5' MINUTE))",
            "SESSION t ts size None slide None gap Some(300000) offset 0 keys [k]",
        ),
        (
            "TABLE(SESSION(TABLE t PARTITION BY (k, l), DESCRIPTOR(ts), INTERVAL '5' MINUTE))",
            "SESSION t ts size None slide None gap Some(300000) offset 0 keys [k, l]",
        ),
        (
            "TABLE(SESSION(TABLE t, DESCRIPTOR(ts), INTERVAL '5' MINUTE))",
            "SESSION t ts size None slide None gap Some(300000) offset 0 keys []",
        ),
        (
            "TABLE(hop(DATA => TABLE t, TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL '10' SECOND, \
             SLIDE => INTERVAL '5' SECOND, `OFFSET` => INTERVAL '1' SECOND))",
            "HOP t ts size Some(10000) slide Some(5000) gap None offset 1000 keys []",
        ),
        (
            "TABLE(SESSION(DATA => TABLE t PARTITION BY k, TIMECOL => DESCRIPTOR(ts), GAP => INTERVAL '1' SECOND))",
            "SESSION t ts size None slide None gap Some(1000) offset 0 keys [k]",
        ),
        (
            "TUMBLE(TABLE t, DESCRIPTOR(`a b`), INTERVAL '10' SECOND) w",
            "TUMBLE t a b size Some(10000) slide None gap None offset 0 keys [] as w",
        ),
        (
            "TABLE(TUMBLE((SELECT * FROM t), DESCRIPTOR(ts), INTERVAL '10' SECOND))",
            "TUMBLE (SELECT * FROM t) ts size Some(10000) slide None gap None offset 0 keys []",
        ),
        ("t", "none"),
        ("TABLE(f(1))", "none"),
    ];
    for (text, expected) in cases {
        assert_eq!(tvf(text), expected, "{text}");
    }
}

#[test]
fn a_window_function_with_wrong_arguments_is_refused() {
    let cases = [
        (
            "TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts)))",
            "1:21: `TUMBLE` does not take 2 arguments (write `TUMBLE(TABLE t, DESCRIPTOR(time), size [, offset])`)",
        ),
        (
            "TABLE(TUMBLE(t, DESCRIPTOR(ts), INTERVAL '1' SECOND))",
            "1:28: the first argument of `TUMBLE` must be a table (write `TABLE name`)",
        ),
        (
            "TABLE(TUMBLE(TABLE t, ts, INTERVAL '1' SECOND))",
            "1:21: the time column of `TUMBLE` must be given as `DESCRIPTOR(column)`",
        ),
        (
            "TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), 10))",
            "1:53: size of `TUMBLE` must be an interval literal, not `10`",
        ),
        (
            "TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '0' SECOND))",
            "1:62: size of `TUMBLE` must be positive, not 0 ms",
        ),
        (
            "TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MONTH))",
            "1:62: a window of `TUMBLE` cannot last months",
        ),
        (
            "TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '3' SECOND, INTERVAL '10' SECOND))",
            "1:21: the size of `HOP` (10000 ms) must be a multiple of its slide (3000 ms)",
        ),
        (
            "TABLE(TUMBLE(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '3' SECOND))",
            "1:21: `PARTITION BY` belongs to `SESSION`, not to `TUMBLE`",
        ),
        (
            "TABLE(TUMBLE(DATA => TABLE t, TIMECOL => DESCRIPTOR(ts), SZIE => INTERVAL '3' SECOND))",
            "1:72: `TUMBLE` has no argument `SZIE` (did you mean `SIZE`?)",
        ),
        (
            "TABLE(TUMBLE(TIMECOL => DESCRIPTOR(ts), DATA => TABLE t, SIZE => INTERVAL '3' SECOND))",
            "1:28: `DATA` must be the first argument",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(tvf(text), expected, "{text}");
    }
}

#[test]
fn hints_arrive_at_their_table_or_query() {
    let table = first_table(
        "SELECT * FROM c.t /*+ OPTIONS('a'='b', 'c'='d') */ FOR SYSTEM_TIME AS OF x.p AS s",
    );
    assert_eq!(
        table_options(&table),
        [
            ("a".to_string(), "b".to_string()),
            ("c".to_string(), "d".to_string())
        ]
    );
    let TableFactor::Table {
        alias,
        version,
        partitions,
        ..
    } = table
    else {
        panic!("not a table");
    };
    assert_eq!(alias.map(|alias| alias.name.value).as_deref(), Some("s"));
    assert!(version.is_some() && partitions.is_empty());

    let text =
        "SELECT /*+ STATE_TTL('a'='1d', b = '2d'), BROADCAST(x, c.y) LOOKUP('table'='z') */ 1";
    let Statement::Query(query) = parsed(text) else {
        panic!("no query");
    };
    let SetExpr::Select(select) = *query.body else {
        panic!("no select");
    };
    let hints = select_hints(&select).unwrap();
    let shown: Vec<String> = hints.iter().map(hint).collect();
    assert_eq!(
        shown,
        [
            "STATE_TTL(a=1d,b=2d)",
            "BROADCAST(x,c.y)",
            "LOOKUP(table=z)"
        ]
    );
    let columns: Vec<u64> = hints.iter().map(|hint| hint.position.column).collect();
    assert_eq!(columns, [12, 43, 61]);
}

#[test]
fn a_pattern_keeps_its_time_limit() {
    let table = first_table(
        "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY a ORDER BY ts \
         MEASURES FINAL LAST(B.x) AS y ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW \
         PATTERN (A B+? C{2,3}) WITHIN INTERVAL '1' HOUR DEFINE A AS A.x > 1, B AS B.x > 2) AS m",
    );
    let TableFactor::MatchRecognize {
        symbols, measures, ..
    } = table
    else {
        panic!("no pattern");
    };
    let (within, symbols) = match_within(&symbols);
    assert_eq!(
        within.map(Expr::to_string).as_deref(),
        Some("INTERVAL '1' HOUR")
    );
    assert_eq!(symbols.len(), 2);
    assert_eq!(measures[0].expr.to_string(), "$final(LAST(B.x))");
}

#[test]
fn a_lateral_function_is_found() {
    let table = first_table("SELECT * FROM LATERAL TABLE(f(a, 1)) AS s (b)");
    let found = table_function(&table).unwrap();
    assert!(found.lateral);
    assert_eq!(found.function.to_string(), "f(a, 1)");
    assert_eq!(
        found.alias.map(|alias| alias.to_string()).as_deref(),
        Some("AS s (b)")
    );
}
