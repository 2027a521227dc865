#!/usr/bin/env python3
"""Compares keyed counts in Thalweg and in Flink, on the heap and in RocksDB, on this machine.

    cargo build --release -p thalweg-bench --features rocksdb
    bench/peers/state/run.py --flink-home PATH

Both draw the same keys, at parallelism 1, in one process each; what the warm-up takes (threads,
compilation, new keys) is not measured. The runs of the two alternate; the run of median CPU time
counts. Prints a table, and writes it to `bench/results/<date>-<commit>-state.{tsv,md}`.
bench/README.md says how Flink is set up.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import report  # noqa: E402
import run as peers  # noqa: E402

MILLION = 1_000_000
# Both look at the clock when so many records are counted.
TOLD_AT_ONCE = 4096
# Name; backend; million keys; skewed; million records of the warm-up, of Thalweg, of Flink. One
# that is faster by so much is measured over more records of the same draw.
CASES = [
    ("hashmap, 1 M keys", "hashmap", 1, False, 6, 200, 8),
    ("hashmap, 10 M keys", "hashmap", 10, False, 12, 150, 6),
    ("rocksdb, 1 M keys", "rocksdb", 1, False, 2, 60, 1),
    ("rocksdb, 10 M keys", "rocksdb", 10, False, 6, 4, 1),
    ("rocksdb, 10 M keys, skewed", "rocksdb", 10, True, 6, 6, 1),
    ("hashmap, 10 M keys, skewed", "hashmap", 10, True, 8, 150, 5),
]
# What is added for `--chained`: Flink is promised that the stream is keyed, and has no exchange.
CHAINED = [
    ("hashmap, 1 M keys, Flink chained", "hashmap", 1, False, 6, 200, 8),
]
COLUMNS = [
    "case", "thalweg_records", "thalweg_wall_s", "thalweg_cpu_s", "thalweg_max_mib",
    "flink_records", "flink_wall_s", "flink_cpu_s",
]
# What Flink needs of a JVM of today.
OPENED = ["java.base/java.util", "java.base/java.lang", "java.base/java.util.concurrent"]


def arguments():
    """The options, with paths from the environment where it has them."""
    environ = os.environ
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    option = parser.add_argument
    path = pathlib.Path
    option("--only", default="", help="run cases whose names contain this")
    option("--repetitions", type=int, default=1, help="runs of each; the median counts")
    option("--scale", type=float, default=1.0, help="of the number of records, warm-up included")
    option("--memory-mb", type=int, default=256, help="all that the state in RocksDB may take")
    option("--chained", action="store_true", help="Flink without its exchange, too")
    option("--flink-heap", default="4g", help="heap of Flink's JVM")
    option("--flink-jvm", default="", help="more options of the JVM, separated by spaces")
    option("--flink-settings", default="state.backend.rocksdb.use-bloom-filter=true",
           help="more settings of Flink, `key=value`, separated by commas")
    option("--flink-home", type=path, default=environ.get("FLINK_HOME"),
           help="an unpacked Flink; $FLINK_HOME")
    option("--state", type=path, default=None,
           help="the program `state`; by default that of the target folder")
    option("--temp", type=path, default=None, help="below it the state goes, and is removed")
    option("--results", type=path, default=peers.ROOT / "bench/results", help="where tables go")
    options = parser.parse_args()
    if options.flink_home is None:
        parser.error("it needs --flink-home or $FLINK_HOME")
    target = path(environ.get("CARGO_TARGET_DIR", peers.ROOT / "target"))
    options.state = (options.state or target / "release/state").resolve()
    options.flink_home = path(options.flink_home).resolve()
    return options


def numbers(printed):
    """The last line of a program as a dictionary, by the names in the line before it."""
    names, values = (line.split("\t") for line in printed.splitlines()[-2:])
    return dict(zip(names, values, strict=True))


def thalweg(options, folder, case):
    """One run of ours."""
    _, backend, keys, skewed, warm, records, _ = case
    command = [
        peers.needed(options.state, "--state"), "--backend", backend,
        *common(options, folder, keys, warm, records),
    ]
    return numbers(peers.output(command + (["--skewed"] if skewed else [])))


def flink(options, folder, case):
    """One run of Flink."""
    name, backend, keys, skewed, warm, _, records = case
    settings = [pair.split("=", 1) for pair in options.flink_settings.split(",") if pair]
    command = [
        "java", f"-Xms{options.flink_heap}", f"-Xmx{options.flink_heap}",
        *options.flink_jvm.split(),
        *(f"--add-opens={package}=ALL-UNNAMED" for package in OPENED),
        "-cp", f"{folder / 'classes'}:{options.flink_home}/lib/*", "KeyedCount",
        "--backend", backend, "--skewed", str(skewed).lower(),
        "--chained", str("chained" in name).lower(),
        *common(options, folder, keys, warm, records),
        *(word for key, value in settings for word in (f"--{key}", value)),
    ]
    return numbers(peers.output(command))


def common(options, folder, keys, warm, records):
    """The options that both have."""
    def whole(millions):
        return str(int(millions * MILLION * options.scale) // TOLD_AT_ONCE * TOLD_AT_ONCE)

    state = folder / "state"
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir()
    return [
        "--keys", str(keys * MILLION), "--warm", whole(warm), "--records", whole(records),
        "--memory-mb", str(options.memory_mb), "--directory", str(state),
    ]


def middle(runs):
    """The run of median CPU time."""
    return sorted(runs, key=lambda run: float(run["cpu_s"]))[(len(runs) - 1) // 2]


def measure(options, folder, case):
    """A line of the table."""
    ours, theirs = [], []
    for _ in range(options.repetitions):
        ours.append(thalweg(options, folder, case))
        theirs.append(flink(options, folder, case))
    sums = {run["sum_when_warm"] for run in ours + theirs}
    if len(sums) != 1:
        raise RuntimeError(f"{case[0]}: the sums of counts differ: {', '.join(sorted(sums))}")
    row = {"case": case[0]}
    for prefix, runs in (("thalweg", ours), ("flink", theirs)):
        run = middle(runs)
        for name in ("records", "wall_s", "cpu_s", "max_mib"):
            if name in run:
                row[f"{prefix}_{name}"] = float(run[name])
    return row


def markdown(facts, rows):
    """The table to read: million records a second, and ratios."""
    lines = [f"- {key}: {value}" for key, value in facts.items()]
    lines += [
        "",
        "Million records a second of wall time and of CPU time, and how many times Flink's.",
        "",
        "| case | Thalweg, wall | Flink, wall | ratio | Thalweg, CPU | Flink, CPU | ratio | Thalweg, MiB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row["case"]]
        for time in ("wall_s", "cpu_s"):
            ours, theirs = (
                row[f"{engine}_records"] / row[f"{engine}_{time}"] / MILLION
                for engine in ("thalweg", "flink")
            )
            cells += [report.text(ours), report.text(theirs), report.text(ours / theirs)]
        cells.append(report.text(row["thalweg_max_mib"]))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def tsv(facts, rows):
    """The table to keep."""
    lines = [f"# {key}: {value}" for key, value in facts.items()] + ["\t".join(COLUMNS)]
    for row in rows:
        cells = (row[column] for column in COLUMNS)
        lines.append("\t".join(f"{c:.2f}" if isinstance(c, float) else c for c in cells))
    return "\n".join(lines) + "\n"


def about(options):
    """Commit, machine, inputs, and how Flink was set up."""
    facts = peers.about_machine()
    version = peers.flink_version(options.flink_home)
    facts["input"] = (
        f"keyed count at parallelism 1, no checkpoints, rocksdb with {options.memory_mb} MiB "
        f"in all; median of {options.repetitions} by CPU time"
    )
    facts["flink"] = (
        f"{version}, object reuse, one process with {options.flink_heap} of heap, "
        f"`{options.flink_settings}` {options.flink_jvm}".strip()
    )
    return facts


def main():
    options = arguments()
    cases = [case for case in CASES + CHAINED * options.chained if options.only in case[0]]
    if not cases:
        sys.exit(f"error: no case has `{options.only}` in its name")
    facts, rows = about(options), []
    with tempfile.TemporaryDirectory(prefix="thalweg-state-", dir=options.temp) as folder:
        folder = pathlib.Path(folder)
        peers.output([
            "javac", "-nowarn", "-d", str(folder / "classes"), "-cp",
            f"{options.flink_home}/lib/*", str(HERE / "KeyedCount.java"),
        ])
        for case in cases:
            rows.append(measure(options, folder, case))
            # An hour of measuring must not be lost to a failure at the end.
            options.results.mkdir(parents=True, exist_ok=True)
            for kind, table in (("tsv", tsv), ("md", markdown)):
                name = f"{facts['date']}-{facts['commit']}-state.{kind}"
                (options.results / name).write_text(table(facts, rows))
                print(f"written: {options.results / name}", file=sys.stderr)
    print(markdown(facts, rows), end="")


if __name__ == "__main__":
    main()
