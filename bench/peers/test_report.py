"""python3 -m unittest discover bench/peers"""

import unittest

import report


class Report(unittest.TestCase):
    rows = [
        {"query": "q0", "loop_mev_s": 100.0, "mem1_mev_s": 50.0},
        {"query": "q1", "loop_mev_s": 100.0, "mem1_mev_s": 2.0},
        {"query": "q2", "mem1_mev_s": 2.0},
    ]

    def test_ratios_have_a_geometric_mean_over_the_queries_that_have_both(self):
        table = report.markdown({"commit": "abc"}, self.rows).splitlines()
        self.assertEqual(table[0], "- commit: abc")
        self.assertEqual(table[2], "| query | loop_mev_s | mem1_mev_s | memory / loop |")
        self.assertEqual(table[4], "| q0 | 100 | 50 | 0.5 |")
        self.assertEqual(table[6], "| q2 |  | 2 |  |")
        self.assertEqual(table[7], "| geometric mean |  |  | 0.1 |")

    def test_a_missing_number_is_an_empty_cell(self):
        table = report.tsv({"commit": "abc"}, self.rows).splitlines()
        self.assertEqual(table[0], "# commit: abc")
        self.assertEqual(table[1].split("\t"), report.COLUMNS)
        self.assertEqual(table[4].split("\t")[:4], ["q2", "", "2.0000", ""])


if __name__ == "__main__":
    unittest.main()
