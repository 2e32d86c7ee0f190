"""How well, and in what time, the examples learn from real data.

    python -m benchmarks.learning --examples sign_digits,transfer_learning

Each example runs once from its fixed seed, on all threads. Those whose data are not there are left
out, with the reason.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import fastcnn as fc
from benchmarks.machine import ROOT
from benchmarks.results import FOLDER, Results, table

EXAMPLES = (
    "happy_house",
    "mnist_lenet",
    "sign_digits",
    "transfer_learning",
    "fashion_mnist",
    "street_scenes",
    "blood_cells",
    "face_verification",
    "verification_training",
    "style_transfer",
)


def main(arguments: Sequence[str] | None = None) -> Results:
    """Run the examples."""
    parser = argparse.ArgumentParser(prog="benchmarks.learning", description=__doc__.split("\n")[0])
    parser.add_argument("--examples", default=",".join(EXAMPLES))
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of the results")
    parser.add_argument("--dry", action="store_true", help="write no results")
    options = parser.parse_args(arguments)
    sys.path.insert(0, str(ROOT / "examples"))
    results = Results("wall", 0, None if options.dry else options.folder)
    rows = []
    for name in options.examples.split(","):
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            accuracy = importlib.import_module(name).main()
        except (ImportError, OSError, StopIteration, SystemExit) as error:
            print(f"{name}: not measured: {error}", file=sys.stderr)
            continue
        line = results.add(
            "learning",
            threads=fc.get_num_threads(),
            example=name,
            accuracy=round(accuracy, 4),
            minutes=round((time.perf_counter() - wall) / 60, 2),
            cpu_minutes=round((time.process_time() - cpu) / 60, 2),
        )
        rows.append([name, f"{line['accuracy']:.4f}", f"{line['minutes']:.2f}"])
    print(f"\n{table(['example', 'accuracy', 'minutes'], rows)}")
    return results


if __name__ == "__main__":
    main()
