"""What nvcc makes of every CUDA kernel, on every architecture: no GPU is needed.

    python -m benchmarks.cuda_static            # writes benchmarks/results/cuda_static.json
    python -m benchmarks.cuda_static --source gram --architectures 80,120 --dry

Registers, shared memory, whether anything is spilled; how many blocks fit a multiprocessor
(cuda_occupancy.h); which instructions there are. Instructions are counted in the machine code where
nvdisasm is found (`pip install nvidia-cuda-nvdisasm`), and looked for in the PTX where it is not.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.results import FOLDER, significant, table

ROOT = Path(__file__).resolve().parents[1]
CUDA = ROOT / "src" / "cuda"
ARCHITECTURES = (75, 80, 86, 89, 90, 100, 120)
REGISTERS_PER_BLOCK = 65536
THREADS_PER_BLOCK = 1024
STATIC_SHARED_BYTES = 48 * 1024
# Opcodes that say what a kernel is made of: multiply-adds, tensor cores, asynchronous copies.
OPCODES = ("FFMA", "MMA", "LDGSTS")


class CompileError(Exception):
    """What nvcc said."""


@dataclass
class Kernel:
    """A kernel as one architecture runs it."""

    source: str
    kernel: str
    architecture: int
    threads: int  # of a block, at most
    registers: int
    shared_bytes: int  # static
    dynamic: bool  # asks for dynamic shared memory, too: it is not counted
    local_bytes: int  # stack and spills
    blocks: int = 0  # that fit a multiprocessor
    occupancy: float = 0.0
    async_copies: bool = False
    tensor_cores: bool = False
    instructions: dict[str, int] = field(default_factory=dict)

    def fits(self) -> bool:
        """Whether a block can be launched: registers are handed out by the eight."""
        registers = -(-self.registers // 8) * 8 * self.threads
        return (
            0 < self.threads <= THREADS_PER_BLOCK
            and registers <= REGISTERS_PER_BLOCK
            and self.shared_bytes <= STATIC_SHARED_BYTES
        )


def sources() -> list[Path]:
    """Every file of kernels."""
    return sorted(CUDA.rglob("*.cu"))


def find_nvcc() -> str | None:
    """The compiler that $NVCC names, or the one on the path."""
    return os.environ.get("NVCC") or shutil.which("nvcc")


def find_nvdisasm() -> str | None:
    """The disassembler on the path, or from the Python package nvidia-cuda-nvdisasm."""
    found = sorted(Path(sysconfig.get_path("purelib")).glob("nvidia/*/bin/nvdisasm"))
    return shutil.which("nvdisasm") or (str(found[-1]) if found else None)


def compile_source(source: Path, architectures: Sequence[int]) -> list[Kernel]:
    """Compile a file as the build does, held to no warnings, spills or local memory.

    Raises
    ------
    CompileError
        With what nvcc said.
    """
    nvcc = find_nvcc()
    if nvcc is None:
        raise CompileError("nvcc is not found")
    targets = [f"-gencode=arch=compute_{a},code=sm_{a}" for a in architectures]
    strict = "-v,--warn-on-spills,--warn-on-local-memory-usage,-Werror"
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(nvcc, "-std=c++20", "-O3", "-fatbin", *targets, "-Werror", "all-warnings"),
            *(f"-I{CUDA}", f"-I{ROOT / 'src' / 'cpp'}", "-Xptxas", strict),
            *("--keep", "--keep-dir", folder, str(source), "-o", f"{folder}/kernels.fatbin"),
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise CompileError(f"{source}:\n{done.stdout}{done.stderr}")
        name = source.relative_to(CUDA).as_posix()
        found = resources(done.stdout + done.stderr, name)
        for architecture in architectures:
            # The architecture is part of the names where there are several.
            mark = f"*.compute_{architecture}" if len(architectures) > 1 else "*"
            own = {k.kernel: k for k in found if k.architecture == architecture}
            read_ptx(_kept(folder, mark, "ptx").read_text(), own)
            read_machine_code(_kept(folder, mark, "cubin"), own)
    _name(found)
    _count_blocks(found)
    return found


def _kept(folder: str, mark: str, suffix: str) -> Path:
    return next(Path(folder).glob(f"{mark}.{suffix}"))


def resources(log: str, source: str) -> list[Kernel]:
    """The kernels that ptxas -v tells of, by their mangled names."""
    kernels = []
    entry = re.compile(
        r"Compiling entry function '(\S+)' for 'sm_(\d+)a?'.*?"
        r"(\d+) bytes stack frame, (\d+) bytes spill stores.*?"
        r"Used (\d+) registers([^\n]*)",
        re.DOTALL,
    )
    for name, architecture, stack, spilled, registers, rest in entry.findall(log):
        shared = re.search(r"(\d+) bytes smem", rest)
        kernels.append(
            Kernel(
                source=source,
                kernel=name,
                architecture=int(architecture),
                threads=0,
                registers=int(registers),
                shared_bytes=int(shared.group(1)) if shared else 0,
                dynamic=False,
                local_bytes=int(stack) + int(spilled),
            )
        )
    return kernels


def read_ptx(text: str, kernels: dict[str, Kernel]) -> None:
    """Fill in what the PTX says: threads of a block, dynamic shared memory, instructions."""
    for name, body in re.findall(r"\.entry (\S+?)\((.*?)(?=\.entry|\Z)", text, re.DOTALL):
        kernel = kernels[name]
        threads = re.search(r"\.maxntid (\d+)(?:, (\d+))?(?:, (\d+))?", body)
        if threads:
            x, y, z = (int(n or 1) for n in threads.groups())
            kernel.threads = x * y * z
        kernel.dynamic = "fc_dynamic_shared" in body
        kernel.async_copies = "cp.async." in body
        kernel.tensor_cores = re.search(r"\b(?:mma|wmma|wgmma)\.", body) is not None


def read_machine_code(cubin: Path, kernels: dict[str, Kernel]) -> None:
    """Count the instructions of each kernel; does nothing without a disassembler."""
    tool = find_nvdisasm()
    if tool is None:
        return
    done = subprocess.run([tool, "-c", str(cubin)], capture_output=True, text=True, check=True)
    for name, counts in count_instructions(done.stdout).items():
        kernels[name].instructions = counts


def count_instructions(text: str) -> dict[str, dict[str, int]]:
    """From what nvdisasm prints: how many of OPCODES each kernel has, and of all instructions."""
    counted = {}
    for section in text.split("//--------------------- .text.")[1:]:
        name = section.split(maxsplit=1)[0]
        opcodes = re.findall(r"^\s*/\*[0-9a-f]+\*/\s+(?:@!?U?P\w+ )?([A-Z]\w*)", section, re.M)
        counts = {"all": len(opcodes)}
        for opcode in OPCODES:
            counts[opcode] = sum(opcode == o or (opcode == "MMA" and "MMA" in o) for o in opcodes)
        counted[name] = counts
    return counted


def _name(kernels: Sequence[Kernel]) -> None:
    """Turn mangled names into C++ names without namespaces and operands."""
    if not kernels or shutil.which("c++filt") is None:
        return
    done = subprocess.run(
        ["c++filt"], input="\n".join(k.kernel for k in kernels), capture_output=True, text=True
    )
    for kernel, name in zip(kernels, done.stdout.splitlines(), strict=True):
        kernel.kernel = short_name(name)


def short_name(name: str) -> str:
    """A demangled kernel's name.

    Examples
    --------
    >>> short_name("void a::(anonymous namespace)::f<a::K<(a::Kind)3, 4>, float>(float*, int)")
    'f<K<3, 4>, float>'
    """
    name = re.sub(r"\(\w+(?:::\w+)*\)(?=-?\d)|\(anonymous namespace\)::", "", name)
    depth = 0
    for at, letter in enumerate(name):
        depth += {"<": 1, ">": -1}.get(letter, 0)
        if letter == "(" and depth == 0:
            name = name[:at]
            break
    return re.sub(r"\w+::", "", name.removeprefix("void "))


def _count_blocks(kernels: Sequence[Kernel]) -> None:
    """Ask NVIDIA's calculation how many blocks fit a multiprocessor; nothing without its header."""
    nvcc = find_nvcc()
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "occupancy"
        code = Path(__file__).with_name("occupancy.cpp")
        done = subprocess.run([str(nvcc), str(code), "-o", str(program)], capture_output=True)
        if done.returncode:
            return
        asked = "".join(
            f"{k.architecture // 10} {k.architecture % 10} {k.threads} {k.registers} "
            f"{k.shared_bytes} 0\n"
            for k in kernels
        )
        answers = subprocess.run([program], input=asked, capture_output=True, text=True).stdout
    for kernel, answer in zip(kernels, answers.splitlines(), strict=True):
        kernel.blocks, most = map(int, answer.split())
        kernel.occupancy = round(kernel.blocks * kernel.threads / most, 3)


