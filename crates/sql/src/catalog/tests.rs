//! Scripts of definitions, and what a session then knows.

use sqlparser::ast::Ident;

use super::*;
use crate::dialect::{Statement, parse_script};

/// Runs a script on `catalog`; a `CREATE .. AS` has the column `q BIGINT NOT NULL, r STRING`.
fn run(catalog: &mut Catalog, text: &str) -> SqlResult<()> {
    let query = [
        ("q".to_string(), "BIGINT NOT NULL".parse().unwrap()),
        ("r".to_string(), SqlType::string()),
    ];
    for statement in parse_script(text)? {
        match &statement.node {
            Statement::CreateTable(create) => {
                let columns = create.as_query.as_ref().map(|_| query.as_slice());
                catalog.create_table(create, columns)?;
            }
            Statement::CreateView(create) => drop(catalog.create_view(create)?),
            Statement::CreateCatalog(create) => catalog.create_catalog(create)?,
            Statement::CreateDatabase(create) => catalog.create_database(create)?,
            Statement::Drop(drop) => catalog.drop(drop)?,
            Statement::AlterTable(alter) => catalog.alter_table(alter)?,
            Statement::AlterView(alter) => catalog.alter_view(alter)?,
            Statement::Use(path) => catalog.use_database(path)?,
            Statement::UseCatalog(name) => catalog.use_catalog(name)?,
            Statement::Describe { name, .. } => drop(catalog.resolve(name)?),
            other => panic!("{other:?}"),
        }
    }
    Ok(())
}

fn after(text: &str) -> Catalog {
    let mut catalog = Catalog::new();
    if let Err(error) = run(&mut catalog, text) {
        panic!("{}", error.render(None, text));
    }
    catalog
}

fn path(text: &str) -> ObjectPath {
    ObjectPath::from(text.split('.').map(Ident::new).collect::<Vec<_>>())
}

/// The table on one line.
fn shown(catalog: &Catalog, name: &str) -> String {
    let (_, table) = catalog.table(&path(name)).unwrap();
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| match (&column.origin, &column.data_type) {
            (ColumnOrigin::Computed { text, .. }, _) => format!("{} := {text}", column.name),
            (ColumnOrigin::Metadata { key, .. }, Some(data_type)) => {
                format!("{} {data_type} from {key}", column.name)
            }
            (_, Some(data_type)) => format!("{} {data_type}", column.name),
            (_, None) => column.name.clone(),
        })
        .collect();
    let options: Vec<String> = table
        .options
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    format!(
        "{} | watermark {} | key {} | partitions {} | {}",
        columns.join(", "),
        table
            .watermark
            .as_ref()
            .map_or("-", |watermark| &watermark.text),
        table.primary_key.join(","),
        table.partition_keys.join(","),
        options.join(" "),
    )
}

const BASE: &str = "CREATE TABLE base (id BIGINT, `key` STRING, ts TIMESTAMP(3), \
    m BIGINT METADATA FROM 'offset' VIRTUAL, c AS id + 1, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND, \
    PRIMARY KEY (id) NOT ENFORCED) PARTITIONED BY (`key`) WITH ('a' = '1', 'b' = '2');";

#[test]
fn a_table_is_what_its_statement_says() {
    let catalog = after(BASE);
    assert_eq!(
        shown(&catalog, "base"),
        "id BIGINT NOT NULL, key STRING, ts TIMESTAMP(3), m BIGINT from offset, c := id + 1 | \
         watermark ts - INTERVAL '1' SECOND | key id | partitions key | a=1 b=2"
    );
    let (_, table) = catalog.table(&path("base")).unwrap();
    let sink: Vec<&str> = table
        .sink_columns()
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(sink, ["id", "key", "ts"]);
}

