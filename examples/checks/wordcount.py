"""The independent answer for `examples/wordcount`."""

import re
from collections import Counter

import rows
from thalweg import ROOT

SCRIPT = ROOT / "examples" / "wordcount" / "wordcount.sql"
TEXT = ROOT / "examples" / "data" / "hamlet.txt"


def checks(thalweg, quick):
    """Yields a name and a function that returns what is wrong, or nothing."""
    counts = Counter(re.findall(r"[a-z']+", TEXT.read_text().lower()))
    want = [(word, rows.value(count)) for word, count in counts.items()]

    def check(mode, parallelism):
        def run():
            got = thalweg.run([SCRIPT], mode, parallelism)
            return rows.difference(want, rows.actual(got, ["word", "occurrences"], set()))

        return f"wordcount {mode} {parallelism} ({len(want)} rows)", run

    for mode in ("streaming",) if quick else ("streaming", "batch"):
        for parallelism in (1,) if quick else (1, 2, 7):
            yield check(mode, parallelism)
