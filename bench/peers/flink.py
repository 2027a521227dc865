"""Flink over the same files, through the scripts that set it up and measure it (`flinkbench.py`)."""

import os
import pathlib
import statistics
import subprocess
import sys

# Columns of the sinks of queries that are ours and not Nexmark's.
SINKS = {
    "count": "auction BIGINT, bids BIGINT",
    "tumble": "bidder BIGINT, window_end TIMESTAMP(3), bids BIGINT",
}


class Flink:
    """A cluster on this machine: `with Flink(…) as flink` starts it, and stops it whatever happens."""

    def __init__(self, options, root):
        self.script = options.shared / "peers/nexmark/flink/flinkbench.py"
        self.home = options.flink_home
        self.memory = options.flink_memory
        self.run_folder = options.temp / "flink"
        self.queries = root / "bench/queries"
        for path, option in ((self.script, "--shared"), (self.home / "bin", "--flink-home")):
            if not path.exists():
                sys.exit(f"error: `{path}` is not there; say where with `{option}`")
        self.environment = dict(
            os.environ,
            FLINK_HOME=str(self.home),
            FLINK_RUN_DIR=str(self.run_folder),
            NEXMARK_DATA=str(options.temp / "data"),
            CPU_LOCK=str(options.temp / "cpu.lock"),
        )

    def __enter__(self):
        try:
            self.call("start", "--backend", "hashmap", "--slots", "1", "--tm-mem", self.memory)
        except BaseException:
            self.call("stop")
            raise
        return self

    def __exit__(self, *_):
        self.call("stop")

    def call(self, *arguments):
        """Runs the script; its output goes to standard error."""
        command = [sys.executable, str(self.script), *arguments]
        subprocess.run(command, env=self.environment, check=True, stdout=sys.stderr)

    def measure(self, queries, events, repetitions):
        """Yields (query, wall seconds, TaskManager CPU seconds): the run of median wall time."""
        # One process for all: the planner stays warm, as a long-running gateway's would. The first
        # run warms the cluster and is not counted.
        runs = [f"{self.query(queries[0])} {events} 1 --reps 1"]
        runs += [f"{self.query(query)} {events} 1 --reps {repetitions}" for query in queries]
        batch = self.run_folder / "batch.txt"
        batch.write_text("\n".join(runs) + "\n")
        command = [sys.executable, str(self.script), "batch", str(batch)]
        found = {query: [] for query in queries}
        process = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, text=True
        )
        first = True
        for line in process.stdout:
            print(f"flink: {line}", end="", file=sys.stderr, flush=True)
            fields = line.rstrip("\n").split("\t")
            if line.startswith("#") or len(fields) < 11:
                continue
            if first:
                first = False
                continue
            query, state = pathlib.Path(fields[0]).stem, fields[9]
            if state == "FINISHED":
                found[query].append((float(fields[5]), float(fields[7])))
        if process.wait() != 0:
            raise RuntimeError(f"`flinkbench.py batch` failed with {process.returncode}")
        for query, runs in found.items():
            if runs:
                middle = statistics.median_low(wall for wall, _ in runs)
                yield query, *next(run for run in runs if run[0] == middle)

    def query(self, name):
        """What the script calls a query: a name of its own, or a file."""
        if name not in SINKS:
            return name
        select = (self.queries / f"{name}.sql").read_text()
        comments = [line for line in select.splitlines() if not line.startswith("--")]
        path = self.run_folder / f"{name}.sql"
        path.write_text(
            f"CREATE TABLE out_{name} ({SINKS[name]}) WITH (${{SINK}});\n"
            f"INSERT INTO out_{name}\n" + "\n".join(comments) + "\n"
        )
        return str(path)
