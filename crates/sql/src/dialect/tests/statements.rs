//! Every statement but queries.

use super::{parsed, summary};

fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(summary(&parsed(text)), *expected, "{text}");
    }
}

#[test]
fn create_table_keeps_every_clause() {
    check(&[
        (
            "CREATE TABLE t (a INT, `b c` STRING NOT NULL COMMENT 'x') WITH ('connector' = 'print')",
            "table t columns[a INT; b c STRING NOT NULL 'x'] options[connector=print]",
        ),
        (
            "CREATE TEMPORARY TABLE IF NOT EXISTS c.d.t (id BIGINT PRIMARY KEY NOT ENFORCED, \
             ts AS TO_TIMESTAMP(id / 10) COMMENT 'time', p AS PROCTIME(), \
             m TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL, o BIGINT METADATA, \
             WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) COMMENT 'it''s' \
             DISTRIBUTED BY HASH(id) INTO 4 BUCKETS PARTITIONED BY (id, o) WITH ('a'='b', 'c'='d')",
            "table c.d.t temporary if-not-exists columns[id BIGINT; ts := TO_TIMESTAMP(id / 10) 'time'; \
             p := PROCTIME(); m TIMESTAMP_LTZ(3) metadata(timestamp virtual); o BIGINT metadata()] \
             watermark[ts <- ts - INTERVAL '5' SECOND] key[id] comment[it's] \
             distribution[Some(\"HASH\") id Some(4)] partitions[id,o] options[a=b c=d]",
        ),
        (
            "CREATE TABLE t (a INT, b INT, CONSTRAINT pk PRIMARY KEY (a, b) NOT ENFORCED)",
            "table t columns[a INT; b INT] key[a,b]",
        ),
        (
            "CREATE TABLE t (r ROW<a INT NOT NULL, b ARRAY<MAP<STRING, INT>>>, \
             ts TIMESTAMP(3) WITH LOCAL TIME ZONE, WATERMARK FOR r.a AS r.a)",
            "table t columns[r ROW<`a` INT NOT NULL, `b` ARRAY<MAP<STRING, INT>>>; ts TIMESTAMP_LTZ(3)] \
             watermark[r,a <- r.a]",
        ),
        (
            "CREATE TABLE t (c INT) WITH ('x'='y') LIKE s (EXCLUDING ALL INCLUDING GENERATED OVERWRITING OPTIONS)",
            "table t columns[c INT] options[x=y] like[s Excluding All Including Generated Overwriting Options]",
        ),
        ("CREATE TABLE t LIKE s", "table t like[s]"),
        (
            "CREATE TABLE t (a, b) WITH ('x'='y') AS SELECT b, a FROM s",
            "table t identifiers[a,b] options[x=y] as[SELECT b, a FROM s]",
        ),
        (
            "CREATE OR REPLACE TABLE t AS SELECT 1 AS x",
            "table t OrCreate as[SELECT 1 AS x]",
        ),
        (
            "REPLACE TABLE t AS SELECT 1 AS x",
            "table t Existing as[SELECT 1 AS x]",
        ),
    ]);
}

#[test]
fn other_objects_are_created_and_dropped() {
    check(&[
        (
            "CREATE TEMPORARY VIEW IF NOT EXISTS v (a, b) COMMENT 'c' AS SELECT 1, /* k */ 2",
            "view v temporary if-not-exists columns[a,b] comment[c] as[SELECT 1, /* k */ 2]",
        ),
        (
            "CREATE OR REPLACE VIEW v AS VALUES (1)",
            "view v or-replace as[VALUES (1)]",
        ),
        (
            "CREATE DATABASE IF NOT EXISTS c.d COMMENT 'x' WITH ('a'='b')",
            "database c.d if-not-exists comment[x] options[a=b]",
        ),
        (
            "CREATE CATALOG c WITH ('type'='generic_in_memory')",
            "catalog c options[type=generic_in_memory]",
        ),
        (
            "CREATE TEMPORARY SYSTEM FUNCTION IF NOT EXISTS f AS 'a.B' LANGUAGE PYTHON USING JAR 'x', JAR 'y'",
            "function f \"a.B\" Some(\"PYTHON\") [\"x\", \"y\"] temporary system",
        ),
        ("DROP TABLE IF EXISTS a.b", "drop Table a.b if-exists"),
        ("DROP TEMPORARY VIEW v", "drop View v temporary"),
        ("DROP DATABASE d CASCADE", "drop Database d cascade"),
        ("DROP DATABASE d RESTRICT", "drop Database d"),
        (
            "DROP TEMPORARY SYSTEM FUNCTION f",
            "drop Function f temporary",
        ),
        ("DROP CATALOG c", "drop Catalog c"),
    ]);
}

#[test]
fn objects_are_altered() {
    check(&[
        (
            "ALTER TABLE IF EXISTS t RENAME TO u",
            "alter table t if-exists rename u",
        ),
        (
            "ALTER TABLE t RENAME a.b TO c",
            "alter table t rename a,b to c",
        ),
        ("ALTER TABLE t SET ('a'='b')", "alter table t set a=b"),
        ("ALTER TABLE t RESET ('a', 'b')", "alter table t reset a,b"),
        (
            "ALTER TABLE t ADD c INT FIRST",
            "alter table t add c INT first",
        ),
        (
            "ALTER TABLE t ADD (c INT AFTER b, d AS c + 1, PRIMARY KEY (c) NOT ENFORCED, WATERMARK FOR ts AS ts)",
            "alter table t add c INT after b; d := c + 1 watermark ts key c",
        ),
        (
            "ALTER TABLE t MODIFY c BIGINT NOT NULL",
            "alter table t modify c BIGINT NOT NULL",
        ),
        ("ALTER TABLE t DROP (a, b)", "alter table t drop a;b"),
        ("ALTER TABLE t DROP PRIMARY KEY", "alter table t drop key "),
        (
            "ALTER TABLE t DROP CONSTRAINT k",
            "alter table t drop key k",
        ),
        (
            "ALTER TABLE t DROP WATERMARK",
            "alter table t drop watermark",
        ),
        ("ALTER VIEW v RENAME TO w", "alter view v rename w"),
        ("ALTER VIEW v AS SELECT 1", "alter view v as SELECT 1"),
        ("ALTER DATABASE d SET ('a'='b')", "alter database d set a=b"),
    ]);
}

