#!/usr/bin/env python3
"""Compares Thalweg with a hand-written loop and with Flink, on this machine, in one run.

    cargo build --release -p thalweg-bench
    bench/peers/run.py --loops PATH --flink --flink-home PATH

Each query as a loop without an engine over events in memory (`nx-loops`), in Thalweg over the same
kind of events in memory at parallelism 1 and 2, and, over the same JSON files, in Thalweg and in
Flink at parallelism 1. Prints a table, and writes it to `bench/results/<date>-<commit>.{tsv,md}`.
Everything else goes to standard error. bench/README.md says what the figures mean.
"""

import argparse
import datetime
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import report
from flink import Flink

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUERIES = (
    "q0,q1,q2,q3,q4,q5,q7,q8,q9,q11,q14,q15,q16,q17,q18,q19,q20,q21,q22,count,tumble".split(",")
)
# The loop `q20` knows that no auction comes twice, which no engine knows; `q20sym` does not.
LOOPS = {"q20": "q20sym"}
# An upper bound of what an event takes as JSON.
BYTES_PER_EVENT = 400
DISK_SPARE_BYTES = 2 << 30


def arguments():
    """The options, with paths from the environment where it has them."""
    environ = os.environ
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    option = parser.add_argument
    path = pathlib.Path
    option("--queries", default=",".join(QUERIES), help="names, separated by commas")
    option("--events", type=int, default=10_000_000, help="events in memory")
    option("--json-events", type=int, default=5_000_000, help="events in files")
    option("--rate", type=int, default=100_000, help="events a second of event time")
    option("--repetitions", type=int, default=3, help="runs of each; the median counts")
    option("--no-loops", action="store_true", help="leave the hand-written loops out")
    option("--no-memory", action="store_true", help="leave Thalweg over memory out")
    option("--no-json", action="store_true", help="leave Thalweg over files out")
    option("--flink", action="store_true", help="run Flink, too")
    option("--shared", type=path, default=environ.get("THALWEG_SHARED", ROOT.parent / "shared"),
           help="the folder of the peers; $THALWEG_SHARED, or `../shared`")
    option("--loops", type=path, default=environ.get("NX_LOOPS"),
           help="the program `nx-loops`; $NX_LOOPS, or `limits/target/release/nx-loops` of --shared")
    option("--generator", type=path, default=environ.get("NEXGEN"),
           help="the program `nexgen`; $NEXGEN, or `peers/nexmark/gen/target/release/nexgen` of --shared")
    option("--flink-home", type=path, default=environ.get("FLINK_HOME"),
           help="an unpacked Flink with the SQL runner; $FLINK_HOME")
    option("--flink-memory", default="4096m", help="memory of Flink's TaskManager")
    option("--nexmark", type=path, default=None,
           help="the program `nexmark`; by default that of the target folder")
    option("--temp", type=path, default=None, help="where files may go; removed afterwards")
    option("--results", type=path, default=ROOT / "bench/results", help="where tables go")
    options = parser.parse_args()
    options.queries = options.queries.split(",")
    target = path(environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    options.nexmark = options.nexmark or target / "release/nexmark"
    options.loops = options.loops or options.shared / "limits/target/release/nx-loops"
    options.generator = options.generator or options.shared / "peers/nexmark/gen/target/release/nexgen"
    if options.flink and options.flink_home is None:
        parser.error("--flink needs --flink-home or $FLINK_HOME")
    unknown = [query for query in options.queries if not re.fullmatch(r"q\d+|count|tumble", query)]
    if unknown:
        parser.error(f"unknown query `{unknown[0]}`")
    # Paths are handed to programs that run elsewhere.
    for name in ("shared", "loops", "generator", "flink_home", "nexmark", "temp", "results"):
        if getattr(options, name) is not None:
            setattr(options, name, getattr(options, name).resolve())
    return options


def needed(path, option):
    """A program that must be there."""
    if not os.access(path, os.X_OK):
        sys.exit(f"error: there is no program `{path}`; build it, or say where with `{option}`")
    return str(path)


def output(command):
    """What a command prints; its errors are seen, and end the run."""
    print("+ " + " ".join(command), file=sys.stderr, flush=True)
    process = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if process.returncode != 0:
        raise RuntimeError(f"`{command[0]}` failed with {process.returncode}")
    print(process.stdout, end="", file=sys.stderr, flush=True)
    return process.stdout


def loops(options, rows):
    """The hand-written loops, in million events a second."""
    names = {LOOPS.get(query, query): query for query in options.queries}
    printed = output([
        needed(options.loops, "--loops"), "rows", f"--events={options.events}",
        f"--rate={options.rate}", f"--reps={options.repetitions}", "--only=" + ",".join(names),
    ])
    for line in printed.splitlines():
        found = re.match(r"(\w+)\s+([\d.]+) Mev/s", line)
        if found and found[1] in names:
            rows[names[found[1]]]["loop_mev_s"] = float(found[2])


def thalweg(options, rows, events, parallelism, prefix, source=()):
    """Thalweg: wall and CPU seconds, and million events a second, of each query."""
    failed = []
    for query in options.queries:
        command = [
            needed(options.nexmark, "--nexmark"), "--only", query, "--events", str(events),
            "--rate", str(options.rate), "--parallelism", str(parallelism),
            "--repetitions", str(options.repetitions), *source,
        ]
        try:
            printed = output(command)
        except RuntimeError as error:
            # The others are worth having all the same.
            failed.append(f"{query} ({prefix}): {error}")
            continue
        _, _, _, wall, cpu, rate = printed.splitlines()[-1].split("\t")
        values = {"wall_s": float(wall), "cpu_s": float(cpu), "mev_s": float(rate)}
        for name, value in values.items():
            if f"{prefix}_{name}" in report.COLUMNS:
                rows[query][f"{prefix}_{name}"] = value
    return failed


def make_files(options):
    """Writes the events as JSON lines, where Flink's scripts look for them; returns their folder."""
    folder = options.temp / "data" / f"{options.json_events}-p1"
    wanted = options.json_events * BYTES_PER_EVENT + DISK_SPARE_BYTES
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < wanted:
        sys.exit(f"error: `{folder}` has {free >> 20} MiB left, {wanted >> 20} MiB may be needed")
    output([
        needed(options.generator, "--generator"), "-n", str(options.json_events), "--parts", "1",
        "--rate", str(options.rate), "--format", "json", "-o", str(folder),
    ])
    return folder / "json"


def about_machine():
    """Day, commit, machine and how busy it was."""
    def git(*words):
        return subprocess.run(
            ["git", *words], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
        ).stdout.strip()

    cpus = re.findall(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())
    changed = "-changed" if git("status", "--porcelain", "--untracked-files=no") else ""
    return {
        "date": datetime.date.today().isoformat(),
        "commit": git("rev-parse", "--short=10", "HEAD") + changed,
        "machine": f"{len(os.sched_getaffinity(0))} cores, {cpus[0] if cpus else 'unknown'}, "
                   f"{int(memory[1]) >> 20} GiB, Linux {os.uname().release}",
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def about(options):
    """Commit, machine and input."""
    return about_machine() | {
        "input": f"Nexmark, {options.events} events in memory, {options.json_events} in JSON files, "
                 f"{options.rate} a second of event time; median of {options.repetitions}",
        "thalweg": "barriers each 1 s, whose snapshots are not stored",
    }


def measure(options, facts, rows):
    """All that was asked for. What failed is returned."""
    failed = []
    if not options.no_loops:
        loops(options, rows)
    if not options.no_memory:
        for parallelism in (1, 2):
            prefix = f"mem{parallelism}"
            failed += thalweg(options, rows, options.events, parallelism, prefix)
    if options.no_json and not options.flink:
        return failed
    folder = make_files(options)
    if not options.no_json:
        source = ("--json", str(folder))
        failed += thalweg(options, rows, options.json_events, 1, "json", source)
    if options.flink:
        facts["flink"] = about_flink(options.flink_home)
        with Flink(options, ROOT) as flink:
            for query, wall, cpu in flink.measure(
                options.queries, options.json_events, options.repetitions
            ):
                rows[query].update(flink_wall_s=wall, flink_cpu_s=cpu)
        failed += [f"{query}: Flink gave no time" for query in options.queries
                   if "flink_wall_s" not in rows[query]]
    return failed


def flink_version(home):
    """Flink's version, from the name of its largest jar."""
    jars = [re.fullmatch(r"flink-dist-(.*)\.jar", jar.name) for jar in home.glob("lib/*.jar")]
    return next((jar[1] for jar in jars if jar), "unknown")


def about_flink(home):
    """Flink's version, and how it is run."""
    return f"{flink_version(home)}, parallelism 1, heap state, exactly-once checkpoints each 10 s"


def main():
    options = arguments()
    made = options.temp is None
    if made:
        options.temp = pathlib.Path(tempfile.mkdtemp(prefix="thalweg-bench-"))
    rows = {query: {"query": query} for query in options.queries}
    facts = about(options)
    failed = []
    try:
        failed = measure(options, facts, rows)
    finally:
        for part in ("data", "flink"):
            shutil.rmtree(options.temp / part, ignore_errors=True)
        if made:
            shutil.rmtree(options.temp, ignore_errors=True)
        # Hours of measuring must not be lost to a failure at the end.
        options.results.mkdir(parents=True, exist_ok=True)
        name = f"{facts['date']}-{facts['commit']}"
        tables = [("tsv", report.tsv), ("md", report.markdown)]
        for kind, table in tables:
            path = options.results / f"{name}.{kind}"
            path.write_text(table(facts, rows.values()))
            print(f"written: {path}", file=sys.stderr)
    print(report.markdown(facts, rows.values()), end="")
    if failed:
        sys.exit("error: " + "; ".join(failed))


if __name__ == "__main__":
    main()
