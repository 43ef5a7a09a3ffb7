"""Around what reads a model's files: what libraries end in a traceback or only warn of is one error that names the folder."""

import contextlib
import logging
import re
import traceback
import warnings
from pathlib import Path

from common.errors import CheckFailed, UserError
from data_prep.common.errors import disk_problem, is_memory_problem

# Weights of their own that a checkpoint of the language model need not hold: a new head, the towers of images and sound.
MAY_LACK = re.compile(r"^(?:score|classifier)\b|vision|visual|image|audio")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Report(logging.Handler):
    """Collects what transformers' loading report calls MISSING: weights that it made up by chance."""

    def __init__(self):
        super().__init__()
        self.missing: list[str] = []

    def emit(self, record):
        for line in COLOURS.sub("", record.getMessage()).splitlines():
            name, _, status = line.partition("|")
            if status.strip().startswith("MISSING"):
                self.missing.append(name.strip())


@contextlib.contextmanager
def loading(model: str):
    """Around what loads a model, adapter or tokenizer. Raises UserError where its files cannot be read or lack a weight.

    transformers and PEFT make up a weight whose name is not there, and only warn: with one bit turned in a name every score
    would be another.
    """
    log, report = logging.getLogger("transformers.modeling_utils"), Report()
    before = log.level, log.propagate
    log.addHandler(report)
    log.setLevel(logging.WARNING)
    log.propagate = False
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Found missing adapter keys")
            yield
    except (UserError, CheckFailed, MemoryError, ImportError):
        raise
    except Exception as error:
        if disk_problem(error) or is_memory_problem(error) or "CUDA" in str(error):  # no fault of the files
            raise
        place = traceback.extract_tb(error.__traceback__)[-1]  # a fault of a library is found by it
        where = f"{Path(place.filename).name}:{place.lineno}"
        why = f"{type(error).__name__} in {where}: {' '.join(str(error).split())[:300]}"
        raise UserError(
            f"model: {model} cannot be loaded ({why}); is one of its files damaged, or made for other versions of the libraries?"
        ) from None
    finally:
        log.removeHandler(report)
        log.setLevel(before[0])
        log.propagate = before[1]
    if missing := [name for name in report.missing if not MAY_LACK.search(name)]:
        raise UserError(
            f"model: {model} lacks weights that its config.json names ({', '.join(missing[:3])}); was it copied to its end?"
        )
