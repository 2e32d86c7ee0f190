"""The oracle: every op in plain float64 NumPy, written to be read, not to be fast."""
