"""Runs `thalweg sql` as a user would and reads its JSON lines."""

import json
import pathlib
import subprocess
from decimal import Decimal

ROOT = pathlib.Path(__file__).resolve().parents[2]
TIMEOUT_S = 900


class Failed(Exception):
    """The command ended with another code than 0."""

    def __init__(self, code, stderr):
        super().__init__(f"exit code {code}: {stderr.strip()[-2000:]}")
        self.code = code
        self.refused = code == 1 and "error:" in stderr


class Thalweg:
    """A binary, and a directory for the scripts made up on the way."""

    def __init__(self, binary, scratch):
        self.binary = binary
        self.scratch = pathlib.Path(scratch)

    def script(self, name, text):
        """A script of this text."""
        path = self.scratch / name
        path.write_text(text)
        return path

    def settings(self, mode, parallelism):
        return self.script(
            f"{mode}-{parallelism}.sql",
            f"SET 'execution.runtime-mode' = '{mode}';\nSET 'parallelism.default' = '{parallelism}';\n",
        )

    def run_to(self, output, files, mode="streaming", parallelism=1):
        """Runs scripts and writes the final rows, a JSON object a line, into a file."""
        command = [str(self.binary), "sql", "--output", "json", "--final"]
        for file in [self.settings(mode, parallelism), *files]:
            command += ["-f", str(file)]
        with open(output, "wb") as out:
            done = subprocess.run(
                command, cwd=ROOT, stdout=out, stderr=subprocess.PIPE, timeout=TIMEOUT_S
            )
        if done.returncode != 0:
            raise Failed(done.returncode, done.stderr.decode(errors="replace"))

    def run(self, files, mode="streaming", parallelism=1):
        """The final rows of scripts, as objects with their keys in order."""
        output = self.scratch / "rows.json"
        self.run_to(output, files, mode, parallelism)
        with open(output, encoding="utf-8") as lines:
            return [json.loads(line, parse_float=Decimal) for line in lines]
