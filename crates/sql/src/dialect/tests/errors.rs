//! Errors as users see them.

use super::super::Script;

fn rendered(text: &str) -> String {
    let errors: Vec<String> = Script::new(text)
        .filter_map(Result::err)
        .map(|error| error.render(None, text))
        .collect();
    errors.concat()
}

fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        let rendered = rendered(text);
        let lines: Vec<&str> = rendered.lines().collect();
        assert_eq!(lines.join("\n"), *expected, "{text}\n{rendered}");
    }
}

#[test]
fn an_error_points_into_the_whole_script() {
    check(&[
        (
            "USE a;\n\nSELECT a, (b FROM t;",
            "error: 3:14: expected `)`, found `FROM`\n  3 | SELECT a, (b FROM t;\n    |              ^^^^",
        ),
        (
            "SELECT 1;\n  CREATE TABLE t (a INT\n  WITH ('x' = 'y');",
            "error: 3:3: expected `)`, found `WITH`\n  3 |   WITH ('x' = 'y');\n    |   ^^^^",
        ),
        (
            "SELECT a FROM",
            "error: 1:14: expected a name, found end of statement\n  1 | SELECT a FROM\n    |              ^",
        ),
    ]);
}

#[test]
fn a_mistake_in_a_query_is_named_where_it_is() {
    check(&[
        (
            "SELECT a FROM (SELECT b, FROM t) AS x",
            "error: 1:26: expected an expression, found `FROM`\n  1 | SELECT a FROM (SELECT b, FROM t) AS x\n    |                          ^^^^",
        ),
        (
            "SELECT a FROM (SELECT b FROM t WHERE) AS x",
            "error: 1:37: expected an expression, found `)`\n  1 | SELECT a FROM (SELECT b FROM t WHERE) AS x\n    |                                     ^",
        ),
        (
            "SELECT CASE WHEN a THEN b FROM t",
            "error: 1:27: expected `END`, found `FROM`\n  1 | SELECT CASE WHEN a THEN b FROM t\n    |                           ^^^^",
        ),
        (
            "SELECT a FROM t WHRE a = 1",
            "error: 1:22: expected end of statement, found `a`\n  1 | SELECT a FROM t WHRE a = 1\n    |                      ^\n    hint: did you mean `WHERE` instead of `WHRE`?",
        ),
        (
            "SELECT * FROM WHERE a = 1",
            "error: 1:15: expected a name, found `WHERE`\n  1 | SELECT * FROM WHERE a = 1\n    |               ^^^^^\n    hint: write `WHERE` in back-ticks to use it as a name",
        ),
        (
            "SELECT * FROM a JOIN b",
            "error: 1:22: a join needs `ON`, `USING` or `NATURAL`\n  1 | SELECT * FROM a JOIN b\n    |                      ^\n    hint: write `CROSS JOIN` for all combinations",
        ),
        (
            "SELECT \"a\" FROM t",
            "error: 1:8: double quotes are not allowed\n  1 | SELECT \"a\" FROM t\n    |        ^^^\n    hint: write 'text' for a string and `name` for an identifier",
        ),
        (
            "SELECT a FROM 'x'",
            "error: 1:1: expected a name, found the string 'x'\n  1 | SELECT a FROM 'x'\n    | ^^^^^^\n    hint: write `x` in back-ticks to use it as a name",
        ),
        (
            "SELECT CAST(a AS VARCHR) FROM t",
            "error: 1:18: unknown type `VARCHR`\n  1 | SELECT CAST(a AS VARCHR) FROM t\n    |                  ^^^^^^\n    hint: did you mean `VARCHAR`?",
        ),
        (
            "SELECT a FROM t WHERE ts > INTERVAL '300' SECOND",
            "error: 1:37: the interval's value `300` has more digits than `SECOND(2)` allows\n  1 | SELECT a FROM t WHERE ts > INTERVAL '300' SECOND\n    |                                     ^^^^^\n    hint: write `SECOND(3)`",
        ),
        (
            "SELECT ${x} FROM t",
            "error: 1:8: a statement has no parameters: `$`\n  1 | SELECT ${x} FROM t\n    |        ^",
        ),
        (
            "SELECT a FROM t TABLESAMPLE BERNOULLI (1)",
            "error: 1:15: `TABLESAMPLE` is not supported\n  1 | SELECT a FROM t TABLESAMPLE BERNOULLI (1)\n    |               ^",
        ),
        (
            "SELECT a FROM t GROUP BY ALL",
            "error: 1:1: `GROUP BY ALL` is not part of Flink SQL\n  1 | SELECT a FROM t GROUP BY ALL\n    | ^^^^^^",
        ),
    ]);
}

