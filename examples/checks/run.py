#!/usr/bin/env python3
"""Compares the answers of the examples with independent ones.

    run.py BINARY [--only flights,guarantees,nexmark,savepoints,wordcount] [--quick]
    run.py --golden

BINARY is the `thalweg` to test. --only takes names of examples, or beginnings of the names of checks such
as `nexmark/q5`. --quick runs each check once, in streaming mode, flights over January only. --golden
writes the expected rows of January anew, from DuckDB.
"""

import argparse
import pathlib
import sys
import tempfile
import time

import flights
import guarantees
import nexmark
import savepoints
import wordcount
from thalweg import Thalweg

EXAMPLES = {
    "wordcount": wordcount,
    "flights": flights,
    "nexmark": nexmark,
    "savepoints": savepoints,
    "guarantees": guarantees,
}


def wanted(name, only):
    """Whether a check was asked for. The events are what every check of Nexmark needs."""
    if not only:
        return True
    needed = name == "nexmark/events" and any(one.startswith("nexmark") for one in only)
    return needed or any(f"{name} ".startswith((f"{one} ", f"{one}/")) for one in only)


def run(name, check):
    """Runs one check and tells how it ended; whether it passed."""
    start = time.monotonic()
    try:
        fault = check()
    except Exception as error:  # A check that cannot run is a check that failed; the others go on.
        fault = f"    {type(error).__name__}: {error}"
    took = time.monotonic() - start
    print(f"{'FAILED' if fault else 'ok    '} {name} ({took:.1f} s)", flush=True)
    if fault:
        print(fault, flush=True)
    return not fault


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("binary", nargs="?")
    parser.add_argument("--only", default="")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--golden", action="store_true")
    options = parser.parse_args()
    if options.golden:
        flights.write_golden()
        return 0
    if not options.binary:
        parser.error("which binary?")
    only = [one for one in options.only.split(",") if one]
    passed = failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        thalweg = Thalweg(pathlib.Path(options.binary).resolve(), scratch)
        for example, module in EXAMPLES.items():
            if only and not any(one.split("/")[0] == example for one in only):
                continue
            for name, check in module.checks(thalweg, options.quick):
                if wanted(name, only):
                    if run(name, check):
                        passed += 1
                    else:
                        failed += 1
    print(f"examples: {passed} checks passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
