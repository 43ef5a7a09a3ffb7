"""What is installed: pins, hashes, licences, and the targets of make."""

import re
import subprocess

import pytest
from conftest import ROOT

PIN = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^]]*\])?==([^\s;\\]+)")


def pins(path) -> set[tuple[str, str]]:
    """(name, version) of a requirements file; names as PyPI normalises them."""
    found = map(PIN.match, (ROOT / path).read_text(encoding="utf-8").splitlines())
    return {(re.sub(r"[-_.]+", "-", hit[1]).lower(), hit[2]) for hit in found if hit}


@pytest.mark.parametrize("path", ["requirements.txt", "requirements-nodeps.txt"])
def test_every_pin_is_locked_with_its_hash(path):
    assert pins(path) <= pins("requirements.lock"), "run: make lock"


def test_every_line_is_pinned_and_every_locked_package_has_hashes():
    for path in sorted(ROOT.glob("requirements*.txt")):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
        assert all(PIN.match(line) or line == "-r requirements.txt" for line in lines), path
    lock = re.sub(r"^#.*\n", "", (ROOT / "requirements.lock").read_text(encoding="utf-8"), flags=re.M)
    entries = re.split(r"\n(?=\S)", lock.strip())
    assert len(entries) > 100 and all("--hash=sha256:" in entry for entry in entries)


def test_every_locked_package_has_its_licence_in_the_table():
    table = (ROOT / "DEPENDENCIES.md").read_text(encoding="utf-8")
    named = {name.strip() for row in re.findall(r"^\| .* \| (.*) \|$", table, re.M) for name in row.split(",")}
    assert {name for name, _ in pins("requirements.lock")} - named == set()


def test_make_help_lists_every_target():
    said = subprocess.run(["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.M)) - {"python"}
    assert {line.split()[1] for line in said.splitlines()} == targets and len(targets) > 8


def test_every_file_of_scripts_stands_in_its_readme():
    """Half a line each, and none that is no more there."""
    tree = re.search(r"```\n(.*)```", (ROOT / "scripts/README.md").read_text(encoding="utf-8"), re.S)[1]
    named, folder = set(), ""
    for line in filter(str.strip, tree.splitlines()):
        name, _, words = line.strip().partition(" ")
        folder = name if name.endswith("/") else folder if line.startswith(" ") else ""
        assert words, f"{line!r} says nothing"
        named |= set() if name.endswith("/") else {folder + name}
    files = {str(p.relative_to(ROOT / "scripts")) for p in (ROOT / "scripts").rglob("*") if p.is_file()}
    files = {name for name in files if "__pycache__" not in name and not name.endswith(("README.md", "__init__.py"))}
    assert files - named == set(), "scripts/README.md does not name these"
    assert named - files == set(), "scripts/README.md names what is not there"
