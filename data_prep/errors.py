"""The two errors that reach a user, and the exit code of each. Both rooms raise these."""

import sys


class UserError(Exception):
    """The user's input is wrong. Takes one problem or a list; each says what to do next."""

    exit_code = 2

    def __init__(self, problems: str | list[str]):
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


class CheckFailed(Exception):
    """A check of the result failed."""

    exit_code = 1


def exit_on_error(main) -> None:
    """Call a script's main; its errors become exit codes: 2 wrong input, 1 a check failed, 130 interrupted."""
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
