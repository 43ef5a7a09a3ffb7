"""Personal data to typed marks (`[CPF]`), found by Presidio with recognisers for Brazil and for English notes.

A cheap screen passes over texts that cannot hold any. Presidio runs without a language model: names are found by the title
or role before them, numbers by their form and, where they have them, check digits. Nothing here replaces a review by a person.
"""

import re
import sys

TITLE = (
    r"(?:Dra?|Sra?|Srta|Prof(?:a|essora?)?|Mrs?|Ms|Miss|Enf(?:ermeir[ao])?|Dona)\.?(?:\(a\))?"
    r"|(?:[Dd]outora?|[Ss]enhora?|[Dd]octor|[Nn]urse)"
)
ROLE = r"(?:[Pp]aciente|PACIENTE|[Pp]atient|[Mm]ãe|[Aa]companhante|[Mm]édic[oa]|[Rr]esponsável)"
CALLED = r"(?:[Nn]ome(?: completo| d[oa] paciente)?|[Nn]ame|[Mm]ãe)\s*:|[Mm]y name is|[Mm]eu nome é|[Mm]e chamo|[Cc]hama-se"
NOT_NAMES = (
    r"Child|Health|Safety|Care|Portal|Education|Information|Reported|Global|Activity|Centered|Protection|Masculin[oa]|Feminin[oa]|Crític[oa]"
    r"|Idos[oa]|Adult[oa]?|Pediátric[oa]|Glasgow|Gleason|Killip|Classe|Hospital|The|What|Is|Are|Has|Was|With|And|Or|If|For|Who|How|Do|Does|You|Your"
    r"|Com|Sem|Que|Em|No|Na|De|Do|Da|Este|Esta|Um|Uma|Não|Refere|Relata|Nega|Apresenta|Queixa|Internad[oa]|Há|Quem|Qual|Como|Information"
    r"|Yes|No|Doença|Diabétic[oa]|Hipertens[oa]|Gestante|Genérico|Comercial|Social|Científico|Popular"
)
WORD = r"(?:[A-Z]['’])?[A-ZÀ-Ý][a-zà-ÿ]+(?:['’-][A-ZÀ-Ý][a-zà-ÿ]+)*"
NAME = rf"(?!(?:{NOT_NAMES})\b){WORD}(?:[ ](?:(?:d[aeo]s?|e|van|von|de la)[ ])?(?!(?:{NOT_NAMES})\b)(?:{WORD}|[A-Z]\.(?=[ ])))*"
CAPITALS = r"(?!(?:COM|SEM|EM|DE|DO|DA|NO|NA|QUE|REFERE|NEGA|MASCULIN[OA]|FEMININ[OA]|IDOS[OA]|ADULT[OA]|INTERNAD[OA])\b)[A-ZÀ-Ý](?:['’]?[A-ZÀ-Ý])+"
DATE = (
    r"(?:\d{1,2}\s?[/.-]\s?\d{1,2}\s?[/.-]\s?\d{2,4}|\d{4}-\d{2}-\d{2}|\d{1,2}(?:º|st|nd|rd|th)?\s+(?:de\s+)?[A-Za-zç]{3,9}\.?\s+(?:de\s+)?\d{4}"
    r"|[A-Z][a-z]{2,8}\.?\s+\d{1,2}(?:st|nd|rd|th)?,?\s+\d{4})"
)
NUMBER = r"(?:\s*(?:n[ºo°.]{1,2}|number|no\.|num(?:ber|ero)?\.?|#|de registro))?\s*[:#-]?\s*"
PATTERNS = {  # type: patterns; what stands in a lookbehind is the context and stays
    "CPF": [r"(?<![\w.,-])\d{3}[. ]?\d{3}[. ]?\d{3}\s?[-/. ]?\s?\d{2}(?![\w-]|[.,]\d)"],
    "CNPJ": [r"(?<![\w.,-])[A-Z0-9]{2}[. ]?[A-Z0-9]{3}[. ]?[A-Z0-9]{3}\s?[/ ]?\s?[A-Z0-9]{4}\s?[- ]?\s?\d{2}(?![\w-]|[.,]\d)"],
    "CNS": [r"(?<![\w.,-])[12789]\d{2}[ .]?\d{4}[ .]?\d{4}[ .]?\d{4}(?![\w-]|[.,]\d)"],
    "RG": [
        rf"(?<=\b(?:RG|R\.G\.|[Ii]dentidade|[Cc]arteira de identidade)\b(?:\s*\([A-Z]{{2}}\))?{NUMBER})(?:[A-Z]{{2}}[- ]?)?\d{{1,2}}\.?\d{{3}}\.?\d{{3}}(?:[- ]?[\dXx])?\b"
    ],
    "CRM": [
        r"(?<=\b(?:CRM|COREN|CRO|CRF|CRP)\s?)(?:[-/ (]*[A-Z]{2}\b\)?[-/: ]*)?(?:n[ºo°.]{1,2}\s*)?[:\s]*\d{1,3}\.?\d{3}(?:\s?[-/ (]\s?[A-Z]{2}\b\)?)?"
    ],
    "EMAIL": [
        r"[\w.+%-]+@(?:[\w-]+\.)+[A-Za-z]{2,}\b",
        r"\b[\w.+-]+\s*(?:\[at\]|\(at\))\s*[\w-]+\s*(?:\[dot\]|\(dot\)|\.)\s*[a-z]{2,6}\b",
    ],
    "URL": [
        r"https?://[^\s/@]+:[^\s/@]+@[^\s)>\]]+",
        r"(?:https?://|www\.)[^\s)>\]]*(?:/~|/users?/|/u/|/in/|/people/|/profile[s/.]|[?&](?:user|id|uid|email|patient)=)[^\s)>\],]+",
        r"(?:https?://)?(?:www\.)?(?:instagram|facebook|twitter|x|tiktok|linkedin)\.com/[^\s)>\],]+",
    ],
    "PHONE": [
        r"(?<![\w.,/-])(?:\+?55[ -]?)?\(0?\d{2}\)\s?(?:9[ .-]?)?\d{4}[ .-]?\d{4}(?!\w)",
        r"(?<![\w.,/-])\+55[ -]?\d{2}[ -]?9?[ .]?\d{4}[ .-]?\d{4}(?!\w)",
        r"(?<![\w.,/-])0?[1-9]\d[ -](?:9[ ]?)?\d{4}[-. ]\d{4}(?![\w-])",
        r"(?<![\w.,/-])0[38]00[ -]?\d{3}[ -]?\d{4}(?!\w)",
        r"(?<![\w.,/-])(?:\+?1[ .-]?)?(?:\(\d{3}\)[ .-]?|\d{3}[.-])\d{3}[.-]\d{4}(?![\w-])",
        r"(?<=\b(?:[Tt]el(?:efone|ephone)?|[Ff]one|[Cc]el(?:ular|l)?|[Ww]hats(?:[Aa]pp)?|[Pp]hone|[Cc]ontato|[Ll]igue(?: para)?|[Cc]all)\b\.?\s?[:\s]\s?)"
        r"\+?[\d(][\d() .-]{6,17}\d(?!\w)",
    ],
    "CEP": [r"(?<![\w.,/-])\d{2}\.?\d{3}-\d{3}(?![\w-]|[.,]\d)", r"(?<=\bCEP[ :.nº]{0,4})\d{2}\.?\d{3}[- ]?\d{3}\b"],
    "BIRTH_DATE": [
        rf"(?<=(?i:\b(?:nascid[oa](?: em)?|nasceu em|data de nasc(?:imento|\.)?|nascimento|nasc|d\.?n|d\.?o\.?b|date of birth|birth ?date"
        rf"|born(?: on)?)[.:]*\s*(?:o dia\s*)?)){DATE}"
    ],
    "RECORD": [
        rf"(?<=(?i:\b(?:prontu[áa]rio|matr[íi]cula|atendimento|registro hospitalar|mrn|medical record|record (?:number|no\.?)|chart (?:number|no\.?)"
        rf"|patient id){NUMBER}))(?=[\w./-]*\d{{3}})[A-Z\d][\w./-]*\d\b"
    ],
    "NAME": [
        rf"(?<=\b(?:{TITLE})\s+){NAME}",
        rf"(?<=\b{ROLE}\s*(?:,|[ ]se chama|[ ]chamad[oa]|[ ]named|[ ]d[oa] paciente:?)?[ ]+){NAME}",
        rf"(?<=\b(?:{CALLED})[ ]*){NAME}",
        # Two words or more after a colon: "Patient: Yeah" is a speaker.
        rf"(?<=\b{ROLE}\s*:[ ]*)(?!(?:{NOT_NAMES})\b){WORD}(?:[ ](?:(?:d[aeo]s?|e|van|von)[ ])?(?!(?:{NOT_NAMES})\b){WORD})+",
        rf"(?<=(?:\b(?:a|à|da|com|e|para|pela|por|[Ss]ra\.?)[ ])D[.ª][ ]?){NAME}",  # D. Maria, but no vitamin D. This
        rf"(?<=\b(?:NOME|PACIENTE|DRA?|SRA?|Nome|Paciente|Dra?|Sra?)(?:\.|:|\.:)?[ ]+){CAPITALS}(?:[ ](?:D[AEO]S?[ ]|E[ ])?{CAPITALS})+",
    ],
}
TYPES = tuple(PATTERNS)
# The cheap screen: which recognisers a text could interest at all. Each is wider than its patterns.
NUMBER_LIKE = re.compile(r"\d[\d .()/-]{6}")
CNPJ_LIKE = re.compile(r"/\s?[A-Z0-9]{4}\s?[- ]?\s?\d{2}|[A-Z0-9]{12}\d{2}")
NAME_LIKE = re.compile(
    rf"\b(?:{TITLE})\s+[A-ZÀ-Ý]|\b{ROLE}\b.{{0,14}}?[\s:][A-ZÀ-Ý]|\b(?:{CALLED}) *[A-ZÀ-Ý]|\bD[.ª] ?[A-ZÀ-Ý]|\b(?:NOME|DRA?|SRA?)\b[.:]{{0,2}} +[A-ZÀ-Ý]"
)
CONTEXTS = {  # what a number of the type has before it; the first three as they are written, the others in lower case
    "RG": re.compile(r"\bRG\b|R\.G\.|dentidade"),
    "CRM": re.compile(r"CRM|COREN|CRO|CRF|CRP"),
    "CEP": re.compile(r"CEP"),
    "BIRTH_DATE": re.compile(r"nasc|\bd\.?n\b|\bd\.?o\.?b\b|birth|\bborn\b"),
    "RECORD": re.compile(r"prontu|matr[íi]cula|atendimento|registro hosp|\bmrn\b|medical record|record n|chart n|patient id"),
}
PIECES = {"EMAIL": ("@", "(at)", "[at]"), "URL": ("://", "www.", ".com/")}


