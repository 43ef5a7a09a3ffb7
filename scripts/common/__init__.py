"""What every script needs. Importing it imports neither torch nor unsloth, so that `--help` and every check answer at once."""

import logging
import os
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))  # for data_prep, beside scripts/
os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")  # versions are pinned, so the warning has nothing to add
# At import bitsandbytes warns that an optional kernel is not there, torchao that it uses an old torch call.
for name in ("bitsandbytes", "torchao", "torch.utils._pytree"):
    logging.getLogger(name).setLevel(logging.ERROR)
warnings.filterwarnings("ignore", category=FutureWarning, module="huggingface_hub")  # about variables that others set
