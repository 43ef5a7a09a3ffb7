"""The two errors that reach a user, and the exit code of each. Both rooms raise these."""

import errno
import os
import select
import sys
from pathlib import Path

# A disk that is full, read-only, broken or not ours: nothing is wrong with the script, and a traceback would say so.
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM}
DISK_WORDS = (
    "No space left on device",
    "Disk quota exceeded",
    "File too large",
    "PytorchStreamWriter failed writing",
    "database or disk is full",  # SQLite's words, as the next two
    "disk I/O error",
    "readonly database",
)

# Words of torch's out-of-memory errors, CUDA's and the processor's; oneDNN's; transformers' and Unsloth's of a card too small.
MEMORY_WORDS = (
    "out of memory",
    "not enough memory",
    "allocate memory",
    "could not create a primitive",
    "enough GPU RAM",
    "fit in GPU memory",
)


class UserError(Exception):
    """The user's input is wrong. Takes one problem or a list; each says what to do next."""

    exit_code = 2

    def __init__(self, problems: str | list[str]):
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


class CheckFailed(Exception):
    """A check of the result failed."""

    exit_code = 1


def disk_problem(error: BaseException | None) -> str | None:
    """What a disk refused, in one line; None where the error, and what it came from, is of another kind.

    safetensors, torch and tokenizers raise errors of their own kinds with the system's words in them.
    """
    if isinstance(error, FileNotFoundError) and isinstance(error.filename, str) and not Path(error.filename).parent.is_dir():
        return f"{error.filename}: its folder is gone; it was deleted, or its disk unmounted, while this ran"
    if isinstance(error, FileExistsError | NotADirectoryError) and error.filename:
        return f"{error.filename}: is a file, or lies below one, where a folder is to be made"
    if isinstance(error, IsADirectoryError) and error.filename:
        return f"{error.filename2 or error.filename}: is a folder, where a file is to be"
    while error is not None:
        if isinstance(error, OSError) and error.errno in DISK:
            return f"{error.filename}: {error.strerror}" if error.filename else f"cannot write: {error.strerror}"
        if any(word in str(error) for word in DISK_WORDS):
            return f"cannot write: {' '.join(str(error).split())[:200]}"
        error = error.__cause__ or error.__context__
    return None


def is_memory_problem(error: BaseException) -> bool:
    """Whether an error says that memory is short, the machine's or the card's."""
    told = isinstance(error, RuntimeError | ValueError) and any(words in str(error) for words in MEMORY_WORDS)
    return told or isinstance(error, MemoryError)


def _one_line(kind, error, trace, otherwise=sys.excepthook) -> None:
    """Ctrl-C while a script imports what it needs, before its main is called: one line, as later, and no traceback."""
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
    else:
        otherwise(kind, error, trace)


sys.excepthook = _one_line


def _unread() -> bool:
    """Whether nobody reads what is printed any more (`| head`); what waits to be printed is dropped then."""
    gone = []
    for stream in (sys.stdout, sys.stderr):
        poll = select.poll()
        poll.register(stream.fileno(), 0)  # of errors alone
        gone += [stream.fileno()] if poll.poll(0) else []
    for number in gone:
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)  # the flush at the end would fail once more
    return bool(gone)


def _tell_of_memory(error: Exception) -> None:
    why = " ".join(str(error).split())[:300]
    print(
        f"error: not enough memory{f' ({why})' if why else ''}\n"
        "       end other programs, or give less at a time; nothing is wrong with the input",
        file=sys.stderr,
    )
    sys.exit(UserError.exit_code)


def exit_on_error(main) -> None:
    """Call a script's main; its errors become exit codes: 2 wrong input, 1 a check failed, 130 interrupted, 141 unread."""
    for stream in (sys.stdout, sys.stderr):
        if stream.errors == "strict":  # a letter that the terminal's charset lacks is shown by its number, and ends nothing
            stream.reconfigure(errors="backslashreplace")
    try:
        main()
    except UserError as error:
        print("error: " + "\n       ".join(error.problems), file=sys.stderr)
        sys.exit(error.exit_code)
    except CheckFailed as error:
        print(f"check failed: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        if is_memory_problem(error):
            _tell_of_memory(error)
        problem = disk_problem(error)
        if isinstance(error, BrokenPipeError) and _unread():
            print("stopped: what read the output has ended; write it to a file, or run without `| head`", file=sys.stderr)
            sys.exit(141)  # as a shell says of SIGPIPE
        if problem is None:
            raise
        print(
            f"error: {problem}\n       mend that, or choose another output_dir, and start the same command again", file=sys.stderr
        )
        sys.exit(UserError.exit_code)