def possible(text: str) -> list[str]:
    """Types of personal data that a text could hold, by its letters alone."""
    low = text.lower()
    found = ["NAME"] if NAME_LIKE.search(text) else []
    if any(c in low for c in "0123456789"):
        if NUMBER_LIKE.search(text):
            found += ["CPF", "CNPJ", "CNS", "PHONE", "CEP"]
        elif CNPJ_LIKE.search(text):
            found.append("CNPJ")
        found += [k for k, sign in CONTEXTS.items() if k not in found and sign.search(text if k in ("RG", "CRM", "CEP") else low)]
    return found + [kind for kind, pieces in PIECES.items() if any(piece in low for piece in pieces)]


def _digits(text: str) -> list[int]:
    return [int(c) for c in text if c.isdigit()]


def valid_cpf(text: str) -> bool:
    """Whether an 11-digit number has CPF's two check digits (a run of one digit is none)."""
    d = _digits(text)
    return (
        len(d) == 11
        and len(set(d)) > 1
        and all(d[n] == sum(d[i] * (n + 1 - i) for i in range(n)) * 10 % 11 % 10 for n in (9, 10))
    )


def valid_cnpj(text: str) -> bool:
    """Whether 14 characters have CNPJ's check digits, also in the form with letters in use since 2026."""
    d = [ord(c) - 48 for c in text if c.isalnum()]
    weights = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]
    return (
        len(d) == 14
        and len(set(d)) > 1
        and all(
            d[n] == (11 - r if (r := sum(a * b for a, b in zip(d[:n], weights[13 - n :], strict=True)) % 11) > 1 else 0)
            for n in (12, 13)
        )
    )