#[test]
fn a_mistake_in_a_statement_is_named() {
    check(&[
        (
            "SELEC 1",
            "error: 1:1: expected a statement, found `SELEC`\n  1 | SELEC 1\n    | ^^^^^\n    hint: did you mean `SELECT`?",
        ),
        (
            "CREATE TABLE t (a INT, PRIMARY KEY (a))",
            "error: 1:39: expected `NOT ENFORCED`, found `)`\n  1 | CREATE TABLE t (a INT, PRIMARY KEY (a))\n    |                                       ^\n    hint: nothing checks that the key is unique: say `PRIMARY KEY .. NOT ENFORCED`",
        ),
        (
            "CREATE TABLE t (a INT) WITH ('x' = 'y', 'x' = 'z')",
            "error: 1:41: the option `x` is given twice\n  1 | CREATE TABLE t (a INT) WITH ('x' = 'y', 'x' = 'z')\n    |                                         ^^^",
        ),
        (
            "CREATE TABLE t (a)",
            "error: 1:17: the column `a` has no type\n  1 | CREATE TABLE t (a)\n    |                 ^",
        ),
        (
            "SET a = b",
            "error: 1:5: expected a quoted string, found `a`\n  1 | SET a = b\n    |     ^\n    hint: write `SET 'key' = 'value'`, both in single quotes",
        ),
        (
            "SHOW TABELS",
            "error: 1:6: expected what to show, for instance `TABLES`, found `TABELS`\n  1 | SHOW TABELS\n    |      ^^^^^^\n    hint: did you mean `TABLES`?",
        ),
        (
            "INSERT t SELECT 1",
            "error: 1:8: expected `INTO` or `OVERWRITE`, found `t`\n  1 | INSERT t SELECT 1\n    |        ^",
        ),
        (
            "EXECUTE STATEMENT SET BEGIN SELECT 1; END",
            "error: 1:29: expected `INSERT` or `END`, found `SELECT`\n  1 | EXECUTE STATEMENT SET BEGIN SELECT 1; END\n    |                             ^^^^^^",
        ),
        (
            "USE a.b c",
            "error: 1:9: expected end of statement, found `c`\n  1 | USE a.b c\n    |         ^",
        ),
        (
            "SELECT 'abc",
            "error: 1:8: the string that begins here does not end\n  1 | SELECT 'abc\n    |        ^",
        ),
    ]);
}

#[test]
fn a_hint_is_never_dropped() {
    check(&[
        (
            "SELECT * FROM t /*+ OPTINS('a'='b') */",
            "error: 1:21: unknown hint `OPTINS`\n  1 | SELECT * FROM t /*+ OPTINS('a'='b') */\n    |                     ^^^^^^\n    hint: did you mean `OPTIONS`?",
        ),
        (
            "SELECT * FROM t /*+ BROADCAST(t) */",
            "error: 1:21: the hint `BROADCAST` belongs after `SELECT`\n  1 | SELECT * FROM t /*+ BROADCAST(t) */\n    |                     ^^^^^^^^^",
        ),
        (
            "SELECT a + /*+ OPTIONS('a'='b') */ b FROM t",
            "error: 1:12: a hint stands after `SELECT` or after a table's name only\n  1 | SELECT a + /*+ OPTIONS('a'='b') */ b FROM t\n    |            ^^^^^^^^^^^^^^^^^^^^^^^",
        ),
        (
            "SELECT a FROM t WHERE a /*+ OPTIONS('a'='b') */ = 1",
            "error: 1:25: expected end of statement, found `/*+ OPTIONS('a'='b') */`\n  1 | SELECT a FROM t WHERE a /*+ OPTIONS('a'='b') */ = 1\n    |                         ^^^^^^^^^^^^^^^^^^^^^^^",
        ),
        (
            "SELECT * FROM t PARTITION (a)",
            "error: 1:15: `PARTITION` after a table's name is not part of Flink SQL\n  1 | SELECT * FROM t PARTITION (a)\n    |               ^",
        ),
    ]);
}

