"""Personal data to typed marks (`[CPF]`), by forms, check digits, titles and names. Figures: tests/benchmarks/RESULTS-prepare.md.

Not built on Presidio: it knows no Brazilian document, finds names only with a language model, and its recognisers without
one found nothing in 300 real notes that these rules do not (the figures stand beside). A name without a title, a label or a
given name behind a role ("paciente Maria Souza") is not found. Nothing here replaces a review by a person.
"""

import bisect
import re
import unicodedata

import regex

from data_prep.name_table import GIVEN, NO_NAMES, SURNAMES

TITLE = (
    r"(?:[Dd]ra?|[Ss]ra?|Srta|[Pp]rof(?:a|essora?)?|Mrs?|Ms|Miss|Enf|[Ee]nfermeir[ao]|[Dd]ona)\.?[ªº]?(?:\([ao]\))?\.?|(?:DR|SR|ENF)\.|(?:DR|SR|SRT)A\.?|(?<=\b[oOaA][ ])(?:doutora?|senhora?)"
    r"|(?<!\b(?:[Yy]our|[Aa]|[Tt]he|[Mm]y|[Hh]is|[Hh]er|[Tt]heir|[Aa]ny|[Oo]ur|[Uu]m|[Oo]|[Ss]eu)[ ])(?:[Dd]outora?|[Ss]enhora?|[Dd]octor|[Nn]urse)"
)
ROLE = r"(?:[Pp]aciente|PACIENTE|[Pp]atient|PATIENT|[Mm]ãe|[Pp]ai|[Ff]ilh[ao]|[Ee]spos[ao]|[Aa]companhante|[Mm]édic[oa]|[Rr]esponsável|[Uu]suári[oa])"
LABEL = r"(?:[Nn]ome(?: completo| social| d[oa] (?:paciente|mãe|médico))?|NOME(?: D[OA] PACIENTE)?|(?:[Pp]atient |[Ff]ull |[Ff]irst |[Ll]ast )?[Nn]ame|NAME|M[ãÃ][eE]|Filiação)"
SAID = r"[Mm]y name is|[Mm]eu nome é|[Mm]e chamo|[Cc]hama-se|[Ss]e chama"
WORD = r"(?:[A-Z]['’])?\p{Lu}\p{Ll}+(?:(?:['’-]|(?<=Mc|Mac|De|Di))\p{Lu}\p{Ll}+)*"
CAPS = r"\p{Lu}(?:['’]?\p{Lu})+(?:-\p{Lu}+)*"
LINK = r"(?:d[aeo]s?|e|van|von|del|de la|D[AEO]S?|E)"
RUN = (
    rf"(?:{WORD}|{CAPS})(?:[ ](?:{LINK}[ ])?(?:{WORD}|{CAPS}|\p{{Lu}}\.(?=[ ])))*"  # words that could be a name, to be looked at
)
DATE = (
    r"(?:\d{1,2}\s?[/.-]\s?\d{1,2}\s?[/.-]\s?\d{2,4}|\d{4}-\d{2}-\d{2}|\d{1,2}(?:º|st|nd|rd|th)?\s+(?:de\s+)?[A-Za-zç]{3,9}\.?\s+(?:de\s+)?\d{4}"
    r"|[A-Z][a-z]{2,8}\.?\s+\d{1,2}(?:st|nd|rd|th)?,?\s+\d{4})"
)
# Looked for backwards from every place: a run of spaces or dots without a bound would cost its length squared, or cubed.
NUMBER = r"(?:\s{0,8}(?:n[ºo°.]{1,2}|number|no\.|num(?:ber|ero)?\.?|#|de registro|de n[úu]mero))?\s{0,8}[:#-]?\s{0,8}"
UF = r"(?:AC|AL|AM|AP|BA|CE|DF|ES|GO|MA|MG|MS|MT|PA|PB|PE|PI|PR|RJ|RN|RO|RR|RS|SC|SE|SP|TO)"
STREET = (
    r"Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Drive|Lane|Ln|Court|Ct|Place|Pl|Way|Circle|Terrace|Highway|Hwy|Parkway|Pkwy"
)
CALLING = r"(?:[Tt]el(?:efone|ephone)?s?|[Ff]ones?|[Cc]el(?:ular|l)?|[Ww]hats(?:[Aa]pp)?|[Pp]hone|[Ff]ax|[Mm]obile|[Cc]ontat[oe]s?|[Cc]ontact|[Ll]igue(?: para)?|[Cc]all(?:ed)?)"
# Type: patterns. Where two overlap the type that stands first here is taken; what stands in a lookbehind is context and stays.
PATTERNS = {
    "EMAIL": [
        r"(?<![\w.+%-])[\w.+%-]+@(?:[\w-]+\.)+[A-Za-z]{2,}\b",
        r"(?<![\w.+-])[\w.+-]+\s*(?:\[at\]|\(at\))\s*[\w-]+\s*(?:\[dot\]|\(dot\)|\.)\s*[a-z]{2,6}\b",
    ],
    "URL": [
        r"https?://[^\s/@]+:[^\s/@]+@[^\s)>\]]+",
        r"(?:https?://|www\.)[^\s)>\]]*(?:/~|/users?/|/u/|/in/|/people/|/profile[s/.]|[?&](?:user|id|uid|email|patient)=)[^\s)>\],]+",
        r"(?:https?://)?(?:www\.)?(?:instagram|facebook|twitter|x|tiktok|linkedin)\.com/[^\s)>\],]+",
    ],
    "IP": [
        r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w.]*\d)",
        r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}(?![\w:])",
    ],
    "CNS": [
        r"(?<![\w.,-])[12789]\d{2}[ .]?\d{4}[ .]?\d{4}[ .]?\d{4}(?![\w-]|[.,]\d)",
        r"(?<=\b(?:CNS|SUS|cns)[ .:_=-]{0,2})[12789]\d{2} ?\d{4} ?\d{4} ?\d{4}(?!\d)",
    ],
    "CNPJ": [
        r"(?<![\w.,-])[A-Z0-9]{2}[. ]?[A-Z0-9]{3}[. ]?[A-Z0-9]{3}\s?[/ ]?\s?[A-Z0-9]{4}\s?[- ]?\s?\d{2}(?![\w-]|[.,]\d)",
        r"(?<!\d)\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}(?!\d)",
    ],
    "CPF": [
        r"(?<![\w.,-])\d{3}[. ]?\d{3}[. ]?\d{3}\s?[-/. ]?\s?\d{2}(?!\w|-\w|[.,]\d)",
        r"(?<!\d)\d{3}\.\d{3}\.\d{3}-\d{2}(?!\d)",
        r"(?<=\bCPF[ .:_=-]{0,2}(?:n[ºo°.]{1,2}\s?)?)\d{9}-?\d{2}(?!\d)",
    ],
    "SSN": [
        r"(?<![\w.,/-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])",
        rf"(?<=\b(?:SSN|[Ss]ocial [Ss]ecurity){NUMBER}(?:is )?)\d{{3}}[ -]?\d{{2}}[ -]?\d{{4}}\b",
    ],
    "CARD": [
        r"(?<![\w.,-])[3-6]\d{3}([ -]?)\d{4}\1\d{4}\1\d{4}(?![\w-]|[.,]\d)",
        r"(?<=\b(?:[Cc]ard|[Cc]artão)\b[^\d\n]{0,30})(?<!\d)\d{12,19}(?!\d)",
    ],
    "RG": [
        rf"(?<=\b(?:RG|R\.G\.|[Ii]dentidade|[Cc]arteira de identidade)\b(?:\s{{0,8}}\([A-Z]{{2}}\))?{NUMBER})(?:[A-Z]{{2}}[- ]?)?\d{{1,2}}\.?\d{{3}}\.?\d{{3}}(?:[- ]?[\dXx])?\b"
    ],
    "CRM": [
        rf"(?<=\b(?:CRM|COREN|CRO|CREMESP|CREFITO)\s?)(?:[-/ (]*{UF}\b\)?[-/: ]*)?(?:n[ºo°.]{{1,2}}\s*)?[:\s]*(?:\d{{1,3}}\.\d{{3}}|\d{{3,7}})(?![.,]?\d)(?:\s?[-/ (]\s?{UF}\b\)?)?",
        rf"(?<=\bCR[PFN])[-/ (]*{UF}\b\)?[-/: ]*(?:n[ºo°.]{{1,2}}\s*)?\d{{3,6}}\b|(?<=\bCRP[ :-]{{0,2}})\d{{2}}/\d{{3,6}}\b",
        rf"(?<=\bCR[PFN]\s{{0,8}}(?:n[ºo°.]{{1,2}})?\s{{0,8}}:?\s{{0,8}})\d{{3,6}}\s?[-/]\s?{UF}\b",
        r"(?<=\bCRF\s?(?:n[ºo°.]{1,2}\s{0,8}|:\s{0,8})?)(?:\d{2}\.\d{3}|\d{4,6})(?![.,]?\d)",
    ],
    "RECORD": [
        rf"(?<=(?i:\b(?:pront(?:\.|\b|u[áa]rios?(?: eletr[ôo]nico| m[ée]dico| de)?)|matr[íi]cula|atendimento|registro hospitalar|mrn|medical record"
        rf"|(?:record|chart|account|hospital) (?:number|no\.?)|patient id)[ ]?[=(]?{NUMBER}))(?=[\w./-]*\d{{3}})[A-Z\d][\w./-]{{2,}}\d\b(?![.,]\d)"
    ],
    "BIRTH_DATE": [
        rf"(?<=(?i:\b(?:nascid[oa](?: em)?|nasceu em|data de nasc(?:imento|\.)?|nascimento|nasc|d\.?n|d\.?o\.?b|date of birth|birth ?date"
        rf"|born(?: on)?)[.:]{{0,40}}\s{{0,8}}(?:o dia\s{{0,8}})?)){DATE}"
    ],
    "CEP": [r"(?<![\w.,/-])\d{2}\.?\d{3}-\d{3}(?![\w-]|[.,]\d)", r"(?<=\bCEP[ :.nº]{0,4})\d{2}\.?\d{3}[- ]?\d{3}\b"],
    "PHONE": [
        r"(?<!\w)(?:\+?55[ -]?)?\(0?\d{2}\)\s?(?:9[ .-]?)?\d{4}[ .-]?\d{4}(?!\w)",
        r"(?<!\w)\+55[ -]?\d{2}[ -]?9?[ .]?\d{4}[ .-]?\d{4}(?!\w)",
        r"(?<![\w.,/-])0?[1-9]\d[ -](?:9[ ]?)?\d{4}[-. ]\d{4}(?![\w-])",
        r"(?<![\w.,/-])0[38]00[ -]?\d{3}[ -]?\d{4}(?!\w)",
        r"(?<![\w./-]|\d,)(?:(?:\+?1|001)[ .-]?)?(?:\(\d{3}\)[ .-]?|\d{3}[.-])\d{3}[.-]\d{4}(?:[ ]?(?:x|ext\.?)[ ]?\d{1,6})?(?!\w|-\d)",
        r"(?<![\w./-]|\d,)(?:\+?1[ .-]?)?\([2-9]\d{2}\)[ ]?\d{3}[ .-]\d{4}(?!\w|-\d)",
        r"(?<![\w.,/+])\+[1-9]\d{0,2}(?:[ .-]?\(?\d{1,4}\)?){2,5}\d(?![\w-])",
        rf"(?<=\b{CALLING}\b[^.\d\n]{{0,20}}\s)[2-9]\d{{2}}[ ][2-9]\d{{2}}[ ]\d{{4}}(?![\w-])",
        rf"(?<=\b{CALLING}\b\.?\s?[:\s]\s?)\+?[\d(][\d() .-]{{6,17}}\d(?!\w)",
        rf"(?<=\b(?:{CALLING}|messages to|answering at)\b[^.\d\n]{{0,20}}[ ])\(?\d{{2,4}}\)?(?:[ .-]\d{{2,4}}){{2,4}}(?![\w/%-]|[.,]\d)",
    ],
    "ADDRESS": [
        rf"(?<![\w.,/-])\d{{1,5}}[A-Z]?[ ](?:[NSEW]\.?[ ])?(?:{WORD}[ ]|\d+(?:st|nd|rd|th)[ ]){{1,3}}(?:{STREET})\b\.?(?:,?[ ](?:[Aa]pt|[Ss]uite|[Ss]te|[Uu]nit|#)\.?[ ]?\w+)?",
        r"\b(?:[Rr]ua|R\.|[Aa]v(?:enida)?\.?|[Tt]ravessa|[Aa]lameda|[Rr]odovia|[Pp]raça|[Ee]strada|RUA|AVENIDA)[ ](?:\p{Lu}[\p{L}.]*|\d+|d[aeo]s?|e|D[AEO]S?)(?:[ ](?:\p{Lu}[\p{L}.]*|\d+|d[aeo]s?|e|D[AEO]S?)){0,6},?[ ]?(?:n[º°.o]{1,2}[ ]?)?\d{1,5}\b(?:[ ]?[,-][ ]?(?:apto?|ap|bloco|casa)\.?[ ]?\w+)*",
    ],
    "NAME": [],  # found by `_names`
}
TYPES = tuple(PATTERNS)
COMPILED = {kind: [regex.compile(pattern) for pattern in patterns] for kind, patterns in PATTERNS.items()}
# What the text must hold, where a name could stand, and what must be known of it: "any" word that is no NO_NAMES, a "given" name.
NAMES = [
    (
        "Dr|Sr|Mr|Ms|Miss|Prof|Enf|Dona|outor|enhor|octor|urse|nferm|dona|prof|dr.|dr(|dra|drª|sr.|sr(|sra|srª|DR.|DRA|SR.|SRA|SRTA|ENF.|dr |sr ".split(
            "|"
        ),
        regex.compile(rf"\b(?:(?:{TITLE})(?:[ ]+|(?<=\.)))+({RUN})"),
        "any",
    ),
    ("name is|nome é|chamo|chama".split("|"), regex.compile(rf"\b(?:{SAID})[ ]+({RUN})"), "any"),
    (
        ("ame:", "ame :", "AME:", "AME :", "ome", "OME", "ãe", "ÃE", "Fili"),
        regex.compile(
            rf"(?<!(?i:brand|trade|generic|drug|product|chemical|proprietary|medic\w+|common|test|file|gene|species|comercial|user)[ ]){LABEL}\s*:[ ]*({RUN})"
        ),
        "two",
    ),
    (
        "acient ACIENT atient ATIENT ãe Pai pai ilho ilha spos companhant édic esponsáv suári".split(),
        regex.compile(rf"\b{ROLE}(?:\s*[,:]|[ ]chamad[oa]|[ ]d[oa] paciente:?)?[ ]+({RUN})"),
        "given",
    ),
    (("DR", "SR", "ENF"), regex.compile(rf"\b(?:DR|DRA|SR|SRA|SRTA|ENF)[.ªa]?:?[ ]+({RUN})"), "given"),
    (("eu ",), regex.compile(rf"\b[Ss]eu[ ]+({RUN})"), "given"),
    (("D.", "Dª"), regex.compile(rf"(?<!M\.[ ])\bD[.ª][ ]?({RUN})"), "given"),
    (("named ",), regex.compile(rf"\bnamed[ ]({RUN})"), "given"),
]
# A given name and a surname, both known, are a name without anything before them; institutions and eponyms are not.
BARE = re.compile(
    r"(?<![\w'’-])(?:[A-ZÀ-Ý][a-zà-ÿ]+ (?:(?:d[aeo]s?|e) )?[A-ZÀ-Ý][a-zà-ÿ]+|[A-ZÀ-Ý]{3,} (?:D[AEO]S? )?[A-ZÀ-Ý]{2,})"
    r"(?: (?:(?:d[aeo]s?|e|D[AEO]S?) )?(?:[A-ZÀ-Ý][a-zà-ÿ]+|[A-ZÀ-Ý]{2,}))*"
)
INSTITUTION = re.compile(
    r"(?:[Ii]nstituto|[Ii]nstitute|[Ff]unda[çc][ãa]o|[Ff]oundation|[Hh]ospita[li]s?|[Ee]scola|[Cc]entro|[Cc]enter|[Uu]niversi\w+|[Mm]aternidade|UPA|UBS|[Rr]ua|[Aa]v\w*\.?|"
    r"[Cc]idade|[Cc]ol[ée]gio|[Pp]ra[çc]a|[Ss]ão|[Ss]anta|[Ss]anto|[Ss]aint|St\.?|d[eo]|of) $"
)
EPONYMS = frozenset(
    {"oswaldo cruz", "carlos chagas", "adolfo lutz", "vital brazil", "thomas addison", "james parkinson", "paula souza"}
)
# The cheap screen: which forms a text could interest at all. Each is wider than its patterns.
DIGIT = re.compile("[0-9]")
NUMBER_LIKE = re.compile(r"\d[\d .()/-]{6}")
CNPJ_LIKE = re.compile(r"/\s?[A-Z0-9]{4}\s?[- ]?\s?\d{2}|[A-Z0-9]{12}\d{2}")
# What a text must hold for a type to be looked for; those in lower case are told in lower case.
PIECES = {
    "RG": ("RG", "R.G.", "dentidade"),
    "CRM": ("CRM", "COREN", "CRO", "CRF", "CRP", "CRN", "CRE"),
    "CEP": ("CEP",),
    "SSN": ("SSN", "ocial Security", "ocial security"),
}
LOW_PIECES = {
    "BIRTH_DATE": ("nasc", "d.n", "dn", "dob", "d.o.b", "birth", "born"),
    "RECORD": (
        "pront",
        "matr",
        "atendimento",
        "registro hosp",
        "mrn",
        "medical rec",
        "record n",
        "chart n",
        "patient id",
        "account n",
        "hospital n",
    ),
    "EMAIL": ("@", "(at)", "[at]"),
    "URL": ("://", "www.", ".com/"),
}
CONTEXTS = {
    "ADDRESS": re.compile(
        rf"\b(?:{STREET})\b|\b(?:[Rr]ua|RUA|R\.|[Aa]v|AVENIDA|[Tt]rav|[Aa]lam|[Rr]odov|[Pp]ra[çc]a|[Ee]strada)"
    ),
    "IP": re.compile(r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d|[0-9a-fA-F]:[0-9a-fA-F]{1,4}:[0-9a-fA-F]"),
}


def possible(text: str) -> list[str]:
    """Types of personal data that a text could hold, by its letters alone."""
    low = text.lower()
    found = ["NAME"] if BARE.search(text) or any(piece in text for pieces, _, _ in NAMES for piece in pieces) else []
    if DIGIT.search(text):
        if NUMBER_LIKE.search(text):
            found += ["CPF", "CNPJ", "CNS", "CARD", "SSN", "PHONE", "CEP"]
        elif CNPJ_LIKE.search(text):
            found.append("CNPJ")
        found += [k for k, sign in CONTEXTS.items() if sign.search(text)]
        found += [k for k, pieces in PIECES.items() if k not in found and any(piece in text for piece in pieces)]
    return found + [kind for kind, pieces in LOW_PIECES.items() if any(piece in low for piece in pieces)]


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


def valid_card(text: str) -> bool:
    """Whether a number has a payment card's check digit (Luhn)."""
    d = _digits(text)[::-1]
    return len(set(d)) > 1 and sum(v if i % 2 == 0 else sum(divmod(2 * v, 10)) for i, v in enumerate(d)) % 10 == 0


def likely_ip(text: str) -> bool:
    """Whether four numbers are an address, not a section ("2.1.3.1")."""
    return ":" in text or sum(int(part) > 9 for part in text.split(".")) >= 2


def likely_phone(text: str) -> bool:
    return len(_digits(text)) >= 7


VALID = {"CPF": valid_cpf, "CNPJ": valid_cnpj, "CNS": valid_cns, "CARD": valid_card, "IP": likely_ip, "PHONE": likely_phone}


def _plain(word: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", word.casefold()) if not unicodedata.combining(c)).strip(".")


LINKS = frozenset({"da", "das", "de", "do", "dos", "e", "van", "von", "del", "la"})
HOUSES = frozenset(
    "instituto institute fundacao foundation hospital escola centro center universidade university upa ubs sao santa santo saint college school clinic clinica syndrome sindrome disease health medical memorial award prize".split()
)


def _name_length(run: str, needs: str, after: str) -> int:
    """How many characters of a run of capitalised words are a name; 0 where none is. `needs` as in NAMES, `after` what follows."""
    found = list(re.finditer(r"\S+", run))
    words = [word.group() for word in found]
    kinds = [_plain(w) for w in words]
    if kinds[0] in NO_NAMES or kinds[0] in LINKS:
        return 0
    capitals = all(w.isupper() for w in words if len(w) > 2)
    known = [k in GIVEN or k in SURNAMES or k[:2] in ("o'", "d'") for k in kinds]  # O'Neil, D'Ávila
    if (needs == "given" or capitals) and kinds[0] not in GIVEN:
        return 0
    taken, labelled = 1, needs == "two" and len(words) <= 6 and not re.match(r" ?\w", after)
    for n in range(1, len(words)):
        if kinds[n] in LINKS and (words[n].islower() or capitals):
            continue
        # In capitals the words after a name are not told by their letters: only known names go on, or a whole line after a label.
        if kinds[n] in NO_NAMES or (capitals and not known[n] and not labelled):
            break
        taken = n + 1
    if needs == "two" and taken < 2 and kinds[0] not in GIVEN:
        return 0
    return found[taken - 1].end()


def _names(text: str):
    """Names by the title, label or role before them."""
    for pieces, pattern, needs in NAMES:
        if any(piece in text for piece in pieces):
            for hit in pattern.finditer(text):
                if length := _name_length(hit[1], needs, text[hit.end() : hit.end() + 2]):
                    yield hit.start(1), hit.start(1) + length, "NAME"


def _bare_names(text: str):
    """Given name and surname, both known, wherever they stand."""
    for hit in BARE.finditer(text):
        words = list(re.finditer(r"\S+", hit.group()))
        ends, kinds = [word.end() for word in words], [_plain(word.group()) for word in words]
        first = next((n for n, kind in enumerate(kinds[:-1]) if kind in GIVEN), None)
        if first is None or (INSTITUTION.search(text[max(0, hit.start() - 14) : hit.start()]) and first == 0):
            continue
        last = first
        while last + 1 < len(kinds) and (kinds[last + 1] in GIVEN or kinds[last + 1] in SURNAMES or kinds[last + 1] in LINKS):
            last += 1
        while kinds[last] in LINKS:
            last -= 1
        if last > first and kinds[last] in SURNAMES and " ".join(kinds[first : last + 1]) not in EPONYMS:
            beyond = text[hit.end() : hit.end() + 14].split(",")[0].strip().split(" ")[0]
            after = kinds[last + 1] if last + 1 < len(kinds) else _plain(beyond)
            if after in HOUSES or (first and kinds[first - 1] in HOUSES):
                continue
            start = hit.start() + (ends[first - 1] + 1 if first else 0)
            yield start, hit.start() + ends[last], "NAME"


def find(text: str) -> list[tuple[int, int, str]]:
    """Personal data of a text as (start, end, type), in order and not overlapping."""
    hits = []
    for kind in possible(text):
        check = VALID.get(kind, bool)
        hits += [(*hit.span(), kind) for p in COMPILED[kind] for hit in p.finditer(text) if check(hit.group())]
        if kind == "NAME":
            hits += _bare_names(text)
            hits += _names(text)
    taken: list[tuple[int, int, str]] = []
    for start, end, kind in sorted(hits, key=lambda h: (TYPES.index(h[2]), h[0] - h[1], h[0])):
        at = bisect.bisect(taken, (start, end))  # none in `taken` overlap, so its neighbours there tell
        if (at == 0 or taken[at - 1][1] <= start) and (at == len(taken) or end <= taken[at][0]):
            taken.insert(at, (start, end, kind))
    return taken


def mask(text: str, known: dict, types, counts=None) -> str:
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