#[test]
fn a_table_takes_over_what_like_includes() {
    let like = |clause: &str| {
        let catalog = after(&format!("{BASE} CREATE TABLE t {clause};"));
        shown(&catalog, "t")
    };
    assert_eq!(
        like("(x INT) WITH ('b' = '3', 'd' = '4') LIKE base"),
        "id BIGINT NOT NULL, key STRING, ts TIMESTAMP(3), m BIGINT from offset, c := id + 1, x INT | \
         watermark ts - INTERVAL '1' SECOND | key id | partitions key | a=1 b=3 d=4"
    );
    assert_eq!(
        like("WITH ('d' = '4') LIKE base (EXCLUDING ALL)"),
        "id BIGINT NOT NULL, key STRING, ts TIMESTAMP(3) | watermark - | key  | partitions  | d=4"
    );
    assert_eq!(
        like(
            "(c AS id * 2, WATERMARK FOR ts AS ts) LIKE base (EXCLUDING ALL OVERWRITING GENERATED OVERWRITING WATERMARKS)"
        ),
        "id BIGINT NOT NULL, key STRING, ts TIMESTAMP(3), c := id * 2 | watermark ts | key  | partitions  | "
    );
}

#[test]
fn a_table_filled_by_a_query_merges_its_columns() {
    let filled = |clause: &str| {
        let catalog = after(&format!("CREATE TABLE t {clause} AS SELECT 1;"));
        shown(&catalog, "t")
    };
    assert_eq!(
        filled("(x INT, r VARCHAR(3), PRIMARY KEY (q) NOT ENFORCED) WITH ('a' = 'b')"),
        "x INT, q BIGINT NOT NULL, r VARCHAR(3) | watermark - | key q | partitions  | a=b"
    );
    assert_eq!(
        filled("(r, q)"),
        "r STRING, q BIGINT NOT NULL | watermark - | key  | partitions  | "
    );
}

#[test]
fn a_temporary_object_hides_the_permanent_one() {
    let mut catalog = after(
        "CREATE TABLE t (a INT); CREATE TEMPORARY TABLE t (b INT); CREATE TEMPORARY VIEW v AS SELECT 1;",
    );
    assert!(catalog.resolve(&path("t")).unwrap().temporary);
    assert_eq!(catalog.tables(None).unwrap(), ["t", "v"]);
    assert_eq!(catalog.views(None).unwrap(), ["v"]);
    let refused = run(&mut catalog, "DROP TABLE t").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "1:12: a temporary table `t` exists (drop it first, with `DROP TEMPORARY`)"
    );
    run(&mut catalog, "DROP TEMPORARY TABLE t").unwrap();
    assert_eq!(
        shown(&catalog, "t"),
        "a INT | watermark - | key  | partitions  | "
    );
}

#[test]
fn names_take_the_current_catalog_and_database() {
    let catalog = after(
        "CREATE DATABASE d; USE d; CREATE TABLE t (a INT); \
         CREATE CATALOG c WITH ('type' = 'generic_in_memory', 'default-database' = 'e'); USE CATALOG c; \
         CREATE TABLE u (b INT);",
    );
    assert_eq!(
        (catalog.current_catalog(), catalog.current_database()),
        ("c", "e")
    );
    let found = |name: &str| {
        catalog
            .resolve(&path(name))
            .map(|found| found.identifier.to_string())
    };
    assert_eq!(found("u").unwrap(), "c.e.u");
    assert_eq!(found("default_catalog.d.t").unwrap(), "default_catalog.d.t");
    assert_eq!(catalog.catalogs(), ["c", "default_catalog"]);
    assert_eq!(
        catalog.databases(Some("default_catalog")),
        ["d", "default_database"]
    );
}

#[test]
fn a_view_keeps_its_text_and_names_its_tables_in_full() {
    let catalog = after(
        "CREATE TABLE t (a INT); CREATE VIEW v AS WITH x AS (SELECT a FROM t) \
         SELECT t.a FROM t, x, TABLE(TUMBLE(TABLE t, DESCRIPTOR(a), INTERVAL '1' SECOND));",
    );
    let CatalogObject::View(view) = catalog.resolve(&path("v")).unwrap().object else {
        panic!("no view");
    };
    assert!(view.text.starts_with("WITH x AS (SELECT a FROM t)"));
    assert_eq!(
        view.query.to_string(),
        "WITH x AS (SELECT a FROM `default_catalog`.`default_database`.`t` AS t) \
         SELECT t.a FROM `default_catalog`.`default_database`.`t` AS t, x, \
         TABLE(TUMBLE($table(`default_catalog`.`default_database`.`t`), DESCRIPTOR(a), INTERVAL '1' SECOND))"
    );
}

