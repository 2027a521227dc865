"""The comparison finds what it must find."""

import datetime
import json
import unittest
from decimal import Decimal

import duckdb

import rows


class Compare(unittest.TestCase):
    def setUp(self):
        cursor = duckdb.connect().execute(
            "SELECT 1::BIGINT AS a, 2.5::DOUBLE AS b, 1.50::DECIMAL(9, 2) AS c,"
            " TIMESTAMP '2013-01-01 10:00:00' AS d, NULL::INT AS e"
        )
        self.columns, self.doubles, self.want = rows.expected(cursor)

    def got(self, text):
        parsed = [json.loads(line, parse_float=Decimal) for line in text.splitlines()]
        return rows.actual(parsed, self.columns, self.doubles)

    def test_equal_rows_have_no_difference(self):
        text = '{"a":1,"b":2.5000000000001,"c":1.50,"d":"2013-01-01 10:00:00.000","e":null}'
        self.assertEqual(rows.difference(self.want, self.got(text)), "")

    def test_another_value_is_a_missing_and_an_unexpected_row(self):
        text = '{"a":2,"b":2.5,"c":1.50,"d":"2013-01-01 10:00:00.000","e":null}'
        difference = rows.difference(self.want, self.got(text))
        self.assertIn("1 rows missing", difference)
        self.assertIn("1 rows not expected", difference)

    def test_a_row_too_often_is_a_difference(self):
        self.assertIn("not expected", rows.difference(self.want, self.want * 2))
        self.assertIn("missing", rows.difference(self.want * 2, self.want))

    def test_other_keys_and_another_order_of_keys_fail(self):
        with self.assertRaises(ValueError):
            self.got('{"b":2.5,"a":1,"c":1.50,"d":"2013-01-01 10:00:00.000","e":null}')

    def test_text_is_no_number_and_null_no_text(self):
        self.assertNotEqual(rows.value("1"), rows.value(1))
        self.assertNotEqual(rows.value(None), rows.value("NULL"))

    def test_negative_zero_is_zero_and_times_have_milliseconds(self):
        self.assertEqual(rows.value(-0.0), rows.value(0))
        time = datetime.datetime(2013, 1, 1, 10, 0, 0, 5000)
        self.assertEqual(rows.value(time), "2013-01-01 10:00:00.005")


if __name__ == "__main__":
    unittest.main()