def load(path: Path = FOLDER / "cuda_static.json") -> list[Kernel]:
    """The kernels that a file of results tells of."""
    return [Kernel(**line) for line in json.loads(path.read_text())["kernels"]]


def save(kernels: Iterable[Kernel], path: Path, nvcc: str) -> None:
    """Write the results, a line a kernel and architecture."""
    ordered = sorted(kernels, key=lambda k: (k.source, k.kernel, k.architecture))
    lines = ",\n".join(json.dumps(asdict(k)) for k in ordered)
    path.write_text(f'{{"nvcc": {json.dumps(nvcc)}, "kernels": [\n{lines}\n]}}\n')


def merged(before: Sequence[Kernel], new: Sequence[Kernel]) -> list[Kernel]:
    """What was recorded, and instead of it the files compiled anew; nothing of files that went."""
    known = {s.relative_to(CUDA).as_posix() for s in sources()}
    replaced = {(k.source, k.architecture) for k in new}
    kept = [k for k in before if (k.source, k.architecture) not in replaced]
    return [k for k in [*kept, *new] if k.source in known]


def nvcc_version() -> str:
    """Such as "13.0.88"; "" without nvcc."""
    nvcc = find_nvcc()
    if nvcc is None:
        return ""
    text = subprocess.run([nvcc, "--version"], capture_output=True, text=True).stdout
    found = re.search(r"V(\d[\d.]*)", text)
    return found.group(1) if found else ""


