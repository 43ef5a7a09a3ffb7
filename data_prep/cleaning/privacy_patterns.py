"""The forms of personal data: a pattern for each, what may stand before it, and what a text must hold for it to be looked for.

A table to extend; the code that uses it is privacy.py.
"""

import re
from typing import NamedTuple

import regex

from data_prep.cleaning.place_patterns import ADDRESS, NEAR_ADDRESS, UF

DATE = (
    r"(?:\d{1,2}\s?[/.-]\s?\d{1,2}\s?[/.-]\s?\d{2,4}|\d{4}-\d{2}-\d{2}|\d{1,2}(?:º|st|nd|rd|th)?\s+(?:de\s+)?[A-Za-zç]{3,9}\.?\s+(?:de\s+)?\d{4}"
    r"|[A-Z][a-z]{2,8}\.?\s+\d{1,2}(?:st|nd|rd|th)?,?\s+\d{4})"
)
# Looked for backwards from every place: a run of spaces or dots without a bound would cost its length squared, or cubed.
NUMBER = r"(?:\s{0,8}(?:n[ºo°.]{1,2}|number|no\.|num(?:ber|ero)?\.?|#|de registro|de n[úu]mero))?\s{0,8}[:#-]?\s{0,8}"
CALLING = r"(?:[Tt]el(?:efone|ephone|[ée]fono|ef|f)?s?|[Tt]lf(?:no)?s?|[Tt]fno|[Mm]óvil|[Ff]ones?|[Cc]el(?:ular|l)?|[Ww]hats(?:[Aa]pp)?|[Zz]ap(?:[Zz]ap)?|[Pp]hone|[Ff]ax|[Mm]obile|[Cc]ontat[oe]s?|[Cc]ontact|[Ll]igue(?: para)?|[Cc]all(?:ed)?)"
OF_A_PERSON = r"(?:/~|/users?/|/u/|/in/|/people/|/profile[s/.]|[?&](?:user|id|uid|email|patient)=)"
# Type: patterns. Where two overlap the type that stands first here is taken; what stands in a lookbehind is context and stays.
PATTERNS = {
    "EMAIL": [
        r"(?<![\w.+%-])[\w.+%-]+@(?:[\w-]+\.)+[A-Za-z]{2,}\b",
        r"(?<![\w.+-])[\w.+-]+[ ]{1,3}[(\[]?arroba[)\]]?[ ]{1,3}[\w-]+(?:[ ]{1,3}(?:ponto|punto|dot)[ ]{1,3}[a-z]{2,6}|\.[a-z]{2,6}){1,2}\b",
        r"(?<![\w.+-])[\w.+-]+\s*(?:\[at\]|\(at\))\s*[\w-]+\s*(?:\[dot\]|\(dot\)|\.)\s*[a-z]{2,6}\b",
    ],
    "URL": [
        r"https?://[^\s/@][^\s/@:]*:[^\s/@]+@[^\s)>\]]+",
        # An address that names nobody is gone over at once, not tried again from each "www." within it.
        rf"(?:https?://|www\.)(?:[^\s)>\]]*{OF_A_PERSON}[^\s)>\],]+|[^\s)>\]]*(*SKIP)(*FAIL))",
        r"(?:https?://)?(?:www\.)?(?:instagram|facebook|twitter|x|tiktok|linkedin)\.com/[^\s)>\],]+",
        r"(?<=\b(?:[Ii]nsta(?:gram)?|[Tt]witter|[Tt]ik[Tt]ok|[Tt]hreads)\b[^\n@]{0,15})@\w[\w.]{2,30}\b|(?<![\w.])@\w[\w.]{2,30}\b(?=,?[ ](?:n[oa]|on|en|do)?[ ]?(?:[Ii]nsta|[Tt]witter|[Tt]ik[Tt]ok|[Tt]hreads))",
    ],
    "IP": [
        r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w.]*\d)",
        r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}(?![\w:])",
    ],
    "CNS": [r"(?<![\w.,-])[12789]\d{2}[ .]?\d{4}[ .]?\d{4}[ .]?\d{4}(?![\w-]|[.,]\d)"],
    "CNPJ": [r"(?<![\w.,-])[A-Z0-9]{2}[. ]?[A-Z0-9]{3}[. ]?[A-Z0-9]{3}\s?[/ ]?\s?[A-Z0-9]{4}\s?[- ]?\s?\d{2}(?![\w-]|[.,]\d)"],
    "CPF": [r"(?<![\w.,-])\d{3}[. ]?\d{3}[. ]?\d{3}\s?[-/. ]?\s?\d{2}(?!\w|-\w|[.,]\d)"],
    "SSN": [
        r"(?<![\w.,/-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])",
        rf"(?<=\b(?:NASS|NUSS|N\.?S\.?S\.?){NUMBER})\d[\d /-]{{4,14}}\d(?!\d)",
        rf"(?<=\b(?:SSN|[Ss]ocial [Ss]ecurity){NUMBER}(?:is )?)\d{{3}}[ -]?\d{{2}}[ -]?\d{{4}}\b",
    ],
    "CARD": [
        r"(?<![\w.,-])[3-6]\d{3}([ -]?)\d{4}\1\d{4}\1\d{4}(?![\w-]|[.,]\d)",
        r"(?<=\b(?:[Cc]ard|[Cc]artão)\b[^\d\n]{0,30})(?<!\d)\d{12,19}(?!\d)",
    ],
    "RG": [
        rf"(?<=\b(?:RG|Rg|rg|R\.G\.|[Ii]dentidade|[Cc]arteira de identidade)\b(?:\s{{0,8}}\([A-Z]{{2}}\))?{NUMBER})(?:[A-Z]{{2}}[- ]?)?\d{{1,2}}\.?\d{{3}}\.?\d{{3}}(?:[- ]?[\dXx])?\b"
    ],
    "CRM": [
        rf"(?<=\b(?:CRM|Crm|crm|COREN|Coren|CRO|CREMESP|CREFITO)\s?)(?:[-/ (]*{UF}\b\)?[-/: ]*)?(?:n[ºo°.]{{1,2}}\s*)?[:\s]*(?:\d{{1,3}}\.\d{{3}}|\d{{3,7}})(?![.,]?\d)(?:\s?[-/ (]\s?{UF}\b\)?)?",
        rf"(?<=\bCR[PFN])[-/ (]*{UF}\b\)?[-/: ]*(?:n[ºo°.]{{1,2}}\s*)?\d{{3,6}}\b|(?<=\bCRP[ :-]{{0,2}})\d{{2}}/\d{{3,6}}\b",
        rf"(?<=\bCR[PFN]\s{{0,8}}(?:n[ºo°.]{{1,2}})?\s{{0,8}}:?\s{{0,8}})\d{{3,6}}\s?[-/]\s?{UF}\b",
        r"(?<=\b[Nn][º°o.]\s?(?:de )?[Cc]ol(?:egiad[oa])?\.?\s?:?\s?)\d{2}(?: \d{2}(?: \d{3,6})?|\d{2,7})",
        r"(?<=\bCRF\s?(?:n[ºo°.]{1,2}\s{0,8}|:\s{0,8})?)(?:\d{2}\.\d{3}|\d{4,6})(?![.,]?\d)",
    ],
    "RECORD": [
        rf"(?i:\b(?:pront(?:\.|\b|u[áa]rios?(?: eletr[ôo]nico| m[ée]dico| de)?)|matr[íi]cula|atendimento|registro hospitalar|mrn|medical record"
        rf"|(?:record|chart|account|hospital) (?:number|no\.?|(?=#))|patient id|n?hc(?::|\s?n[ºo°]|(?=\s?\d{{5}}))|rghc|nhc-|episodio|historia cl[íi]nica)[ ]?[=(]?{NUMBER})\K(?=[\w./-]{{0,80}}\d{{3}})[A-Z\d][\w./-]{{2,80}}\d\b(?![.,]\d)"
    ],
    "BIRTH_DATE": [
        rf"(?i:\b(?:nascid[oa](?: em)?|nasceu(?: em| no)?|geb(?:\.|oren)(?: am)?|data de nasc(?:imento|\.)?|nascimento|nasc|d\.?n|d\.?o\.?b|date of birth|birth ?date"
        rf"|born(?: on)?|nacimiento|fecha de nac\.?|nacid[oa](?: en| el)?|naci[óo] el)[.:]{{0,40}}\s{{0,8}}(?:(?:o )?dia\s{{0,8}})?)\K{DATE}"
    ],
    "CEP": [r"(?<![\w.,/-])\d{2}\.?\d{3}-\d{3}(?![\w-]|[.,]\d)", r"(?<=\bCEP[ :.nº]{0,4})\d{2}\.?\d{3}[- ]?\d{3}\b"],
    "PHONE": [
        r"(?<!\d)(?:\+?55[ -]?)?\(0?\d{2}\)\s?(?:9[ .-]?)?\d{4}[ .-]?\d{4}(?!\w)",
        r"(?<!\w)\+55[ -]?\d{2}[ -]?9?[ .]?\d{4}[ .-]?\d{4}(?!\w)",
        r"(?<![\w.,/-])0?[1-9]\d[ -](?:9[ ]?)?\d{4}[-. ]\d{4}(?![\w-])",
        r"(?<![\w.,/-])9\d{4}-\d{4}(?![\w-]|[.,]\d)",
        rf"(?=\(?\d{{2}}\)?9\d{{8}}|[2-5]\d{{3}}[ -]\d{{4}})(?<=\b{CALLING}\b[^.\d\n]{{0,20}}[ ])(?:\(?\d{{2}}\)?9\d{{8}}|\d{{4}}[ -]\d{{4}})(?![\w/%-]|[.,]\d)",
        r"(?<![\w.,/-])0[38]00[ -]?\d{3}[ -]?\d{4}(?!\w)",
        r"(?<![\w./-]|\d,)(?:(?:\+?1|001)[ .-]?)?(?:\(\d{3}\)[ .-]?|\d{3}[.-])\d{3}[.-]\d{4}(?:[ ]?(?:x|ext\.?)[ ]?\d{1,6})?(?!\w|-\d)",
        r"(?<![\w./-]|\d,)(?:\+?1[ .-]?)?\([2-9]\d{2}\)[ ]?\d{3}[ .-]\d{4}(?!\w|-\d)",
        r"(?<![\w.,/+])\+[1-9]\d{0,2}(?:[ .-]?\(?\d{1,4}\)?){2,5}\d(?![\w-])",
        rf"(?<=\b{CALLING}\b[^.\d\n]{{0,20}}\s)[2-9]\d{{2}}[ ][2-9]\d{{2}}[ ]\d{{4}}(?![\w-])",
        rf"(?<=\b{CALLING}\b(?:\.?\s?[:\s]\s?|\.))\+?[\d(][\d() .-]{{6,17}}\d(?!\w)",
        rf"(?<=\b{CALLING}\b\.?\s?[:\s]\s?\+?[\d(][\d() .-]{{6,17}}\d\s?(?:/|,|\bou\b|\be\b|\bor\b|\band\b)\s?)\(?\d[\d() .-]{{5,17}}\d(?!\w)",
        rf"(?<=\b(?:{CALLING}|messages to|answering at)\b[^.\d\n]{{0,20}}[ ])\(?\d{{2,4}}\)?(?:[ .-]\d{{2,4}}){{2,4}}(?![\w/%-]|[.,]\d)",
    ],
    "ADDRESS": ADDRESS,
    "NAME": [],  # found by `_names`
}


