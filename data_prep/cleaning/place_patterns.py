"""How addresses are written, and what a text must hold for one to be looked for. A table to extend; privacy_patterns.py takes it in."""

import re

from data_prep.cleaning.name_patterns import WORD

UF = r"(?:AC|AL|AM|AP|BA|CE|DF|ES|GO|MA|MG|MS|MT|PA|PB|PE|PI|PR|RJ|RN|RO|RR|RS|SC|SE|SP|TO)"
STREET = (
    r"Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Drive|Lane|Ln|Court|Ct|Place|Pl|Way|Circle|Terrace|Highway|Hwy|Parkway|Pkwy"
)
# "R." is a name's initial too, and "av" is Swedish for "of": they are roads before a name, "av" also where a place begins.
ROAD = (
    r"[Rr]ua|(?<![\w.])(?:R|[Aa]v)\.(?=[ ](?:D[AEO]S?[ ]|d[aeo]s?[ ])?(?:\p{Lu}|\d+[ ]d[eo][ ]\p{Lu}))|[Aa]venida|Av(?=[ ](?:\p{Lu}\p{Ll}|\d+[ ]d[eo][ ]\p{Lu}))"
    r"|(?<=(?:\b(?:[nd]a|pela|à|em|la)[ ]|[:,;(\n]\s?|^))av(?=[ ]\p{Lu}\p{Ll})|[Tt]ravessa|[Aa]lameda|[Rr]odovia|[Pp]raça|[Ee]strada|RUA|AVENIDA"
    r"|(?<=\b[ND]A[ ])AV\.?(?=[ ](?:D[AEO]S?[ ])?\p{Lu}{3})|(?<=\b(?:[nd]a|pela|à|em)[ ])R\.(?=[ ]\d{1,4},)|(?<!\bet[ ])Al\.(?=[ ](?:d[aeo]s?[ ])?\p{Lu}\p{Ll})|(?:P[çc]a|Trav|Tv|Rod|Estr|Lgo)\.|Largo(?=[ ]d[aeo]s?[ ]\p{Lu})"
)
# A road's number with its kilometre; a block of Brasília with what lies in it; a corner as Colombia counts its streets.
KILOMETRE = rf"\b(?:[Rr]odovia|[Rr]od\.)[ ](?:BR|{UF})[ -]?\d{{2,3}},?[ ](?:no[ ])?[Kk][Mm][ ]?\d{{1,4}}\b"
BLOCK = (
    r"\b(?:S[QHC][A-Z]{1,3}|Q[NERILS][A-Z]{0,2}|SGA[NS]|SMPW)[ ]\d{1,4}"
    r"(?:,?[ ](?:[Bb]loco|[Bb]l\.?|[Cc]onj(?:unto|\.)|[Cc]asa|[Ll]ote|[Aa]p(?:to|artamento)?\.?)[ ]?(?:[A-Z]\d{0,3}|\d{1,4}[A-Z]?)\b)+"
)
CORNER = (
    r"\b(?:[Cc]alle|[Cc]arrera|[Cc]ra\.?|[Cc]ll\.?|[Cc]l\.|[Aa]venida|[Aa]v\.|[Dd]iagonal|[Tt]ransversal)[ ]\d{1,3}[ ]?[A-Z]?"
    r"(?:[ ](?:[Bb]is|[Ss]ur|[Nn]orte))?[ ]?(?:#|No\.?|N[º°])[ ]?\d{1,3}[A-Z]?[ ]?-[ ]?\d{1,3}\b"
)
NO_MEASURE = r"(?![ ]?(?:%|(?:anos|años|meses|years|months|år|mg|kg|ml)\b))"
ADDRESS = [
    rf"(?<![\w.,/-])\d{{1,5}}[A-Z]?[ ](?:[NSEW]\.?[ ])?(?:{WORD}[ ]|\d+(?:st|nd|rd|th)[ ]){{1,3}}(?:{STREET})\b\.?(?:,?[ ](?:[Aa]pt|[Ss]uite|[Ss]te|[Uu]nit|#)\.?[ ]?\w+)?",
    rf"\b(?:{ROAD})[ ](?:\p{{Lu}}[\p{{L}}.]*|\d+|d[aeo]s?|e|D[AEO]S?)(?:[ ](?:\p{{Lu}}[\p{{L}}.]*|\d+|d[aeo]s?|e|D[AEO]S?)){{0,6}},?[ ]?(?:n[º°.o]{{1,2}}[ ]?)?\d{{1,5}}\b{NO_MEASURE}(?:[ ]?[,-][ ]?(?:apto?|ap|bloco|casa)\.?[ ]?\w+)*",
    r"(?<=\b(?:[Dd]omicilio|[Dd]irecci[óo]n|[Ee]ndereço|[Ll]ogradouro|[Rr]esidência)\s?:\s{0,3})\S[^\n]{3,90}?(?=\.?\s*(?:\n|$))",
    r"(?<!\w)(?:(?:[Cc]alle|CALLE|[Aa]vda\.?|[Aa]venida|Paseo|Pº|Plaza|Pza\.?|Camino|Carretera|Ctra\.?|Ronda|Urbanización)[ ]|[Cc]/[ ]?)(?:\p{L}[\p{L}.´'’-]*[ ]?){1,7},?[ ]?(?:n[º°.o]{1,2}[ ]?)?(?:\d{1,4}(?:[ ]?-[ ]?\d{1,4})?\b|s/n)(?:[ ]?[,.-]{0,2}[ ]?\b(?:P?\d{1,3}[ºª°]?[ -]?[A-L]?|Bajo|[A-L]|Izq\w*|D(?:cha|rcha))\b(?![.,]?\d)){0,3}",
    r"\b\d{1,4}(?:[ ]?(?:bis|ter))?,?[ ](?:rue|avenue|boulevard|bd|chemin|allée|impasse)[ ](?:d[eu]s?[ ](?:l[ae][ ]|l['’])?|l[ae]s?[ ])?\p{Lu}[\p{L}'’-]+(?:[ ]\p{Lu}[\p{L}'’-]+){0,3}",
    KILOMETRE,
    BLOCK,
    CORNER,
]
NEAR_ADDRESS = re.compile(
    rf"\b(?:{STREET})\b|\b(?:[Rr]ua|RUA|R\.|[Aa]v|AV|[Tt]rav|[Aa]lam|[Rr]odov|[Pp]ra[çc]a|[Ee]strada|[Cc]alle|CALLE|[Pp]aseo|[Pp]laza|[Pp]za|[Cc]amino|[Cc]arretera|[Cc]tra|[Rr]onda|[Uu]rbaniz|[Dd]omicil|[Dd]irecci|[Ee]ndere|[Ll]ograd|[Rr]esidênc|Al\.|P[çc]a\b|Tv\.|[Rr]od\.|Estr\.|Lgo\.|Largo|S[QHC][A-Z]|Q[NERILS][A-Z]?[ ]\d|SGA|SMPW|[Cc]arrera|[Cc]ra\b|[Cc]ll?\b|[Dd]iagonal|[Tt]ransversal|rue|avenue|boulevard|bd|chemin|allée|impasse)|\b[Cc]/"
)