def valid_cns(text: str) -> bool:
    """Whether a 15-digit number has the check sum of a Brazilian health card (definite or provisional)."""
    d = _digits(text)
    return len(d) == 15 and d[0] in (1, 2, 7, 8, 9) and sum(v * (15 - i) for i, v in enumerate(d)) % 11 == 0


VALID = {"CPF": valid_cpf, "CNPJ": valid_cnpj, "CNS": valid_cns}
_engine = None


def engine():
    """Presidio's analyser with the recognisers above; made once, without any model (it takes a few seconds)."""
    global _engine
    if _engine is not None:
        return _engine
    # spaCy takes torch along where it is installed: seconds and a gigabyte for what is not used here.
    hidden = {name: sys.modules.get(name) for name in ("torch", "transformers")}
    sys.modules.update({name: None for name, module in hidden.items() if module is None})
    try:
        from presidio_analyzer import AnalyzerEngine, Pattern, PatternRecognizer, RecognizerRegistry
        from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine
    finally:
        for name, module in hidden.items():
            if module is None:
                sys.modules.pop(name, None)

    class NoModel(NlpEngine):
        """No language model: the recognisers need only the text."""

        def load(self): ...

        def is_loaded(self):
            return True

        def process_text(self, text, language):
            return NlpArtifacts(entities=[], tokens=[], tokens_indices=[], lemmas=[], nlp_engine=self, language=language)

        def process_batch(self, texts, language, batch_size=1, n_process=1, **kwargs):
            return ((text, self.process_text(text, language)) for text in texts)

        def is_stopword(self, word, language):
            return False

        is_punct = is_stopword

        def get_supported_entities(self):
            return []

        def get_supported_languages(self):
            return ["pt"]

    class Checked(PatternRecognizer):
        def validate_result(self, pattern_text):
            check = VALID.get(self.supported_entities[0])
            return check(pattern_text) if check else None

    registry = RecognizerRegistry(supported_languages=["pt"])
    for entity, patterns in PATTERNS.items():
        registry.add_recognizer(
            Checked(
                supported_entity=entity,
                supported_language="pt",
                global_regex_flags=0,
                patterns=[Pattern(f"{entity}_{i}", p, 0.7) for i, p in enumerate(patterns)],
            )
        )
    _engine = AnalyzerEngine(registry=registry, nlp_engine=NoModel(), supported_languages=["pt"])
    return _engine


