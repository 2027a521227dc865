//! Every statement of the Nexmark suite, as published: shapes real users write.

use super::super::{Script, Statement};

const SINK: &str = "WITH ('connector' = 'blackhole')";

/// Definitions and queries of the suite, `{}` for the sink's options.
const STATEMENTS: &[&str] = &[
    "CREATE TABLE events (event_type INT, \
     person ROW<id BIGINT, name STRING, `dateTime` TIMESTAMP(3), extra STRING>, \
     auction ROW<id BIGINT, `dateTime` TIMESTAMP(3), expires TIMESTAMP(3)>, \
     `dateTime` AS CASE WHEN event_type = 0 THEN person.`dateTime` \
     WHEN event_type = 1 THEN auction.`dateTime` END, \
     WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND) {}",
    "CREATE TABLE side_input (`key` BIGINT, `value` STRING, \
     valid_from AS TO_TIMESTAMP('2000-01-01 00:00:00'), PRIMARY KEY (`key`) NOT ENFORCED, \
     WATERMARK FOR valid_from AS valid_from) {}",
    "CREATE VIEW person AS SELECT person.id, person.name, `dateTime` FROM events WHERE event_type = 0",
    "CREATE TABLE gen (seq BIGINT, k AS MOD(seq * 7919, 100), ts AS TO_TIMESTAMP_LTZ(seq / 10, 3), \
     WATERMARK FOR ts AS ts - INTERVAL '4' SECOND) {}",
    "SELECT bidder, COUNT(*), SESSION_START(`dateTime`, INTERVAL '10' SECOND), \
     SESSION_END(`dateTime`, INTERVAL '10' SECOND) FROM bid \
     GROUP BY bidder, SESSION(`dateTime`, INTERVAL '10' SECOND)",
    "SELECT bidder, COUNT(*), window_start, window_end \
     FROM TABLE(TUMBLE(TABLE bid_p, DESCRIPTOR(p_time), INTERVAL '10' SECOND)) \
     GROUP BY bidder, window_start, window_end",
    "SELECT b.auction, s.`value` FROM (SELECT *, MOD(auction, 10000) AS side_key FROM bid) AS b \
     JOIN side_input FOR SYSTEM_TIME AS OF b.`dateTime` AS s ON b.side_key = s.`key`",
    "SELECT 0.908 * price AS price, CASE WHEN HOUR(`dateTime`) >= 8 AND HOUR(`dateTime`) <= 18 \
     THEN 'dayTime' ELSE 'otherTime' END AS bidTimeType, \
     CAST(CHAR_LENGTH(extra) - CHAR_LENGTH(REPLACE(extra, 'c', '')) AS BIGINT) AS c_counts FROM bid",
    "SELECT DATE_FORMAT(`dateTime`, 'yyyy-MM-dd') AS `day`, COUNT(*) FILTER (WHERE price < 10000), \
     COUNT(DISTINCT bidder) FILTER (WHERE price >= 10000 AND price < 1000000) FROM bid \
     GROUP BY DATE_FORMAT(`dateTime`, 'yyyy-MM-dd')",
    "SELECT auction, rn FROM (SELECT *, ROW_NUMBER() OVER \
     (PARTITION BY bidder, auction ORDER BY `dateTime` DESC) AS rn FROM bid) WHERE rn <= 1",
    "SELECT category, AVG(final) FROM (SELECT MAX(b.price) AS final, a.category FROM auction AS a, bid AS b \
     WHERE a.id = b.auction AND b.`dateTime` BETWEEN a.`dateTime` AND a.expires \
     GROUP BY a.id, a.category) GROUP BY category",
    "SELECT c.auction, c.num FROM (SELECT auction, COUNT(*) AS num, window_start AS s, window_end AS e \
     FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND)) \
     GROUP BY auction, window_start, window_end) AS c JOIN (SELECT MAX(num) AS maxn, s, e FROM (SELECT 1)) AS m \
     ON c.s = m.s AND c.e = m.e AND c.num >= m.maxn",
    "SELECT REGEXP_EXTRACT(url, '(&|^)channel_id=([^&]*)', 2) FROM bid \
     WHERE LOWER(channel) IN ('apple', 'google') OR SPLIT_INDEX(url, '/', 3) IS NOT NULL",
];

#[test]
fn the_nexmark_suite_parses() {
    let text = STATEMENTS.join(";\n").replace("{}", SINK);
    let statements: Vec<Statement> = Script::new(&text)
        .map(|statement| match statement {
            Ok(statement) => statement.node,
            Err(error) => panic!("{}", error.render(None, &text)),
        })
        .collect();
    assert_eq!(statements.len(), STATEMENTS.len());
}

/// The suite's own files, when `NEXMARK_SQL` names the folder that holds `ddl` and `queries`.
#[test]
fn the_nexmark_files_parse() {
    let Ok(root) = std::env::var("NEXMARK_SQL") else {
        return;
    };
    for folder in ["ddl", "queries"] {
        for entry in std::fs::read_dir(format!("{root}/{folder}")).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text
                .replace("${SINK}", "'connector' = 'blackhole'")
                .replace("${EVENTS}", "'connector' = 'datagen'");
            let text = text.replace("${KEYS}", "7").replace("${N}", "7");
            for statement in Script::new(&text) {
                if let Err(error) = statement {
                    panic!("{}", error.render(path.to_str(), &text));
                }
            }
        }
    }
}
