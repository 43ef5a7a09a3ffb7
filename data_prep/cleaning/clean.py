"""Cleaning rules, each with a name, countable and switchable (`--clean '[mojibake, nfc]'`)."""

import re
import unicodedata

from data_prep.values.html_text import BULLETS, html_to_text

BOILERPLATE = re.compile(
    r"^(?:click here[^\n]*|read more\.?|last updated[^\n]{0,40}|share this page|copyright \d{4}[^\n]*|all rights reserved\.?"
    r"|leia mais\.?|clique aqui[^\n]*|todos os direitos reservados\.?"
    r"|(?:learn more|saiba mais|ler mais|leer m[áa]s|en savoir plus|lire la suite|mehr (?:erfahren|lesen)|weiterlesen"
    r"|leggi (?:tutto|di pi[ùu])|scopri di pi[ùu]|czytaj (?:więcej|dalej))[ \t.…»›>→]*"
    r"|(?:article )?continues? (?:after|below) (?:the )?advertisement|advertisement|publicidade|publicidad|publicité|anzeige"
    r"|←[ \t]*(?:voltar|volver|retour|zur[üu]ck|back|назад|indietro|terug|powr[óo]t)\b[^\n.]{0,30}"
    r"|(?:hi|hello),? (?:welcome to|thanks? (?:for|you for)[^.\n]{0,40}) (?:chat ?doctor|healthcaremagic|hcm|icliniq)[^.\n]{0,40}\.)\s*$",
    re.I | re.M,
)

SPACES = re.compile("[\u00a0\u2007\u202f\u3000\t]")
HARD = re.compile(  # one that keeps letters of Arabic or of India apart is a sign of their writing
    "[\u200b\u2060\ufeff\u00ad\x00-\x08\x0b\x0c\x0e-\x1f]|(?<![\u0620-\u08ff\u0900-\u0dff])\u200c|\u200c(?![\u0620-\u08ff\u0900-\u0dff])"
)
ITEM = re.compile(r"^( *)((?:[-•*+]|\d{1,2}[.)]|[a-z][.)]) +)(?=\S)", re.M)


def mojibake(text: str) -> str:
    """UTF-8 once read as something else, by ftfy (only its encoding repair: quotes and entities stay as they are)."""
    if text.isascii():
        return text
    import ftfy

    return ftfy.fix_encoding(text)


def nfc(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def whitespace(text: str) -> str:
    """Line ends, non-breaking and zero-width characters, runs of spaces; bullets in runs of spaces become lines.

    Lines that are list items keep how deep they stand, two spaces a level; other lines begin at the margin.
    """
    text = HARD.sub("", SPACES.sub(" ", text.translate(BULLETS).replace("\r\n", "\n").replace("\r", "\n")))
    if "- " in text or "• " in text or "* " in text:
        text = re.sub(r"(?<=[^\s]) {2,}[-•*] +(?=\S)", "\n- ", text)
        text = re.sub(r"(?:^|(?<=\n))( *)[-•*] +(?=\S)(?![-•* ]*(?:\n|$))", r"\1- ", text)  # a rule is no item
    depths = sorted({len(item[1]) for item in ITEM.finditer(text)}) if "\n " in text else []
    if len(depths) > 1:
        text = ITEM.sub(lambda item: "\0" * depths.index(len(item[1])) + item[2], text)
    if "  " in text:
        text = re.sub(r" {2,}", " ", text)
    if "\n" in text:
        text = re.sub(r"\n{3,}", "\n\n", re.sub(r" *\n *", "\n", text))
    return text.strip().replace("\0", "  ")


def boilerplate(text: str) -> str:
    """Lines of websites that say nothing; an answer that is nothing else stays, to be rejected as what it is."""
    return BOILERPLATE.sub("", text).strip() or text


RULES = {"mojibake": mojibake, "nfc": nfc, "html": html_to_text, "whitespace": whitespace, "boilerplate": boilerplate}
CHECKS = ("replacement_character", "short_answer")  # these reject a row rather than change it
NAMES = (*RULES, *CHECKS)


def clean_text(text: str, rules: list[str], counts=None) -> str:
    """The text after the named rules, in their fixed order; `counts` (a set) gets the names of those that changed it."""
    for name, rule in RULES.items():
        if name in rules:
            after = rule(text)
            if after != text:
                if counts is not None:
                    counts.add(name)
                text = after
    return text


def each_text(value, change):
    """Rows as `shapes` makes them hold strings, lists and dicts of strings: `change` applied to every one."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [each_text(v, change) for v in value]
    if isinstance(value, dict):
        return {k: each_text(v, change) for k, v in value.items()}
    return value