ORDER = {
    name: i
    for i, name in enumerate(("EMAIL", "URL", "CNS", "CNPJ", "CPF", "RG", "CRM", "RECORD", "BIRTH_DATE", "CEP", "PHONE", "NAME"))
}


def find(text: str) -> list[tuple[int, int, str]]:
    """Personal data of a text as (start, end, type), in order and not overlapping."""
    kinds = possible(text)
    if not kinds:
        return []
    hits = engine().analyze(text, language="pt", entities=kinds, score_threshold=0.5)
    taken = []
    for hit in sorted(hits, key=lambda h: (ORDER[h.entity_type], -(h.end - h.start), h.start)):
        if all(hit.end <= a or hit.start >= b for a, b, _ in taken):
            taken.append((hit.start, hit.end, hit.entity_type))
    return sorted(taken)


def mask(text: str, known: dict, types: list[str], counts=None) -> str:
    """The text with personal data replaced. `known` is one dict a row: the same value gets the same mark, a second
    value of a type gets a number (`[NAME_2]`). `counts` is a Counter of types, or None."""
    parts, at = [], 0
    for start, end, kind in find(text):
        if kind not in types:
            continue
        value = (kind, " ".join(text[start:end].split()).casefold())
        if value not in known:
            number = 1 + sum(k == kind for k, _ in known)
            known[value] = f"[{kind}]" if number == 1 else f"[{kind}_{number}]"
        if counts is not None:
            counts[kind] += 1
        parts += [text[at:start], known[value]]
        at = end
    return "".join([*parts, text[at:]])
