"""What parses foreign text, on inputs that nobody would write.

    python tests/faults/fuzz.py --seconds 60

Good is a result of the kind that is promised, or a UserError (ValueError where the function says so). A failure is any other
error, a result that is none of the options, and a call of more than two seconds for at most 4,000 characters: a pattern that
backtracks would hang a score, or let one row stop a run. Not led by coverage: guided.py is. Whole command lines:
fuzz_commands.py.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from fuzz_targets import targets

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # a file a trial: on a disk that takes longer than to read it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="a target, of the clock")
    parser.add_argument("--runs", type=int, default=sys.maxsize, help="at most so many executions a target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="the target of this name, or those whose names hold it")
    args = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=MEMORY) as folder:
        every = list(targets(Path(folder)))
        for target in [t for t in every if t.name == args.only] or [t for t in every if args.only in t.name]:
            end = time.monotonic() + args.seconds
            while time.monotonic() < end and target.tried < args.runs and len(target.failed) < 20:
                target.once(random.Random(f"{args.seed} {target.name} {target.tried}"))
            target.report("by chance")
            failed += len(target.failed)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
