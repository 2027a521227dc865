"""Rows in one canonical form, and comparing two bags of them."""

import datetime
import decimal
from collections import Counter

SHOWN = 5


def value(cell):
    """One value so that equal meanings are equal: numbers by value, times as the contract prints them."""
    if isinstance(cell, bool) or cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, float):
        # Sums of doubles depend on the order of additions: nine digits do not.
        return decimal.Decimal(f"{cell:.9g}").normalize() + 0
    if isinstance(cell, (int, decimal.Decimal)):
        return decimal.Decimal(cell).normalize() + 0
    if isinstance(cell, datetime.datetime):
        return cell.isoformat(sep=" ", timespec="milliseconds")
    raise TypeError(f"no canonical form for {type(cell).__name__}")


def expected(cursor):
    """The columns and rows of a DuckDB result; the columns that are DOUBLE are told apart."""
    columns = [column[0] for column in cursor.description]
    raw = cursor.fetchall()
    doubles = {name for row in raw for name, cell in zip(columns, row) if isinstance(cell, float)}
    return columns, doubles, [tuple(value(cell) for cell in row) for row in raw]


def actual(objects, columns, doubles):
    """The rows of parsed JSON objects; fails when an object has other keys or another order."""
    rows = []
    for one in objects:
        if list(one) != columns:
            raise ValueError(f"a row has the keys {list(one)}, not {columns}")
        cells = ((column, cell) for column, cell in one.items())
        rows.append(
            tuple(
                value(float(cell)) if column in doubles and cell is not None else value(cell)
                for column, cell in cells
            )
        )
    return rows


def difference(want, got):
    """What tells two bags of rows apart, as text; empty when nothing does."""
    want, got = Counter(want), Counter(got)
    lines = []
    for title, rows in (("missing", want - got), ("not expected", got - want)):
        if rows:
            lines.append(f"    {sum(rows.values())} rows {title}:")
            first = sorted(rows.items(), key=lambda item: str(item[0]))[:SHOWN]
            lines.extend(f"      {count} x {tuple(map(str, row))}" for row, count in first)
    return "\n".join(lines)
