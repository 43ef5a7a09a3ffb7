"""Every field that --trainer takes is read by the trainer it goes to: a field that a later TRL adds is looked at here first."""

import ast
import dataclasses
import importlib.util
from pathlib import Path

import pytest
from training.arguments import SET_HERE
from training.config_source import config_fields

METHODS = ["sft", "cpt", "dpo", "kto", "simpo", "orpo", "reward", "grpo", "rloo", "distill"]
SFT = "trl.trainer.sft_trainer"


def tree_of(module: str) -> ast.Module:
    package, *inner = module.split(".")
    path = Path(importlib.util.find_spec(package).submodule_search_locations[0], *inner).with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))


def functions_of(module: str, ending: str) -> list[ast.FunctionDef]:
    classes = [node for node in tree_of(module).body if isinstance(node, ast.ClassDef) and node.name.endswith(ending)]
    return [part for found in classes for part in found.body if isinstance(part, ast.FunctionDef)]


def names_in(node: ast.AST) -> set[str]:
    """Attributes that are read, and texts: a field may be asked for by name."""
    read = {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Load)}
    return read | {n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def calls_its_parent(function: ast.FunctionDef) -> bool:
    called = [n for n in ast.walk(function) if isinstance(n, ast.Attribute) and n.attr == function.name]
    return any(isinstance(n.value, ast.Call) and getattr(n.value.func, "id", "") == "super" for n in called)


def names_read(script) -> set[str]:
    """What the trainer of a script reads: its own functions, those of its parent that it does not replace, TRL's common parts.

    The rows of TRL's SFT are prepared by Unsloth's function, in the place of TRL's.
    """
    config = script.Args.CONFIG_CLASS.rpartition(".")[0]
    modules = [config.replace("_config", "_trainer")]
    modules += [SFT] if "gkd" in config else []
    found, replaced = set(), {"_prepare_dataset"} if SFT in modules else set()
    for module in modules:
        for function in functions_of(module, "Trainer"):
            if function.name not in replaced:
                found |= names_in(function)
                replaced |= set() if calls_its_parent(function) else {function.name}
    if SFT in modules:
        (prepare,) = (n for n in tree_of("unsloth_zoo.dataset_utils").body if getattr(n, "name", "") == "sft_prepare_dataset")
        found |= names_in(prepare)
    found |= set().union(*(names_in(function) for function in functions_of(config, "Config")))
    return found | names_in(tree_of("trl.trainer.callbacks")) | names_in(tree_of("trl.trainer.base_trainer"))


@pytest.mark.parametrize("name", METHODS)
def test_a_field_that_nothing_reads_is_refused(name):
    """shuffle_dataset passed, and did nothing in sft.py, cpt.py and distill.py. Red after an upgrade of TRL: see what the new
    field does in our trainers, and refuse it in REFUSED or SET_HERE where it does nothing."""
    script = __import__(name)
    own = {f.name for f in dataclasses.fields(script.Args)} | set(SET_HERE) | set(script.Args.REFUSED)
    theirs = set(config_fields("transformers.training_args.TrainingArguments"))
    free = set(config_fields(script.Args.CONFIG_CLASS)) - theirs - own
    assert free, "some fields of TRL's own are free"
    assert not free - names_read(script)


def test_what_distillation_s_own_loss_and_batches_replace_is_refused():
    """TRL's GKD has a loss of its own without the experts' balance, and ours are its batches."""
    functions = {f.name: names_in(f) for f in functions_of("trl.experimental.gkd.gkd_trainer", "Trainer")}
    assert "aux_loss" not in functions["compute_loss"] and "router_aux_loss_coef" not in set().union(*functions.values())
    refused = __import__("distill").Args(model="x", data="x", teacher="x", eval_data="x", trainer={"pad_to_multiple_of": 8})
    assert any("pad_to_multiple_of is not taken" in problem for problem in refused._trainer_problems())
