"""Which file is an exam and which its key: by their names, or as the user says."""

import re
from pathlib import Path

KEY_NAME = (
    r"gabaritos?|respostas?|answers?|keys?|solutions?|solu[cç][oõ]es|l(?:ö|oe|o)sungen|clave|respuestas?|corrig[eé]s?|chave"
    r"|r[eé]ponses?|risposte|klucz|odpowiedzi|ответы|ключ|jawaban|kunci|đáp án|dap an|cevap(?:lar)?|答案|解答|正解|正答|정답|해답"
)
EXAM_NAME = (
    r"provas?|cadernos?|exam(?:e|en)?s?|quest(?:oes|ões|ions)|testes?|simulados?|quiz|perguntas|preguntas|domande|fragen|sujets?|pytania|arkusz"
    r"|вопросы|soal|sorular|sınav|đề thi|de thi|試題|试题|試卷|试卷|題目|题目|考題|考题|問題|문제"
)
CHINESE = r"([\u4e00-\u9fff\uac00-\ud7af]{2})(?=$|\W)"  # such a word stands behind others without a space
WRITTEN = (".txt", ".md", ".docx", ".pdf", ".html", ".htm", ".rtf")  # exams
KEYS = (*WRITTEN, ".csv", ".tsv")


def keys_by_name(paths: list[Path], told: dict[Path, Path]) -> dict[Path, Path]:
    """Exam -> its key: as told, or where two files of a folder differ by such words alone (prova_2023, gabarito_2023)."""
    names: dict[tuple[Path, str], tuple[list[Path], list[Path]]] = {}
    for path in paths:
        words = re.sub(CHINESE, r" \1", re.sub(r"[\W_]+", " ", path.name.removesuffix(path.suffix).casefold()))
        is_key = bool(re.search(rf"\b(?:{KEY_NAME})\b", words))
        bare = re.sub(rf"\b(?:{KEY_NAME}|{EXAM_NAME}|oficial|definitivo|de|do|da|official|final)\b|(?<=\d)年度?", " ", words)
        if path.suffix.lower() in (KEYS if is_key else WRITTEN):
            names.setdefault((path.parent, " ".join(bare.split())), ([], []))[is_key].append(path)
    found = {exams[0]: keys[0] for exams, keys in names.values() if len(exams) == len(keys) == 1}
    taken = set(told.values())
    return {exam: key for exam, key in found.items() if key not in taken} | told
