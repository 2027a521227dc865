"""Independent answers for `examples/flights`: the same questions, written for DuckDB."""

import datetime
import json

import duckdb

import rows
from thalweg import ROOT

DATA = ROOT / "examples" / "data" / "flights"
SCRIPTS = ROOT / "examples" / "flights"
EXPECTED = SCRIPTS / "expected"
YEAR = "flights.csv.zst"
JANUARY = "flights-2013-01.csv.gz"

# The mean of whole numbers, rounded to one digit, halves away from zero, in integers: exact.
ROUNDED = "sign(sum({0})) * ((20 * abs(sum({0})) + count({0})) // (2 * count({0}))) / 10.0"

QUERIES = {
    "hourly": f"""
        SELECT date_trunc('hour', scheduled) AS window_start, origin,
               count(*) AS scheduled_flights, count(dep_delay) AS departures,
               ({ROUNDED.format('dep_delay')})::DOUBLE AS mean_delay
        FROM flights GROUP BY ALL
    """,
    "worst_carriers": f"""
        WITH windows AS (
          SELECT date_trunc('hour', scheduled) - to_hours(back) AS window_start, carrier, dep_delay
          FROM flights, range(3) AS slides(back)
        ), means AS (
          SELECT window_start, carrier, count(dep_delay) AS departures,
                 sum(dep_delay) / count(dep_delay) AS mean,
                 ({ROUNDED.format('dep_delay')})::DOUBLE AS mean_delay
          FROM windows GROUP BY ALL HAVING count(dep_delay) >= 10
        ), placed AS (
          SELECT *, row_number() OVER (PARTITION BY window_start ORDER BY mean DESC, carrier) AS place
          FROM means
        )
        SELECT window_start, window_start + INTERVAL 3 HOUR AS window_end, place, carrier, departures,
               mean_delay
        FROM placed WHERE place <= 3
    """,
    "weather": """
        SELECT scheduled, airlines.name AS airline, flight, flights.origin, dest, dep_delay,
               temp, wind_speed, visib, precip
        FROM flights
        JOIN airlines USING (carrier)
        LEFT JOIN weather ON weather.origin = flights.origin AND weather.time_hour = flights.time_hour
        WHERE dep_delay > 180
    """,
    "sessions": """
        WITH delayed AS (
          SELECT origin, scheduled, dep_delay,
                 lag(scheduled) OVER (PARTITION BY origin ORDER BY scheduled) AS before
          FROM flights WHERE dep_delay > 60
        ), numbered AS (
          -- Two departures exactly an hour apart are of one session: their windows touch.
          SELECT *, count(*) FILTER (before IS NULL OR scheduled - before > INTERVAL 1 HOUR)
                      OVER (PARTITION BY origin ORDER BY scheduled) AS session
          FROM delayed
        )
        SELECT origin, min(scheduled) AS window_start, max(scheduled) + INTERVAL 1 HOUR AS window_end,
               count(*) AS delayed_departures, max(dep_delay) AS worst_delay
        FROM numbered GROUP BY origin, session
    """,
}


def database(flights):
    """The tables, with a file of flights."""
    duck = duckdb.connect()
    for name, file in (("source", flights), ("weather", "weather.csv.gz"), ("airlines", "airlines.csv")):
        # Every row counts for the kind of a column: some begin with hundreds of `NA`.
        duck.execute(
            f"CREATE TABLE {name} AS FROM read_csv('{DATA / file}', header = true, nullstr = 'NA',"
            " sample_size = -1)"
        )
    duck.execute(
        "CREATE VIEW flights AS SELECT *,"
        " CAST(time_hour AS TIMESTAMP) + to_minutes(minute) AS scheduled FROM source"
    )
    return duck


def answers(duck):
    """Columns, double columns and rows of each query."""
    return {name: rows.expected(duck.execute(text)) for name, text in QUERIES.items()}


def golden(name):
    """The file of the expected rows of January."""
    return EXPECTED / f"{name}-2013-01.jsonl"


def golden_text(cursor):
    """The rows of a result as JSON lines, sorted, every digit kept."""

    def plain(cell):
        return rows.value(cell) if isinstance(cell, datetime.datetime) else cell

    columns = [column[0] for column in cursor.description]
    lines = (
        json.dumps(dict(zip(columns, map(plain, row))), separators=(",", ":"))
        for row in cursor.fetchall()
    )
    return "".join(line + "\n" for line in sorted(lines))


def golden_texts(duck):
    return {name: golden_text(duck.execute(text)) for name, text in QUERIES.items()}


def write_golden():
    EXPECTED.mkdir(exist_ok=True)
    for name, text in golden_texts(database(JANUARY)).items():
        golden(name).write_text(text)


def checks(thalweg, quick):
    """Yields a name and a function that returns what is wrong, or nothing."""
    january = database(JANUARY)
    texts = golden_texts(january)
    for name, answer in answers(january).items():
        same = golden(name).read_text() == texts[name]
        yield f"flights/{name} golden rows", lambda same=same: "" if same else "    the file differs"
        text = (SCRIPTS / f"{name}.sql").read_text().replace(YEAR, JANUARY)
        script = thalweg.script(f"{name}-january.sql", text)
        yield check(thalweg, f"{name} january", [script], answer, "streaming", 1)
    if quick:
        return
    for name, answer in answers(database(YEAR)).items():
        for mode in ("streaming", "batch"):
            for parallelism in (1, 2, 7):
                files = [SCRIPTS / f"{name}.sql"]
                yield check(thalweg, name, files, answer, mode, parallelism)


def check(thalweg, name, files, answer, mode, parallelism):
    columns, doubles, want = answer

    def run():
        got = thalweg.run(files, mode, parallelism)
        return rows.difference(want, rows.actual(got, columns, doubles))

    return f"flights/{name} {mode} {parallelism} ({len(want)} rows)", run
