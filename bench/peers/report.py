"""What a comparison found: a table to keep (TSV) and one to read (Markdown)."""

import math

# Name of a column, and what it holds. `mem` is Thalweg over events in memory, at parallelism 1 and 2;
# `json` is Thalweg over JSON files at parallelism 1; `flink` is Flink over the same files.
COLUMNS = [
    "query",
    "loop_mev_s",
    "mem1_mev_s",
    "mem1_cpu_s",
    "mem2_mev_s",
    "mem2_cpu_s",
    "json_wall_s",
    "json_cpu_s",
    "flink_wall_s",
    "flink_cpu_s",
]

# A ratio: its title, and the columns above and below the line.
RATIOS = [
    ("memory / loop", "mem1_mev_s", "loop_mev_s"),
    ("2 / 1 instances", "mem2_mev_s", "mem1_mev_s"),
    ("Flink / JSON, wall", "flink_wall_s", "json_wall_s"),
    ("Flink / JSON, CPU", "flink_cpu_s", "json_cpu_s"),
]


def ratio(row, above, below):
    """A ratio of a row, or nothing if a number is missing."""
    if above in row and below in row and row[below] > 0 and row[above] > 0:
        return row[above] / row[below]
    return None


def geometric_mean(numbers):
    """Of the numbers that are there; nothing if none is."""
    numbers = [number for number in numbers if number is not None]
    if not numbers:
        return None
    return math.exp(sum(math.log(number) for number in numbers) / len(numbers))


def text(number):
    """Three digits that mean something."""
    if number is None:
        return ""
    if number >= 100:
        return f"{number:.0f}"
    return f"{number:.3g}"


def tsv(about, rows):
    """The table to keep: what was measured, then a line a query with numbers as they are."""
    lines = [f"# {key}: {value}" for key, value in about.items()]
    lines.append("\t".join(COLUMNS))
    for row in rows:
        cells = (row.get(column, "") for column in COLUMNS)
        lines.append("\t".join(f"{c:.4f}" if isinstance(c, float) else str(c) for c in cells))
    return "\n".join(lines) + "\n"


def markdown(about, rows):
    """The table to read."""
    given = [ratio_ for ratio_ in RATIOS if any(ratio(row, *ratio_[1:]) for row in rows)]
    numbers = [column for column in COLUMNS[1:] if any(column in row for row in rows)]
    head = ["query"] + numbers + [title for title, _, _ in given]
    lines = [f"- {key}: {value}" for key, value in about.items()]
    lines += ["", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        cells = [row["query"]]
        cells += [text(row.get(column)) for column in numbers]
        cells += [text(ratio(row, above, below)) for _, above, below in given]
        lines.append("| " + " | ".join(cells) + " |")
    means = [
        geometric_mean(ratio(row, above, below) for row in rows) for _, above, below in given
    ]
    cells = ["geometric mean"] + [""] * len(numbers) + [text(mean) for mean in means]
    lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
