"""What the jobs of `examples/savepoints` write when they are stopped and started again."""

import csv
import os
import pathlib
import subprocess
import tempfile

from thalweg import ROOT, TIMEOUT_S

SCRIPTS = ROOT / "examples" / "savepoints"
ORDERS, CUSTOMERS, HOUR_S, TESTER = 36_000, 10, 3600, 7


class World:
    """A directory in which jobs run and write, with a socket directory of its own."""

    def __init__(self, binary, directory):
        self.binary = pathlib.Path(binary).resolve()
        self.directory = pathlib.Path(directory)
        self.env = {**os.environ, "THALWEG_RUNTIME_DIR": str(self.directory / "run")}

    def start(self, script, parallelism, savepoint=None):
        """A running job, and its id."""
        command = [str(self.binary), "run", "-p", str(parallelism), "-f", str(SCRIPTS / script)]
        if savepoint:
            command += ["-s", savepoint]
        job = subprocess.Popen(
            command, cwd=self.directory, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        line = job.stdout.readline().decode()
        if "JobID" not in line:
            raise RuntimeError(f"{script} does not start: {job.stderr.read().decode()}")
        return job, line.split()[-1]

    def verb(self, *arguments):
        done = subprocess.run(
            [str(self.binary), *arguments],
            cwd=self.directory,
            env=self.env,
            capture_output=True,
            timeout=TIMEOUT_S,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{arguments}: {done.stderr.decode()}")
        return done.stdout.decode()

    def finish(self, job):
        _, err = job.communicate(timeout=TIMEOUT_S)
        if job.returncode != 0:
            raise RuntimeError(err.decode())

    def stopped(self, parallelism):
        """The savepoint of orders.sql, stopped in its middle."""
        job, number = self.start("orders.sql", parallelism)
        try:
            said = self.verb("stop", "-p", "saved", number)
        except RuntimeError:
            job.kill()
            raise
        self.finish(job)
        return said.removeprefix("Savepoint completed. Path: ").strip()

    def go_on(self, script, parallelism, savepoint):
        job, _ = self.start(script, parallelism, savepoint)
        self.finish(job)

    def written(self, *paths):
        """Orders and amount by window and customer. A window is written once, or it is wrong."""
        windows = {}
        for path in paths:
            for file in sorted((self.directory / path).glob("part-*")):
                for start, customer, orders, amount in csv.reader(file.open(newline="")):
                    key = (start, int(customer))
                    if key in windows:
                        raise RuntimeError(f"{key} is written twice")
                    windows[key] = (int(orders), int(amount))
        return windows


def expected(amount):
    """What an undisturbed run writes that adds `amount` of each order."""
    windows = {}
    for order in range(ORDERS):
        key = (f"2026-01-01 {order // HOUR_S:02}:00:00", order % CUSTOMERS)
        orders, total = windows.get(key, (0, 0))
        windows[key] = (orders + 1, total + amount(order % 100))
    return windows


def between(got, before, behind, keys):
    """Whether each window is of one version, or of both where the job was stopped. What is wrong."""
    if set(got) != set(keys):
        return f"    {len(got)} windows instead of {len(keys)}"
    mixed = 0
    for key in keys:
        orders, amount = got[key]
        low, high = sorted((before[key][1], behind[key][1]))
        if orders != before[key][0] or not low <= amount <= high:
            return f"    {key} is {got[key]}, not of {before[key]} to {behind[key]}"
        mixed += low < amount < high
    # The window that was open when the job was stopped, of every customer.
    if mixed > CUSTOMERS or got[max(keys)] != behind[max(keys)]:
        return f"    {mixed} windows are of both versions"
    return None


def pause_and_resume(world, parallelism):
    savepoint = world.stopped(parallelism)
    world.go_on("orders.sql", 3 - min(parallelism, 2), savepoint)
    want = expected(lambda amount: amount)
    return None if world.written("revenue") == want else "    other windows than an undisturbed run's"


def code_upgrade(world, parallelism):
    savepoint = world.stopped(parallelism)
    world.go_on("orders_upgraded.sql", parallelism, savepoint)
    plain = expected(lambda amount: amount)
    taxed = expected(lambda amount: amount + amount // 5)
    got = world.written("revenue")
    others = [key for key in plain if key[1] != TESTER]
    last = max(start for start, _ in plain)
    if (last, TESTER) in got:
        return "    the tester is still there"
    return between({key: got[key] for key in got if key[1] != TESTER}, plain, taxed, others)


def replay(world, parallelism, scripts):
    """Versions that start from the same savepoint, at the same time."""
    savepoint = world.stopped(parallelism)
    before = world.written("revenue")
    jobs = [world.start(script, parallelism, savepoint)[0] for script, _ in scripts]
    for job in jobs:
        world.finish(job)
    plain = expected(lambda amount: amount)
    for script, amount in scripts:
        wrong = between(world.written("revenue", script.removesuffix(".sql")), plain, expected(amount), list(plain))
        if wrong:
            return f"{script}:\n{wrong}"
    if world.written("revenue") != before:
        return "    the output of the first version has changed"
    if world.verb("savepoint", "-d", savepoint) != f"Savepoint '{savepoint}' disposed.\n":
        return "    the savepoint is not what it was"
    return None


def what_if(world, parallelism):
    return replay(world, parallelism, [("what_if.sql", lambda amount: 2 * amount)])


def variants(world, parallelism):
    scripts = [
        ("variant_a.sql", lambda amount: amount - 10),
        ("variant_b.sql", lambda amount: amount - amount // 10),
    ]
    return replay(world, parallelism, scripts)


def checks(thalweg, quick):
    """Yields a name and a function that returns what is wrong, or nothing."""

    def check(use, parallelism):
        def run():
            with tempfile.TemporaryDirectory() as directory:
                return use(World(thalweg.binary, directory), parallelism)

        return f"savepoints/{use.__name__} {parallelism}", run

    for use in (pause_and_resume, code_upgrade, what_if, variants):
        for parallelism in (1,) if quick else (1, 2):
            yield check(use, parallelism)
