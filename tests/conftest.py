"""What holds for all tests."""

import os

# Weights that are not on this machine stay away.
os.environ.setdefault("FASTCNN_OFFLINE", "1")
