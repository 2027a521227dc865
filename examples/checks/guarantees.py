"""What `examples/guarantees` writes when it is killed in its middle and goes on from its last checkpoint."""

import os
import pathlib
import subprocess
import tempfile
import time

from thalweg import ROOT, TIMEOUT_S

SCRIPT = ROOT / "examples" / "guarantees" / "deliver.sql"
NUMBERS = 40_000
# Rows that appear behind a checkpoint before the job is killed.
BEHIND = 1000


class World:
    """A directory in which the job runs and writes."""

    def __init__(self, binary, directory, parallelism):
        self.binary = binary
        self.directory = pathlib.Path(directory)
        self.parallelism = parallelism
        self.env = {**os.environ, "THALWEG_RUNTIME_DIR": str(self.directory / "run")}

    def start(self, checkpoint=None):
        command = [str(self.binary), "run", "-p", str(self.parallelism), "-f", str(SCRIPT)]
        if checkpoint:
            command += ["-s", str(checkpoint)]
        return subprocess.Popen(
            command, cwd=self.directory, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )

    def checkpoints(self):
        """The directory of the newest complete checkpoint, or nothing."""
        complete = self.directory.glob("checkpoints/*/chk-*/_metadata")
        found = [(int(path.parent.name.removeprefix("chk-")), path.parent) for path in complete]
        return max(found, default=(0, None))

    def rows(self, table):
        """The numbers that a reader sees."""
        numbers = []
        for file in (self.directory / table).glob("speed=*/part-*"):
            numbers += map(int, file.read_text().split())
        return numbers

    def hidden(self):
        files = [path for path in self.directory.rglob(".*") if path.is_file()]
        return [str(path) for path in files]

    def wait(self, job, what):
        deadline = time.monotonic() + TIMEOUT_S
        while not what():
            if job.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the job has ended: {job.stderr.read().decode()}")
            time.sleep(0.01)


def killed(world):
    """Kills the job behind its second checkpoint or a later one, and lets it go on."""
    job = world.start()
    try:
        world.wait(job, lambda: world.checkpoints()[0] >= 2)
        number, seen = world.checkpoints()[0], len(world.rows("at-least-once"))
        world.wait(job, lambda: len(world.rows("at-least-once")) > seen + BEHIND)
        if world.checkpoints()[0] != number:
            # Another checkpoint came in between: what appeared may be in front of it.
            seen = len(world.rows("at-least-once"))
            world.wait(job, lambda: len(world.rows("at-least-once")) > seen + BEHIND)
    finally:
        job.kill()
        job.wait()
    again = world.start(world.checkpoints()[1])
    _, err = again.communicate(timeout=TIMEOUT_S)
    if again.returncode != 0:
        raise RuntimeError(err.decode())


def fault(world):
    """What is not as it was promised, or nothing."""
    killed(world)
    every = set(range(NUMBERS))
    counts = {}
    for table in ("exactly-once", "at-least-once", "none"):
        rows = world.rows(table)
        counts[table] = (len(every - set(rows)), len(rows) - len(set(rows)))
        print(f"    {table}: {counts[table][0]} lost, {counts[table][1]} repeated", flush=True)
    if counts["exactly-once"] != (0, 0):
        return "    exactly-once has lost or repeated rows"
    lost, repeated = counts["at-least-once"]
    if lost or not repeated:
        return "    at-least-once has lost rows, or repeated none"
    if not counts["none"][0]:
        return "    none has lost no rows"
    if world.hidden():
        return f"    files are left over: {world.hidden()}"
    return None


def checks(thalweg, quick):
    """Yields a name and a function that returns what is wrong, or nothing."""

    def check(parallelism):
        def run():
            with tempfile.TemporaryDirectory() as directory:
                return fault(World(pathlib.Path(thalweg.binary).resolve(), directory, parallelism))

        return f"guarantees/killed {parallelism}", run

    for parallelism in (1,) if quick else (1, 2):
        yield check(parallelism)
