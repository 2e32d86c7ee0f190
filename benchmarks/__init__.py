"""Benchmarks: ratios to peers and to the machine's own measured peaks, in one interleaved run."""
