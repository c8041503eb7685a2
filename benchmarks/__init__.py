"""Comparisons inside one run: ratios travel between machines, single figures do not. Run ``make bench``."""
