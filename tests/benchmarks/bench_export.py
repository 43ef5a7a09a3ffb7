"""How long an export takes and how much memory: the embedded model's adapter to two verified quantisations.

    python tests/benchmarks/bench_export.py --adapter runs/quickstart/sft --data data/quickstart/test.jsonl
    OMP_NUM_THREADS=1 python tests/benchmarks/bench_export.py --runs 3

Prints one line a run: seconds by the clock, seconds of processor, the largest memory of any step over the 16-bit size, the
load average before it (another's work on the machine shows there), and whether the files have the same bytes as the first
run's. Without --adapter it trains one of four steps first.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from common.models import EMBEDDED_MODEL  # noqa: E402
from export.needs import shape_of  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adapter")
    parser.add_argument("--data", default="data/quickstart/test.jsonl")
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        adapter = args.adapter or str(Path(folder) / "sft")
        if not args.adapter:
            rows = ["--data", "data/quickstart/train.jsonl", "--max_length", "256", "--max_steps", "4", "--learning_rate", "5e-4"]
            small = ["--per_device_train_batch_size", "4", "--gradient_accumulation_steps", "1"]
            train = ["scripts/sft.py", "--model", EMBEDDED_MODEL, *rows, *small, "--output_dir", adapter]
            subprocess.run([sys.executable, *train], cwd=ROOT, check=True, capture_output=True)
        size = shape_of(ROOT / EMBEDDED_MODEL).weights
        print(
            f"{os.cpu_count()} cores, OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', '-')}; 16-bit size {size / 1e6:.0f} MB"
        )
        first = None
        for number in range(args.runs):
            out = Path(folder) / f"gguf{number}"
            load, before = os.getloadavg()[0], resource.getrusage(resource.RUSAGE_CHILDREN)
            start = time.monotonic()
            export = ["scripts/export_gguf.py", "--model", adapter, "--data", args.data, "--name", "x", "--output_dir", str(out)]
            code = subprocess.run([sys.executable, *export], cwd=ROOT, stdout=subprocess.DEVNULL).returncode
            seconds, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
            processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            report = json.loads((out / "verification.json").read_text(encoding="utf-8"))
            hashes = [f["sha256"] for f in report["files"]]
            first = first or hashes
            memory = max(report["peak_memory_gb"].values()) * 1e9
            print(
                f"run {number + 1}: exit {code}  {seconds:.0f} s  processor {processor:.0f} s  memory {memory / 1e6:.0f} MB = "
                f"{memory / size:.2f} x 16-bit size  load before {load:.1f}  same bytes {hashes == first}\n"
                f"   seconds {report['seconds']}\n   GB {report['peak_memory_gb']}"
            )
            for f in report["files"]:
                checks = f["checks"]
                print(f"   {f['file']}: KL {checks['kl']}, perplexity {checks['perplexity']['ratio']}, {checks.get('task_loss')}")


if __name__ == "__main__":
    main()