#[test]
fn tables_and_views_are_altered() {
    let altered = |change: &str| {
        let catalog = after(&format!(
            "CREATE TABLE t (a INT, b AS a + 1, c INT); {change}"
        ));
        shown(&catalog, "t")
    };
    let rest = " | watermark - | key  | partitions  | ";
    let cases = [
        (
            "ALTER TABLE t ADD d INT FIRST",
            format!("d INT, a INT, b := a + 1, c INT{rest}"),
        ),
        (
            "ALTER TABLE t ADD (d INT AFTER a)",
            format!("a INT, d INT, b := a + 1, c INT{rest}"),
        ),
        (
            "ALTER TABLE t MODIFY c BIGINT FIRST",
            format!("c BIGINT, a INT, b := a + 1{rest}"),
        ),
        ("ALTER TABLE t DROP (b, c)", format!("a INT{rest}")),
        (
            "ALTER TABLE t RENAME c TO d",
            format!("a INT, b := a + 1, d INT{rest}"),
        ),
        (
            "ALTER TABLE t SET ('x'='1', 'y'='2'); ALTER TABLE t RESET ('x')",
            format!("a INT, b := a + 1, c INT{rest}y=2"),
        ),
        (
            "ALTER TABLE t ADD PRIMARY KEY (a) NOT ENFORCED",
            "a INT NOT NULL, b := a + 1, c INT | watermark - | key a | partitions  | ".to_string(),
        ),
        (
            "ALTER TABLE t RENAME TO u; ALTER TABLE u RENAME TO t",
            format!("a INT, b := a + 1, c INT{rest}"),
        ),
    ];
    for (change, expected) in cases {
        assert_eq!(altered(change), expected, "{change}");
    }
}