#[test]
fn rows_are_inserted() {
    check(&[
        ("INSERT INTO t SELECT 1", "insert t query[SELECT 1]"),
        (
            "INSERT OVERWRITE t PARTITION (d = '2024', h) (a, b) VALUES (1, 2)",
            "insert t overwrite partition[d='2024'] columns[a,b] query[VALUES (1, 2)]",
        ),
        (
            "INSERT INTO c.d.t /*+ OPTIONS('sink.parallelism'='1', 'x'='y') */ (a) (SELECT 1)",
            "insert c.d.t hints[OPTIONS(sink.parallelism=1,x=y)] columns[a] query[(SELECT 1)]",
        ),
        (
            "INSERT INTO t WITH x AS (SELECT 1) SELECT * FROM x ON CONFLICT DO DEDUPLICATE",
            "insert t query[WITH x AS (SELECT 1) SELECT * FROM x] on-conflict Deduplicate",
        ),
        (
            "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1; INSERT INTO b SELECT 2; END",
            "set { insert a query[SELECT 1]; insert b query[SELECT 2] }",
        ),
        (
            "BEGIN STATEMENT SET; INSERT INTO a SELECT CASE WHEN x THEN 1 END FROM t; END;",
            "set { insert a query[SELECT CASE WHEN x THEN 1 END FROM t] }",
        ),
    ]);
}

#[test]
fn the_session_is_steered() {
    check(&[
        ("SET", "set"),
        ("SET 'a.b' = 'c'", "set a.b=c"),
        ("RESET", "reset "),
        ("RESET 'a.b'", "reset a.b"),
        ("USE c.d", "use c.d"),
        ("USE CATALOG c", "use catalog c"),
        ("USE catalog", "use catalog"),
        ("EXPLAIN PLAN FOR SELECT 1", "explain [] SELECT 1"),
        (
            "EXPLAIN CHANGELOG_MODE, ESTIMATED_COST INSERT INTO t SELECT 1",
            "explain [ChangelogMode, EstimatedCost] insert t query[SELECT 1]",
        ),
        (
            "EXPLAIN STATEMENT SET BEGIN INSERT INTO t SELECT 1; END",
            "explain [] set { insert t query[SELECT 1] }",
        ),
        ("SHOW TABLES", "show Tables"),
        ("show current database", "show CurrentDatabase"),
        (
            "SHOW TABLES FROM c.d NOT LIKE 'a%'",
            "show Tables from c.d ShowFilter { negated: true, ignore_case: false, pattern: \"a%\" }",
        ),
        ("SHOW COLUMNS IN t", "show Columns from t"),
        ("SHOW USER FUNCTIONS", "show Functions { user: true }"),
        ("SHOW FULL MODULES", "show Modules { full: true }"),
        ("SHOW CREATE VIEW v", "show create View v"),
        ("SHOW JOBS", "job Show"),
        ("DESC t", "describe Table t"),
        ("DESCRIBE EXTENDED c.d.t", "describe Table c.d.t extended"),
        ("DESCRIBE CATALOG EXTENDED c", "describe Catalog c extended"),
        ("DESCRIBE catalog", "describe Table catalog"),
        ("DESCRIBE JOB 'ab'", "job Describe(\"ab\")"),
        (
            "STOP JOB 'ab' WITH SAVEPOINT WITH DRAIN",
            "job Stop { id: \"ab\", with_savepoint: true, with_drain: true }",
        ),
        ("help", "client Help"),
        ("SOURCE /tmp/x.sql;", "client Source(\"/tmp/x.sql\")"),
        ("QUIT", "client Quit"),
    ]);
}

#[test]
fn a_statement_without_an_implementation_is_recognised() {
    check(&[
        (
            "CREATE MODEL m INPUT (a STRING) OUTPUT (b STRING) WITH ('x'='y')",
            "absent CREATE MODEL (models)",
        ),
        (
            "CREATE MATERIALIZED TABLE t FRESHNESS = INTERVAL '1' MINUTE AS SELECT 1",
            "absent CREATE MATERIALIZED TABLE (materialized tables)",
        ),
        (
            "COMPILE PLAN 'f' FOR INSERT INTO t SELECT 1",
            "absent COMPILE PLAN (compiled plans)",
        ),
        ("EXECUTE PLAN 'f'", "absent EXECUTE PLAN (compiled plans)"),
        ("CALL p(1, n => 2)", "absent CALL (procedures)"),
        ("ADD JAR '/x.jar'", "absent ADD JAR (user artifacts)"),
        ("UPDATE t SET a = 1", "absent UPDATE (row-level changes)"),
        (
            "DELETE FROM t WHERE a = 1",
            "absent DELETE FROM (row-level changes)",
        ),
        (
            "TRUNCATE TABLE t",
            "absent TRUNCATE TABLE (row-level changes)",
        ),
        (
            "ANALYZE TABLE t COMPUTE STATISTICS",
            "absent ANALYZE TABLE (statistics)",
        ),
        ("LOAD MODULE hive", "absent LOAD MODULE (modules)"),
    ]);
}
