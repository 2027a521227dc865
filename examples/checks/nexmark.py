"""Independent answers for `examples/nexmark`, over the events that our connector makes.

The binary exports the three entities; DuckDB answers each query from these rows. Where a query leaves open
which of several equal rows it takes, only what it fixes is compared, and each row must be one of the input.
"""

import duckdb

import rows
from thalweg import ROOT, Failed

DIRECTORY = ROOT / "examples" / "nexmark"
TABLES = {
    "person": "id BIGINT, name VARCHAR, emailAddress VARCHAR, creditCard VARCHAR, city VARCHAR,"
    " state VARCHAR, dateTime TIMESTAMP, extra VARCHAR",
    "auction": "id BIGINT, itemName VARCHAR, description VARCHAR, initialBid BIGINT, reserve BIGINT,"
    " dateTime TIMESTAMP, expires TIMESTAMP, seller BIGINT, category BIGINT, extra VARCHAR",
    "bid": "auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR,"
    " dateTime TIMESTAMP, extra VARCHAR",
}
EVENTS = {"person": 2_000, "auction": 6_000, "bid": 92_000}

RANKS = {"": "true", "1": "price < 10000", "2": "price BETWEEN 10000 AND 999999", "3": "price > 999999"}


def ranks(aggregate, name):
    """One aggregate over all prices and over each range of them."""
    columns = []
    for rank, condition in RANKS.items():
        column = f"rank{rank}_{name}" if rank else f"total_{name}"
        columns.append(f"{aggregate} FILTER ({condition}) AS {column}")
    return ", ".join(columns)


BIDS = ranks("count(*)", "bids")
STATISTICS = ", ".join(
    [BIDS, ranks("count(DISTINCT bidder)", "bidders"), ranks("count(DISTINCT auction)", "auctions")]
)
DAY = "strftime(dateTime, '%Y-%m-%d') AS day"
TEN_SECONDS = "time_bucket(INTERVAL 10 SECOND, dateTime)"
WINNING = "b.auction = a.id AND b.dateTime >= a.dateTime AND b.dateTime <= a.expires"
CHANNEL_ID = r"(&|^)channel_id=([^&]*)"

