"""The table of planted faults for tests/benchmarks/RESULTS-export.md: what is planted, which check catches it, how far off.

python tests/export/planted_table.py FOLDER          FOLDER keeps the sound export, and is used again
"""

import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / part) for part in ("", "scripts", "tests", "tests/export")]

import test_planted_faults as faults  # noqa: E402
from export.proof.gates import Findings  # noqa: E402
from export.proof.metadata import check_metadata  # noqa: E402
from export.proof.tensors import check_tensors  # noqa: E402
from llamacpp.files import read_header  # noqa: E402
from planted_gguf import Planted  # noqa: E402


def row(fault: str, where: str, findings: Findings, harmless: bool = False) -> bool:
    """One line; whether the fault was caught, or is harmless."""
    caught = ", ".join(findings.failed) or ("harmless" if harmless else "**PASSED**")
    say = next(iter(findings.failed.values()), f"mean KL {findings.checks.get('kl', 0):.2g}")
    print(f"| {fault} | {where} | {caught} | {say[:110].replace('|', chr(92) + '|')} |", flush=True)
    return bool(findings.failed) or harmless


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True, parents=True)
    sound, good = faults.Sound(folder, "models/smollm2-135m-instruct"), []
    print("| planted | in | caught by | what it says |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "x-bf16.gguf"
        for fault, plant in faults.HEADER.items():
            planted, findings = Planted.read(sound.bf16), Findings()
            plant(planted, sound)
            planted.write(path)
            check_metadata(read_header(path), sound.reference, findings)
            good.append(row(fault, "header", findings))
        for fault, plant in faults.WEIGHTS.items():
            planted = Planted.read(sound.bf16)
            plant(planted, sound)
            planted.write(path)
            good.append(row(fault, "bf16 weights", faults.check_weights(path, sound), fault in faults.HARMLESS))
        for fault in faults.FROM_16_BITS:
            for quantization in ("q8_0", "q4_k_m"):
                made, findings = faults.quantised(fault, quantization, sound, Path(scratch)), Findings()
                check_tensors(str(made), str(sound.bf16), quantization, True, findings)
                good.append(row(fault, quantization, findings))
    print(f"\n{len(good)} faults, {good.count(True)} caught or harmless")


if __name__ == "__main__":
    main()
