"""How a script's main is called: line-buffered output, errors as exit codes."""

import gc
import os
import sys

from common import machine
from common.runs import first_process
from data_prep.common.errors import exit_on_error

# Importing the libraries makes millions of objects that stay: looking them through for garbage took a fifth of the time.
IMPORTING_THRESHOLD = (50_000, 10, 10)
# TRL tells the hub which trainer is used, Unsloth which machine, local models too. Whose data is medical asks for neither.
NO_TELEMETRY = {"HF_HUB_DISABLE_TELEMETRY": "1", "UNSLOTH_DISABLE_STATISTICS": "1"}
# Threads of torch and llama.cpp (GNU OpenMP) wait for one another by spinning, 300,000 rounds by default. Where others want the
# cores too that burns them: beside other work llama.cpp took twice the time. 1,000 rounds cost nothing on an idle machine.
SPIN = {"GOMP_SPINCOUNT": "1000"}


def run_main(main) -> None:
    """Call a script's main; its errors become exit codes: 1 a check failed, 2 wrong input, 130 interrupted."""
    # Progress is read through pipes as well (run_recipe streams it), so a line must not wait in a buffer.
    sys.stdout.reconfigure(line_buffering=True)
    machine.own_process = True
    gc.set_threshold(*IMPORTING_THRESHOLD)
    for name, value in (NO_TELEMETRY | SPIN).items():
        os.environ.setdefault(name, value)
    if not first_process():
        sys.stdout = open(os.devnull, "w")
    exit_on_error(main)