class Labelled(NamedTuple):
    """Numbers of a person that their label alone tells."""

    pieces: tuple[str, ...]
    """a text without any of these is not looked at"""
    label: str
    number: str


LABELLED = [
    Labelled(
        ("arteira", "arteirinha", "eneficiári", "pólice"),
        r"[Cc]arteir(?:a|inha)\b[^\d\n]{0,40}|[Bb]enefici[áa]ri[oa]\b[^\d\n]{0,20}|[Aa]p[óo]lice\b[^\d\n]{0,20}",
        r"(?=(?:[ .-]?\d){9,20}\b)\d[\d .-]{7,24}\d",
    ),
    Labelled(("PIS", "PASEP", "NIS", "NIT"), r"(?:PIS|PASEP|NIS|NIT)(?:/PASEP)?[ .:nº-]{0,6}", r"\d{3}\.?\d{5}\.?\d{2}-?\d"),
    Labelled(("leitor",), r"[Tt]ítulo de [Ee]leitor[ .:nº-]{0,6}", r"\d{4}[ .]?\d{4}[ .]?\d{4}"),
    Labelled(("CNH",), r"CNH[ .:nº-]{0,6}", r"\d{11}"),
    Labelled(("egistro", "eg. "), r"[Rr]eg(?:istro|\.)[ :nº°]{1,4}", r"\d{6,12}(?:-\d)?"),
    Labelled(
        ("SAME", "AIH", "nternação", "uia ", "uia:", "rotocolo"),
        r"(?:SAME|AIH|[Ii]nternação|[Gg]uia|[Pp]rotocolo)[ .:nº°#]{1,6}",
        r"\d{6,15}",
    ),
    Labelled(("NHS",), r"NHS(?: (?:number|no\.?))?[ :#]{1,3}", r"\d{3}[ -]?\d{3}[ -]?\d{4}"),
    Labelled(
        ("Medicare",), r"Medicare(?: (?:number|no\.?|id|ID))?[ :#]{1,3}", r"\d[A-Z][A-Z\d]\d-?[A-Z][A-Z\d]\d-?[A-Z]{2}\d{2}"
    ),
    Labelled(
        ("assap", "ASSAP", "assport", "asaport"),
        r"(?i:passaporte|passport|pasaporte)[ .:nº#-]{0,6}(?:(?i:no|number)[.: ]{0,3})?",
        r"(?:[A-Z]{1,3}\d{5,8}|\d{8,9})",
    ),
    Labelled(("laca ", "laca:"), r"[Pp]laca[ .:]{1,3}", r"[A-Z]{3}[- ]?\d[A-Z\d]\d{2}"),
    Labelled(
        ("onta ", "onta:", "c/c"), r"[Cc]onta(?: [Cc]orrente| [Pp]oupança)?[ .:nº]{1,6}|\bc/c[ .:nº]{1,6}", r"\d{3,10}-[\dXx]"
    ),
    Labelled(
        ("DNI", "NIF", "NIE", "RUT", "CURP", "édula"),
        r"(?:DNI|NIF|NIE|RUT|CURP|[Cc]édula(?: de [Cc]iudadanía)?)[ .:nº#-]{0,6}",
        r"(?:[XYZ]?\d{7,8}[- ]?[A-Z]|\d{1,2}\.\d{3}\.\d{3}(?:-[\dkK])?|\d\.\d{3}\.\d{3}\.\d{3}|\d{7,10}(?:-[\dkK])?|[A-Z]{4}\d{6}[HM][A-Z]{5}[A-Z\d]\d)",
    ),
]
PATTERNS["RECORD"] += [rf"\b(?:{of.label})\K{of.number}(?!\w|[.,-]\d)" for of in LABELLED]  # \K: what it finds begins here
# Forms that are nothing else, or that a label names: they count with a mistyped check digit as well.
SAID_SO = r"[ .:_=-]{0,2}(?:n[ºo°.]{1,2}\s?)?"
SURE = {
    "CPF": [
        r"(?<!\d)\d{3}\.\d{3}\.\d{3}-\d{2}(?!\d)",
        rf"(?<=\b(?:CPF|cpf|Cpf|C\.P\.F\.){SAID_SO})\d{{3}}[. ]?\d{{3}}[. ]?\d{{3}}[-/. ]?\d{{2}}(?!\d)",
    ],
    "CNPJ": [r"(?<!\d)\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}(?!\d)", rf"(?<=\b(?:CNPJ|cnpj){SAID_SO})\d{{14}}(?!\d)"],
    "CNS": [rf"(?<=\b(?:CNS|cns|SUS|[Cc]artão [Nn]acional(?: de [Ss]aúde)?){SAID_SO})\d(?:[ .]?\d){{14}}(?!\d)"],
}
TYPES = tuple(PATTERNS)
COMPILED = {kind: [regex.compile(pattern) for pattern in patterns] for kind, patterns in PATTERNS.items()}
COMPILED_SURE = {kind: [regex.compile(pattern) for pattern in patterns] for kind, patterns in SURE.items()}
# The cheap screen: which forms a text could interest at all. Each is wider than its patterns.
DIGIT = re.compile("[0-9]")
NUMBER_LIKE = re.compile(r"\d[\d .()/-]{6}")
CNPJ_LIKE = re.compile(r"/\s?[A-Z0-9]{4}\s?[- ]?\s?\d{2}|[A-Z0-9]{12}\d{2}")
# What a text must hold for a type to be looked for; those in lower case are told in lower case.
PIECES = {
    "RG": ("RG", "Rg", "rg", "R.G.", "dentidade"),
    "CRM": (
        "CRM",
        "Crm",
        "crm",
        "ºCol",
        "º Col",
        "°Col",
        "ºcol",
        "º col",
        "olegiad",
        "COREN",
        "Coren",
        "CRO",
        "CRF",
        "CRP",
        "CRN",
        "CRE",
    ),
    "CEP": ("CEP",),
    "RECORD": tuple(piece for of in LABELLED for piece in of.pieces),
    "SSN": ("SSN", "NSS", "NASS", "NUSS", "N.S.S", "ocial Security", "ocial security"),
}
LOW_PIECES = {
    "BIRTH_DATE": ("nasc", "naci", "geb.", "geboren", "de nac", "d.n", "dn", "dob", "d.o.b", "birth", "born"),
    "RECORD": (
        "pront",
        "matr",
        "atendimento",
        "registro hosp",
        "mrn",
        "medical rec",
        "record n",
        "chart n",
        "chart #",
        "patient id",
        "account n",
        "hospital n",
        "hc:",
        "hc ",
        "hc-",
        "episodio",
        "historia cl",
    ),
    "EMAIL": ("@", "(at)", "[at]", "arroba"),
    "URL": ("://", "www.", ".com/", "@"),
}
CONTEXTS = {"ADDRESS": NEAR_ADDRESS, "IP": re.compile(r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d|[0-9a-fA-F]:[0-9a-fA-F]{1,4}:[0-9a-fA-F]")}