#[test]
fn a_refusal_names_the_place_and_the_nearest_name() {
    let cases = [
        (
            "CREATE TABLE t (a INT, b INT, a INT)",
            "1:31: the table has two columns `a`",
        ),
        (
            "CREATE TABLE t (tss TIMESTAMP(3), WATERMARK FOR ts AS ts)",
            "1:49: the watermark names no column of the table: `ts` (did you mean `tss`?)",
        ),
        (
            "CREATE TABLE t (ts TIMESTAMP(6), WATERMARK FOR ts AS ts)",
            "1:48: the watermark's column `ts` is `TIMESTAMP(6)` (it must be `TIMESTAMP(p)` or `TIMESTAMP_LTZ(p)` with p at most 3)",
        ),
        (
            "CREATE TABLE t (r ROW<ts TIMESTAMP(3)>, WATERMARK FOR r.ts AS r.ts)",
            "1:55: a watermark cannot be declared on a field of a row (declare a computed column of the field)",
        ),
        (
            "CREATE TABLE t (id INT, PRIMARY KEY (idd) NOT ENFORCED)",
            "1:38: the primary key names no column of the table: `idd` (did you mean `id`?)",
        ),
        (
            "CREATE TABLE t (id INT, c AS id, PRIMARY KEY (c) NOT ENFORCED)",
            "1:47: the primary key's column `c` is not physical",
        ),
        (
            "CREATE TABLE t (id INT) PARTITIONED BY (day_)",
            "1:41: the partition key names no column of the table: `day_`",
        ),
        (
            "CREATE TABLE t WITH ('a' = 'b')",
            "1:14: a table needs at least one column",
        ),
        (
            "CREATE TABLE t (a INT, b AS (SELECT 1))",
            "1:24: a computed column cannot contain a sub-query",
        ),
        (
            "CREATE TABLE t (a INT); CREATE TABLE t (a INT)",
            "1:38: the table `t` exists already",
        ),
        (
            "CREATE TABLE t (a INT); CREATE VIEW t AS SELECT 1",
            "1:37: the table `t` exists already",
        ),
        (
            "CREATE TABLE orders (a INT); DESCRIBE ordres",
            "1:39: table `ordres` not found (did you mean `orders`?)",
        ),
        (
            "DESCRIBE default_catlog.default_database.t",
            "1:10: catalog `default_catlog` not found (did you mean `default_catalog`?)",
        ),
        (
            "DESCRIBE default_databas.t",
            "1:10: database `default_databas` not found (did you mean `default_database`?)",
        ),
        (
            "USE default_databas",
            "1:5: database `default_databas` not found (did you mean `default_database`?)",
        ),
        (
            "CREATE TABLE t (a INT); DROP VIEW t",
            "1:35: `t` is a table, not a view",
        ),
        ("DROP TABLE t", "1:12: table `t` not found"),
        (
            "CREATE DATABASE d; CREATE TABLE d.t (a INT); DROP DATABASE d",
            "1:60: the database `d` is not empty (`CASCADE` drops what it holds)",
        ),
        (
            "DROP DATABASE default_database",
            "1:15: the database `default_database` is in use",
        ),
        (
            "CREATE CATALOG c WITH ('type' = 'jdbc')",
            "1:16: catalogs of type `jdbc` are not supported (the type `generic_in_memory` is)",
        ),
        (
            "CREATE TABLE t (a INT) WITH ('x'='y'); CREATE TABLE u WITH ('x'='z') LIKE t (INCLUDING OPTIONS)",
            "the option `x` is given and taken over with `LIKE` (`OVERWRITING OPTIONS` lets the table's own win)",
        ),
        (
            "CREATE TABLE t (a INT); CREATE TABLE u (a BIGINT) LIKE t",
            "1:41: the column `a` is declared and taken over with `LIKE`",
        ),
        (
            "CREATE TABLE t (a INT, b AS a); ALTER TABLE t DROP a",
            "1:52: the column `a` is used by the computed column `b`",
        ),
        (
            "CREATE TABLE t (x INT, PRIMARY KEY (r) NOT ENFORCED) AS SELECT 1",
            "1:37: the query's column `r` may be NULL and cannot be in the primary key",
        ),
        (
            "CREATE TABLE t (q) AS SELECT 1",
            "1:17: the list of columns leaves out `r` of the query",
        ),
    ];
    for (text, expected) in cases {
        let error = run(&mut Catalog::new(), text).unwrap_err();
        assert_eq!(error.to_string(), expected, "{text}");
    }
}

#[test]
fn what_may_be_missing_or_present_is_no_error() {
    after(
        "DROP TABLE IF EXISTS t; DROP VIEW IF EXISTS x.y; DROP DATABASE IF EXISTS d; DROP CATALOG IF EXISTS c; \
         CREATE TABLE t (a INT); CREATE TABLE IF NOT EXISTS t (b INT); \
         CREATE DATABASE IF NOT EXISTS default_database; ALTER TABLE IF EXISTS u RENAME TO v; \
         CREATE OR REPLACE TABLE t AS SELECT 1; CREATE VIEW v AS SELECT 1; CREATE OR REPLACE VIEW v AS SELECT 2;",
    );
}

#[test]
fn the_type_of_a_computed_time_is_checked_once_it_is_known() {
    let catalog = after("CREATE TABLE t (a BIGINT, ts AS f(a), WATERMARK FOR ts AS ts)");
    let (_, table) = catalog.table(&path("t")).unwrap();
    let mut table = TableDefinition::clone(&table);
    table
        .resolve_computed(|_, _| "TIMESTAMP_LTZ(3)".parse())
        .unwrap();
    let error = table.resolve_computed(|_, _| "STRING".parse()).unwrap_err();
    assert_eq!(error.message, "the watermark's column `ts` is `STRING`");
}