QUERIES = {
    "q0": "SELECT auction, bidder, price, dateTime, extra FROM bid",
    "q1": "SELECT auction, bidder, (price * 908)::DECIMAL(38, 0) * 0.001::DECIMAL(4, 3) AS price, dateTime,"
    " extra FROM bid",
    "q2": "SELECT auction, price FROM bid WHERE auction % 123 = 0",
    "q3": "SELECT name, city, state, auction.id FROM auction, person"
    " WHERE seller = person.id AND category = 10 AND state IN ('OR', 'ID', 'CA')",
    "q4": f"""
        SELECT category, sum(final)::BIGINT // count(*) AS average
        FROM (SELECT a.id, a.category, max(b.price) AS final
              FROM auction a JOIN bid b ON {WINNING} GROUP BY ALL)
        GROUP BY category""",
    "q5": """
        WITH counts AS (
          SELECT auction, time_bucket(INTERVAL 2 SECOND, dateTime) - to_seconds(2 * back) AS starttime,
                 count(*) AS num
          FROM bid, range(5) AS slides(back) GROUP BY ALL
        )
        SELECT auction, num FROM counts
        QUALIFY num = max(num) OVER (PARTITION BY starttime)""",
    # A bid at the very end of a window may be the highest of the next: the query joins both.
    "q7": f"""
        WITH highest AS (
          SELECT max(price) AS price, {TEN_SECONDS} AS starttime FROM bid GROUP BY starttime
        )
        SELECT auction, bidder, bid.price, dateTime, extra
        FROM bid JOIN highest ON bid.price = highest.price
         AND dateTime >= starttime AND dateTime <= starttime + INTERVAL 10 SECOND""",
    "q8": f"""
        SELECT DISTINCT p.id, p.name, p.starttime
        FROM (SELECT *, {TEN_SECONDS} AS starttime FROM person) p
        JOIN (SELECT *, {TEN_SECONDS} AS starttime FROM auction) a
          ON p.id = a.seller AND p.starttime = a.starttime""",
    "q9": f"""
        SELECT a.*, b.auction, b.bidder, b.price, b.dateTime AS bid_dateTime, b.extra AS bid_extra
        FROM auction a JOIN bid b ON {WINNING}
        QUALIFY row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.dateTime) = 1""",
    # Bids exactly ten seconds apart are of one session: their windows touch.
    "q11": """
        WITH numbered AS (
          SELECT *, count(*) FILTER (before IS NULL OR dateTime - before > INTERVAL 10 SECOND)
                      OVER (PARTITION BY bidder ORDER BY dateTime) AS session
          FROM (SELECT *, lag(dateTime) OVER (PARTITION BY bidder ORDER BY dateTime) AS before FROM bid)
        )
        SELECT bidder, count(*) AS bid_count, min(dateTime) AS starttime,
               max(dateTime) + INTERVAL 10 SECOND AS endtime
        FROM numbered GROUP BY bidder, session""",
    "q12": "SELECT bidder, count(*) AS bid_count, NULL AS starttime, NULL AS endtime FROM bid GROUP BY bidder",
    "q13": "SELECT auction, bidder, price, dateTime, (auction % 10000)::VARCHAR AS value FROM bid",
    "q14": """
        SELECT auction, bidder, (price * 908)::DECIMAL(38, 0) * 0.001::DECIMAL(4, 3) AS price,
               CASE WHEN hour(dateTime) BETWEEN 8 AND 18 THEN 'dayTime'
                    WHEN hour(dateTime) IN (7, 19) THEN 'otherTime' ELSE 'nightTime' END AS bidTimeType,
               dateTime, extra, length(regexp_replace(extra, '[^c]', '', 'g')) AS c_counts
        FROM bid WHERE price * 908 > 1000000000 AND price * 908 < 50000000000""",
    "q15": f"SELECT {DAY}, {STATISTICS} FROM bid GROUP BY day",
    "q16": f"SELECT channel, {DAY}, max(strftime(dateTime, '%H:%M')) AS minute, {STATISTICS}"
    " FROM bid GROUP BY channel, day",
    "q17": f"SELECT auction, {DAY}, {BIDS}, min(price) AS min_price, max(price) AS max_price,"
    " sum(price)::BIGINT // count(*) AS avg_price, sum(price)::BIGINT AS sum_price"
    " FROM bid GROUP BY auction, day",
    "q18": "SELECT auction, bidder, price, channel, url, dateTime, extra FROM bid"
    " QUALIFY row_number() OVER (PARTITION BY bidder, auction ORDER BY dateTime DESC) = 1",
    "q19": "SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS rank_number FROM bid"
    " QUALIFY rank_number <= 10",
    "q20": """
        SELECT b.auction, b.bidder, b.price, b.channel, b.url, b.dateTime AS bid_dateTime,
               b.extra AS bid_extra, a.itemName, a.description, a.initialBid, a.reserve,
               a.dateTime AS auction_dateTime, a.expires, a.seller, a.category, a.extra AS auction_extra
        FROM bid b JOIN auction a ON b.auction = a.id WHERE a.category = 10""",
    "q21": f"""
        WITH ids AS (
          SELECT *, list_position(['apple', 'google', 'facebook', 'baidu'], lower(channel)) AS known,
                 CASE WHEN regexp_matches(url, '{CHANNEL_ID}')
                      THEN regexp_extract(url, '{CHANNEL_ID}', 2) END AS id
          FROM bid
        )
        SELECT auction, bidder, price, channel, coalesce((known - 1)::VARCHAR, id) AS channel_id
        FROM ids WHERE known IS NOT NULL OR id IS NOT NULL""",
    "q22": "SELECT auction, bidder, price, channel, string_split(url, '/')[4] AS dir1,"
    " string_split(url, '/')[5] AS dir2, string_split(url, '/')[6] AS dir3 FROM bid",
}

