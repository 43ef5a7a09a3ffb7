"""The argument parser that both rooms share: words, lists, booleans, YAML keys, and what it says when something is wrong."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from conftest import ROOT

from data_prep.common.arguments import parse_args
from data_prep.common.errors import CheckFailed, UserError, exit_on_error


@dataclass
class Args:
    POSITIONAL: ClassVar[str] = "inputs"
    inputs: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    share: float = 0.5
    dry_run: bool = False
    kind: Literal["a", "b"] = "a"
    names: dict[str, str] = field(default_factory=dict)

    def problems(self):
        return [f"{n}: {v} is negative" for n, v in (("share", self.share), ("sizes", min(self.sizes, default=0))) if v < 0]


@pytest.mark.parametrize(
    "argv, expected",
    [
        ("--share 0.1 x.csv y.csv", {"inputs": ["x.csv", "y.csv"], "share": 0.1}),
        ("--dry_run --kind b x.csv", {"inputs": ["x.csv"], "kind": "b", "dry_run": True}),
        ("--dry_run true x.csv --kind=b y.csv", {"inputs": ["x.csv", "y.csv"], "kind": "b", "dry_run": True}),
        ("--sizes [1,2] x.csv", {"inputs": ["x.csv"], "sizes": [1, 2]}),
        ("x.csv y.csv --share 0.1", {"inputs": ["x.csv", "y.csv"], "share": 0.1}),
        ("x.csv --sizes 1 2 --dry_run --kind b", {"inputs": ["x.csv"], "sizes": [1, 2], "dry_run": True, "kind": "b"}),
        ("--inputs [x,y] --dry_run false", {"inputs": ["x", "y"]}),
        ("--inputs x --inputs y", {"inputs": ["y"]}),
        ("--names {a: b}", {"names": {"a": "b"}}),
    ],
)
def test_words_lists_and_booleans(argv, expected):
    words = argv.split() if "{" not in argv else ["--names", "{a: b}"]
    assert parse_args(Args, "", words) == Args(**expected)


def test_a_file_may_stand_first_and_flags_win(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("inputs: [z.csv]\nshare: 0.1\nsizes: [3]\n")
    assert parse_args(Args, "", [str(config), "--share", "0.2"]) == Args(inputs=["z.csv"], share=0.2, sizes=[3])
    assert parse_args(Args, "", [str(config), "x.csv"]).inputs == ["x.csv"]
    assert parse_args(Args, "", [f"--config={config}"]).share == 0.1


@pytest.mark.parametrize(
    "argv, words",
    [
        (["--shares", "1"], ["--shares", "did you mean --share?"]),
        (["--kind", "c"], ["kind", "Got value: c"]),
        (["--inputs", "--dry_run"], ["--inputs", "expected"]),
        (["--share", "-1", "--sizes", "-3", "2"], ["share: -1", "sizes: -3"]),
    ],
)
def test_a_wrong_word_is_explained(argv, words):
    with pytest.raises(UserError) as error:
        parse_args(Args, "", argv)
    assert all(word in str(error.value) for word in words), error.value


@pytest.mark.parametrize(
    "text, words",
    [
        (
            "shar: 1\nshare: 1\nshare: 2\n",
            ["c.yaml:1: unknown key 'shar', did you mean 'share'?", "c.yaml:3: key 'share' stands"],
        ),
        ("kind: a\nshare: much\n", ["c.yaml:2", "share"]),
        ("", ["c.yaml: is empty"]),
        ("- a\n", ["c.yaml: must hold"]),
        ("a: [\n", ["c.yaml: not valid YAML"]),
    ],
)
def test_a_wrong_yaml_file_is_named_with_its_line(tmp_path: Path, text, words):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(UserError) as error:
        parse_args(Args, "", ["--config", str(tmp_path / "c.yaml")])
    assert all(word in str(error.value) for word in words), error.value


@pytest.mark.parametrize("error, code", [(UserError(["a", "b"]), 2), (CheckFailed("c"), 1), (KeyboardInterrupt(), 130)])
def test_errors_become_exit_codes(error, code, capsys):
    def main():
        raise error

    with pytest.raises(SystemExit) as left:
        exit_on_error(main)
    assert left.value.code == code
    if code == 2:
        assert capsys.readouterr().err == "error: a\n       b\n"


def test_no_word_at_all_gives_the_defaults():
    @dataclass
    class AllHaveDefaults:
        share: float = 0.5

    assert parse_args(AllHaveDefaults, "", []).share == 0.5


def test_the_beginning_of_a_flag_is_no_flag():
    """argparse takes `--sha` for `--share`; a later flag of the same beginning would change what a command means."""
    with pytest.raises(UserError, match=r"did you mean --share\?"):
        parse_args(Args, "doc", ["x.csv", "--shar", "0.1"])


def test_the_flags_of_prepare_are_read_without_its_readers():
    """Their patterns took a tenth of a second to compile, for --help and for each error in a flag as well."""
    told = "import sys, data_prep.pipeline.options\nprint(*(m for m in sys.modules if m.startswith('data_prep.')))"
    loaded = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert "data_prep.shapes.known" in loaded
    assert not [name for name in loaded if name.split(".")[1] in ("documents", "tables")]