/// Statements whose every cut and every gap must be an answer or an error, never a panic.
const WHOLE: &[&str] = &[
    "CREATE TABLE t (a ROW<b INT NOT NULL, c ARRAY<STRING>>, ts AS TO_TIMESTAMP(a.b), m INT METADATA \
     FROM 'k' VIRTUAL, WATERMARK FOR ts AS ts - INTERVAL '5' SECOND, PRIMARY KEY (a) NOT ENFORCED) \
     PARTITIONED BY (a) WITH ('x' = 'y') LIKE s (EXCLUDING ALL)",
    "INSERT INTO c.d.t /*+ OPTIONS('a'='b') */ PARTITION (p = 1) (x) SELECT /*+ STATE_TTL('a'='1d') */ \
     CAST(a AS DECIMAL(3, 1)), MAP['k', 1] FROM t FOR SYSTEM_TIME AS OF o.p AS u ON CONFLICT DO NOTHING",
    "SELECT a, COUNT(*) FILTER (WHERE b) FROM TABLE(SESSION(TABLE t PARTITION BY (k, l), DESCRIPTOR(ts), \
     INTERVAL '1 10:00' DAY TO MINUTE)) AS w GROUP BY GROUPING SETS ((a), ()) HAVING x NOT BETWEEN SYMMETRIC 1 AND 2",
    "SELECT * FROM t MATCH_RECOGNIZE (ORDER BY ts MEASURES FINAL LAST(A.x) AS y PATTERN (A+? {- B -} C{2,3} $) \
     WITHIN INTERVAL '1' HOUR DEFINE A AS A.x > 1) WHERE j IS JSON AND JSON_VALUE(j, '$.a' DEFAULT 1 ON ERROR) = E'\\u0041'",
    "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT CASE WHEN x THEN U&'!0041' UESCAPE '!' END FROM `b`; END;",
    "ALTER TABLE t ADD (c INT FIRST, d AS c + 1, WATERMARK FOR ts AS ts); SHOW TABLES FROM d NOT LIKE 'a%'; SET 'k' = 'v'",
];

fn points_into(text: &str) {
    for error in Script::new(text).filter_map(Result::err) {
        let Some(position) = error.position else {
            panic!("no place for {error} in {text}");
        };
        let lines = text.split('\n').count() as u64;
        assert!((1..=lines).contains(&position.line), "{error} in {text}");
        assert!(
            !error.message.contains(char::is_control),
            "{error} in {text}"
        );
        assert!(
            position.column >= 1 && error.length >= 1,
            "{error} in {text}"
        );
    }
}

#[test]
fn a_broken_statement_gives_an_error_that_points_into_it() {
    for whole in WHOLE {
        let places: Vec<usize> = whole.char_indices().map(|(index, _)| index).collect();
        for &at in &places {
            points_into(&whole[..at]);
            points_into(&format!(
                "USE a;\n{}{}",
                &whole[..at],
                whole.get(at + 1..).unwrap_or("")
            ));
            points_into(&format!("{} ) {}", &whole[..at], &whole[at..]));
            points_into(&format!("{} ( {}", &whole[..at], &whole[at..]));
        }
    }
}

#[test]
fn deep_nesting_is_an_error_and_no_crash() {
    let nested = format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000));
    let error = Script::new(&nested).next().unwrap().unwrap_err();
    assert_eq!(error.message, "the statement is nested too deeply");
    let long = format!("SELECT 1{}", " + 1".repeat(5_000));
    assert!(Script::new(&long).next().unwrap().is_ok());
}