# What a query fixes where several of its input rows are equal in its order.
FIXED = {
    "q9": ["id", "price", "bid_dateTime"],
    "q18": ["bidder", "auction", "dateTime"],
    "q19": ["auction", "rank_number", "price"],
}
# The columns by which such a query's rows must be rows of its input.
INPUT = {
    "q9": (["auction", "bidder", "price", "bid_dateTime", "bid_extra"], "auction, bidder, price, dateTime, extra"),
    "q18": (["auction", "bidder", "price", "channel", "url", "dateTime", "extra"], "*"),
    "q19": (["auction", "bidder", "price", "channel", "url", "dateTime", "extra"], "*"),
}
# Queries that the engine may still refuse, and why. An answer must be right all the same.
MAY_REFUSE = {"q12": "processing-time windows", "q13": "event-time temporal joins"}
STREAMING_ONLY = {"q12", "q13"}


def load(files):
    """A database with the entities, from JSON lines."""
    duck = duckdb.connect()
    for table, columns in TABLES.items():
        fields = ", ".join("'{}': '{}'".format(*column.split()) for column in columns.split(", "))
        duck.execute(
            f"CREATE TABLE {table} AS FROM read_json('{files[table]}', format = 'newline_delimited',"
            f" columns = {{{fields}}}, timestampformat = '%Y-%m-%d %H:%M:%S.%g')"
        )
    return duck


def answer(duck, query):
    """Columns, double columns and rows of a query."""
    return rows.expected(duck.execute(QUERIES[query]))


def compare(duck, query, objects):
    """What is wrong with the objects of a query's answer; empty when nothing is."""
    columns, doubles, want = answer(duck, query)
    got = rows.actual(objects, columns, doubles)
    if query == "q12":
        return too_many([row[:2] for row in want], got)
    if query not in FIXED:
        return rows.difference(want, got)

    def pick(names, some):
        at = [columns.index(name) for name in names]
        return [tuple(row[i] for i in at) for row in some]

    names, select = INPUT[query]
    _, _, known = rows.expected(duck.execute(f"SELECT {select} FROM bid"))
    strange = set(pick(names, got)) - set(known)
    if strange:
        return f"    {len(strange)} rows are no bids, for instance {next(iter(strange))}"
    return rows.difference(pick(FIXED[query], want), pick(FIXED[query], got))


def too_many(want, got):
    """q12: which window a bid falls in is the clock's choice, and the last ones may be open at the end.

    So a bidder may have fewer bids than there are, and never more.
    """
    counts = {}
    for bidder, count, *_ in got:
        counts[bidder] = counts.get(bidder, 0) + count
    most = dict(want)
    strange = [(bidder, count) for bidder, count in counts.items() if count > most.get(bidder, 0)]
    return f"    bidders with more bids than they made: {strange[:5]}" if strange else ""


def checks(thalweg, quick):
    """Yields a name and a function that returns what is wrong, or nothing."""
    ddl = DIRECTORY / "ddl.sql"
    files = {table: thalweg.scratch / f"{table}.json" for table in TABLES}
    databases = []

    def export():
        for table in TABLES:
            script = thalweg.script(f"{table}.sql", f"SELECT * FROM {table};\n")
            thalweg.run_to(files[table], [ddl, script])
        duck = load(files)
        counts = {table: duck.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}
        databases.append(duck)
        return "" if counts == EVENTS else f"    {counts}, not {EVENTS}"

    yield "nexmark/events", export

    def check(query, mode, parallelism):
        def run():
            if not databases:
                return "    there are no events"
            try:
                objects = thalweg.run([ddl, DIRECTORY / f"{query}.sql"], mode, parallelism)
            except Failed as failed:
                if query in MAY_REFUSE and failed.refused:
                    print(f"  nexmark/{query} refused: {MAY_REFUSE[query]}")
                    return ""
                raise
            return compare(databases[0], query, objects)

        return f"nexmark/{query} {mode} {parallelism}", run

    for query in QUERIES:
        modes = ["streaming"] if quick or query in STREAMING_ONLY else ["streaming", "batch"]
        for mode in modes:
            for parallelism in (1,) if quick else (1, 2):
                yield check(query, mode, parallelism)
