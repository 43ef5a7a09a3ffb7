"""How a script's main is called: line-buffered output, errors as exit codes."""

import gc
import os
import sys

from common.errors import CheckFailed, UserError
from common.runs import first_process

# Importing the libraries makes millions of objects that stay: looking them through for garbage took a fifth of the time.
IMPORTING_THRESHOLD = (50_000, 10, 10)


def run_main(main) -> None:
    """Call a script's main and turn its errors into exit codes: 1 a check failed, 2 wrong input."""
    # Progress is read through pipes as well (run_recipe streams it), so a line must not wait in a buffer.
    sys.stdout.reconfigure(line_buffering=True)
    gc.set_threshold(*IMPORTING_THRESHOLD)
    if not first_process():
        sys.stdout = open(os.devnull, "w")
    try:
        main()
    except UserError as error:
        print("error: " + "\n       ".join(error.problems), file=sys.stderr)
        sys.exit(2)
    except CheckFailed as error:
        print(f"check failed: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
