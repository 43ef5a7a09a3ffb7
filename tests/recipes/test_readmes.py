"""What a recipe's README says of memory and disk is what its dry run says."""

import math
import re
from pathlib import Path

import pytest
from chain import recipe as recipes
from conftest import OWN_ROWS, ROOT
from run_recipe import staged
from training import memory, recipe_memory

# Of a card that trains: its size, what is taken of it; then the machine's memory and disk.
SAYS = re.compile(
    r"^- hardware: (?:(\d+) GB GPU.*?estimate: ([\d.]+) GB|two cores).*?, (\d+) GB of memory.*?, (\d+) GB of disk", re.M | re.S
)


@pytest.mark.parametrize("name", sorted(path.parent.name for path in (ROOT / "recipes").glob("*/recipe.yaml")))
def test_readme_and_dry_run_agree(name, monkeypatch):
    """On a card of the size that the README names; what trains on a processor, in the memory that it names."""
    monkeypatch.chdir(ROOT)
    folder = Path("recipes") / name
    card, trained, ram, disk = SAYS.search((folder / "README.md").read_text(encoding="utf-8")).groups()
    place = memory.Memory(bool(card), float(card or ram) * 1e9, float(card or ram) * 1e9)
    chain = recipes.read(folder, Path("runs") / name, False, OWN_ROWS.get(name, {}))
    needs = recipe_memory.needs_of(staged(chain.stages), place, memory.Memory(False, 64e9, 64e9))
    assert not needs.not_estimated
    on_card = [need.memory for need in needs.stages if need.place.gpu]
    in_ram = [need.memory for need in needs.stages if not need.place.gpu]
    if card:
        assert float(trained) == round(max(on_card) / 1e9, 1) and max(on_card) < memory.TIGHT * place.free
        assert int(ram) == math.ceil(max(in_ram) / 1e9)
    assert max(in_ram) <= int(ram) * 1e9
    assert int(disk) == math.ceil(needs.disk / 1e9)