def drawn(kernels: Sequence[Kernel]) -> str:
    """A table: for each kernel the architecture that it fits worst."""
    worst: dict[tuple[str, str], Kernel] = {}
    for k in kernels:
        key = k.source, k.kernel
        if key not in worst or k.occupancy < worst[key].occupancy:
            worst[key] = k
    header = ["kernel", "sm", "threads", "registers", "shared", "blocks", "occupancy", "FFMA"]
    rows = []
    for (source, name), k in sorted(worst.items()):
        share = k.instructions.get("FFMA", 0) / max(1, k.instructions.get("all", 0))
        numbers = (k.architecture, k.threads, k.registers, k.shared_bytes, k.blocks, k.occupancy)
        shown = name if len(name) < 60 else name[:57] + "..."
        rows.append([f"{source} {shown}", *map(str, numbers), significant(share, 2)])
    return table(header, rows)


def main(arguments: Sequence[str] | None = None) -> list[Kernel]:
    """Compile everything; exit code 2 without nvcc."""
    options = _parse(arguments)
    if find_nvcc() is None:
        print("nvcc is not found: nothing can be compiled")
        raise SystemExit(2)
    kernels: list[Kernel] = []
    for source in sources():
        if options.source in source.name:
            found = compile_source(source, options.architectures)
            print(f"{source.relative_to(ROOT)}: {len(found)}", flush=True)
            kernels += found
    print(drawn(kernels))
    if not options.dry:
        path = options.folder / "cuda_static.json"
        save(merged(load(path) if path.exists() else [], kernels), path, nvcc_version())
    return kernels


def _parse(arguments: Sequence[str] | None) -> Any:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cuda_static", description="Record what nvcc makes of kernels."
    )
    add = parser.add_argument
    add("--source", default="", help="only files whose name contains this; the others' lines stay")
    add(
        "--architectures",
        type=lambda t: tuple(int(a) for a in t.split(",")),
        default=ARCHITECTURES,
        help="such as 80,120",
    )
    add("--folder", type=Path, default=FOLDER, help="of the results")
    add("--dry", action="store_true", help="write no results")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
