"""The forms of personal data: a pattern for each, what may stand before it, and what a text must hold for it to be looked for.

A table to extend; the code that uses it is privacy.py.
"""

import re

import regex

# Only what is short for a title has a full stop: after a whole word ("o enfermeiro. Além disso") a sentence ends.
TITLE = (
    r"(?:[Dd]ra?|[Ss]ra?|Srta|[Pp]rofa?|Mrs?|Ms|Enf)\.?[ªº]?(?:\([ao]\))?\.?|(?:[Pp]rofessora?|Miss|[Ee]nfermeir[ao]|[Dd]ona)(?:\([ao]\))?|(?:DR|SR|ENF)\.|(?:DR|SR|SRT)A\.?|(?<=\b[oOaA][ ])(?:doutora?|senhora?)"
    r"|(?<!\b(?:[Yy]our|[Aa]|[Tt]he|[Mm]y|[Hh]is|[Hh]er|[Tt]heir|[Aa]ny|[Oo]ur|[Uu]m|[Oo]|[Ss]eu)[ ])(?:[Dd]outora?|[Ss]enhora?|[Dd]octor|[Nn]urse)"
)
ROLE = r"(?:[Pp]aciente|PACIENTE|[Pp](?:a?ct?e?|te)\.?|[Pp]atient|PATIENT|[Mm]ãe|[Pp]ai|[Ff]ilh[ao]|[Ee]spos[ao]|[Aa]companhante|[Mm]édic[oa]|[Rr]esponsável|[Uu]suári[oa])"
KIN = (
    r"(?:[Ii]rm[ãa]o?|[Tt]i[ao]|[Aa]v[óô]|[Nn]et[ao]|[Nn]amorad[ao]|[Ss]obrinh[ao]|[Cc]unhad[ao]|[Ss]ogr[ao]|[Vv]izinh[ao]|[Cc]uidadora?"
    r"|[Ff]isio(?:terapeuta)?|[Nn]utricionista|[Mm]adre|[Pp]adre|[Hh]ij[ao]|[Hh]erman[ao]|[Ff]ilh[ao])"
)
LABEL = r"(?:[Nn]ombre(?: completo| del paciente)?|[Nn]ome(?: completo| social| d[oa] (?:paciente|mãe|médico))?|NOME(?: D[OA] PACIENTE)?|(?:[Pp]atient |[Ff]ull |[Ff]irst |[Ll]ast )?[Nn]ame|NAME|M[ãÃ][eE]|Filiação)"
# Who signs a note or asks for it, before a colon or "por"; and the rank that stands before his name.
SIGNER = (
    r"(?:(?:[Aa]ssinad[oa]|[Ee]laborad[oa]|[Dd]igitad[oa]|[Ll]audad[oa]|[Rr]emitid[oa]|[Rr]edactado|[Ff]irmado)(?: eletronicamente| e assinad[oa])? por:?|ASSINADO POR:?"
    r"|(?:[Mm][ée]dic[oa]|[Rr]esponsable|[Rr]esponsável|[Pp]receptora?|[Rr]esidente|[Ii]nterno|[Ss]olicitante|[Aa]cadêmic[oa]|[Ff]acultativo)(?: (?:cl[íi]nic[oa]|responsável|assistente|solicitante))?:)"
)
RANK = r"(?:[Aa]cadêmic[oa]|[Ii]ntern[oa]|[Rr]esidente|[Mm]édic[oa](?: residente)?|[Ee]nfermeir[oa]|[Tt]écnic[oa])"
SAID = r"[Mm]y name is|[Mm]eu nome é|[Mm]e chamo|[Cc]hama-se|[Ss]e chama"
WORD = r"(?:[A-Z]['’])?\p{Lu}\p{Ll}+(?:(?:['’-]|(?<=Mc|Mac|De|Di))\p{Lu}\p{Ll}+)*"
CAPS = r"\p{Lu}(?:['’]?\p{Lu})+(?:-\p{Lu}+)*"
LINK = r"(?:d[aeo]s?|e|van|von|del|de la|D[AEO]S?|E)"
RUN = rf"(?:{WORD}|{CAPS}|Mª)(?:[ ](?:{LINK}[ ])?(?:{WORD}|{CAPS}|Mª|\p{{Lu}}\.(?=[ ])))*"  # words that could be a name, to be looked at
LOWER = r"\p{Ll}{2,}(?:[ ]\p{Ll}+){1,6}"  # a name as it is typed in haste
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
CALLING = r"(?:[Tt]el(?:efone|ephone|[ée]fono|ef|f)?s?|[Tt]lf(?:no)?s?|[Tt]fno|[Mm]óvil|[Ff]ones?|[Cc]el(?:ular|l)?|[Ww]hats(?:[Aa]pp)?|[Zz]ap(?:[Zz]ap)?|[Pp]hone|[Ff]ax|[Mm]obile|[Cc]ontat[oe]s?|[Cc]ontact|[Ll]igue(?: para)?|[Cc]all(?:ed)?)"
OF_A_PERSON = r"(?:/~|/users?/|/u/|/in/|/people/|/profile[s/.]|[?&](?:user|id|uid|email|patient)=)"
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
    "ADDRESS": [
        rf"(?<![\w.,/-])\d{{1,5}}[A-Z]?[ ](?:[NSEW]\.?[ ])?(?:{WORD}[ ]|\d+(?:st|nd|rd|th)[ ]){{1,3}}(?:{STREET})\b\.?(?:,?[ ](?:[Aa]pt|[Ss]uite|[Ss]te|[Uu]nit|#)\.?[ ]?\w+)?",
        rf"\b(?:{ROAD})[ ](?:\p{{Lu}}[\p{{L}}.]*|\d+|d[aeo]s?|e|D[AEO]S?)(?:[ ](?:\p{{Lu}}[\p{{L}}.]*|\d+|d[aeo]s?|e|D[AEO]S?)){{0,6}},?[ ]?(?:n[º°.o]{{1,2}}[ ]?)?\d{{1,5}}\b{NO_MEASURE}(?:[ ]?[,-][ ]?(?:apto?|ap|bloco|casa)\.?[ ]?\w+)*",
        r"(?<=\b(?:[Dd]omicilio|[Dd]irecci[óo]n|[Ee]ndereço|[Ll]ogradouro|[Rr]esidência)\s?:\s{0,3})\S[^\n]{3,90}?(?=\.?\s*(?:\n|$))",
        r"(?<!\w)(?:(?:[Cc]alle|CALLE|[Aa]vda\.?|[Aa]venida|Paseo|Pº|Plaza|Pza\.?|Camino|Carretera|Ctra\.?|Ronda|Urbanización)[ ]|[Cc]/[ ]?)(?:\p{L}[\p{L}.´'’-]*[ ]?){1,7},?[ ]?(?:n[º°.o]{1,2}[ ]?)?(?:\d{1,4}(?:[ ]?-[ ]?\d{1,4})?\b|s/n)(?:[ ]?[,.-]{0,2}[ ]?\b(?:P?\d{1,3}[ºª°]?[ -]?[A-L]?|Bajo|[A-L]|Izq\w*|D(?:cha|rcha))\b(?![.,]?\d)){0,3}",
        r"\b\d{1,4}(?:[ ]?(?:bis|ter))?,?[ ](?:rue|avenue|boulevard|bd|chemin|allée|impasse)[ ](?:d[eu]s?[ ](?:l[ae][ ]|l['’])?|l[ae]s?[ ])?\p{Lu}[\p{L}'’-]+(?:[ ]\p{Lu}[\p{L}'’-]+){0,3}",
        KILOMETRE,
        BLOCK,
        CORNER,
    ],
    "NAME": [],  # found by `_names`
}
# Numbers of a person that their label alone tells: (label, number).
LABELLED = [
    (
        r"[Cc]arteir(?:a|inha)\b[^\d\n]{0,40}|[Bb]enefici[áa]ri[oa]\b[^\d\n]{0,20}|[Aa]p[óo]lice\b[^\d\n]{0,20}",
        r"(?=(?:[ .-]?\d){9,20}\b)\d[\d .-]{7,24}\d",
    ),
    (r"(?:PIS|PASEP|NIS|NIT)(?:/PASEP)?[ .:nº-]{0,6}", r"\d{3}\.?\d{5}\.?\d{2}-?\d"),
    (r"[Tt]ítulo de [Ee]leitor[ .:nº-]{0,6}", r"\d{4}[ .]?\d{4}[ .]?\d{4}"),
    (r"CNH[ .:nº-]{0,6}", r"\d{11}"),
    (r"[Rr]eg(?:istro|\.)[ :nº°]{1,4}", r"\d{6,12}(?:-\d)?"),
    (r"(?:SAME|AIH|[Ii]nternação|[Gg]uia|[Pp]rotocolo)[ .:nº°#]{1,6}", r"\d{6,15}"),
    (r"NHS(?: (?:number|no\.?))?[ :#]{1,3}", r"\d{3}[ -]?\d{3}[ -]?\d{4}"),
    (r"Medicare(?: (?:number|no\.?|id|ID))?[ :#]{1,3}", r"\d[A-Z][A-Z\d]\d-?[A-Z][A-Z\d]\d-?[A-Z]{2}\d{2}"),
    (r"(?i:passaporte|passport|pasaporte)[ .:nº#-]{0,6}(?:(?i:no|number)[.: ]{0,3})?", r"(?:[A-Z]{1,3}\d{5,8}|\d{8,9})"),
    (r"[Pp]laca[ .:]{1,3}", r"[A-Z]{3}[- ]?\d[A-Z\d]\d{2}"),
    (r"[Cc]onta(?: [Cc]orrente| [Pp]oupança)?[ .:nº]{1,6}|\bc/c[ .:nº]{1,6}", r"\d{3,10}-[\dXx]"),
    (
        r"(?:DNI|NIF|NIE|RUT|CURP|[Cc]édula(?: de [Cc]iudadanía)?)[ .:nº#-]{0,6}",
        r"(?:[XYZ]?\d{7,8}[- ]?[A-Z]|\d{1,2}\.\d{3}\.\d{3}(?:-[\dkK])?|\d\.\d{3}\.\d{3}\.\d{3}|\d{7,10}(?:-[\dkK])?|[A-Z]{4}\d{6}[HM][A-Z]{5}[A-Z\d]\d)",
    ),
]
PATTERNS["RECORD"] += [rf"\b(?:{label})\K{number}(?!\w|[.,-]\d)" for label, number in LABELLED]  # \K: what it finds begins here
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
# What the text must hold, where a name could stand, and what must be known of it: "any" word that is no NO_NAMES, a "given" name,
# "two" words or a given name, two of which one is "known", a "pair" of which all are; "sure": nothing.
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
        "acient ACIENT atient ATIENT ãe Pai pai ilho ilha spos companhant édic esponsáv suári Pct pct Pac Pte pte".split(),
        regex.compile(rf"\b{ROLE}(?:[ ]\(|(?:\s*[,:]|[ ]chamad[oa]|[ ]d[oa] paciente:?)?[ ]+)({RUN})"),
        "given",
    ),
    (
        "Irm|irmã|Tia | tia |Tio | tio | avó|Avó| avô|Avô|neto |Neto |neta |Neta |amorad|obrinh|unhad|sogr|Sogr|izinh|uidador|isio |isiot|utricion|adre |Hij|hij|ermano |ermana |ilho de |ilha de ".split(
            "|"
        ),
        regex.compile(
            rf"\b{KIN}(?:[ ][mp]atern[ao])?(?:[ ]\(|(?:\s*[,:]|(?<=[Ff]ilh[ao]|[Hh]ij[ao]|[Nn]et[ao])[ ]de)?[ ]+)({RUN})"
        ),
        "given",
    ),
    (("ombre",), regex.compile(rf"\b[Nn]ombres?\s*:[ ]*({RUN})(?=[ .,;]*\s+[Aa]pellido)"), "sure"),
    (("pellido",), regex.compile(rf"\b[Aa]pellidos?\s*:[ ]*((?:[Dd](?:el?|os|as?)[ ](?:l[ao]s?[ ])?)?{RUN})"), "sure"),
    (
        (
            "por ",
            "por:",
            "POR",
            "dico:",
            "dica:",
            "nsable",
            "nsável",
            "eceptor",
            "esident",
            "nterno",
            "olicitante",
            "cadêmic",
            "acultativo",
        ),
        regex.compile(rf"\b(?:{SIGNER}[ ]*(?:{RANK}[ ]+)?(?:{TITLE}:?[ ]*)*)({RUN})"),
        "known",
    ),
    (
        ("ID:", "ID :", "dentificação:", "DENTIFICAÇÃO:"),
        regex.compile(rf"\b(?:ID|[Ii]dentificação|IDENTIFICAÇÃO)\s?:[ ]*({RUN})"),
        "given",
    ),
    ((" R1", " R2", " R3", " R4", " R5", " I1", " I2"), regex.compile(rf"(?<![\w.])({RUN})(?=[ ](?:R[1-5]|I[12])\b)"), "given"),
    (("DR", "SR", "ENF"), regex.compile(rf"\b(?:DR|DRA|SR|SRA|SRTA|ENF)[.ªa]?:?[ ]+({RUN})"), "given"),
    (("eu ", "EU "), regex.compile(rf"\b(?:[Ss]eu|SEU)[ ]+({RUN})"), "given"),
    (
        ("ome:", "ome :", "iente:", "iente :", "ãe:", "ai:", " sra", "Sra", " sr ", "Sr ", " sr.", "Sr.", "Dona ", " dona "),
        regex.compile(rf"\b(?:(?:{LABEL}|[Pp]aciente|[Mm]ãe|[Pp]ai)\s?:|[Ss]ra?\.?|[Dd]ona)[ ]+({LOWER})"),
        "pair",
    ),
    (("RN d",), regex.compile(rf"\bRN d[ea][ ]+({RUN})"), "given"),
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
EPONYMS = frozenset(  # also those whose theories exams ask for; behind a title or "paciente" they are a person's as any other
    {
        *("oswaldo cruz", "carlos chagas", "adolfo lutz", "vital brazil", "thomas addison", "james parkinson", "paula souza"),
        *(
            "virginia henderson",
            "jean watson",
            "wanda de aguiar",
            "lydia hall",
            "dorothy johnson",
            "paulo freire",
            "manoel de abreu",
        ),
    }
)
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
    "RECORD": (
        "PIS",
        "PASEP",
        "NIS",
        "NIT",
        "CNH",
        "DNI",
        "NIF",
        "NIE",
        "RUT",
        "CURP",
        "édula",
        "eg. ",
        "egistro",
        "SAME",
        "AIH",
        "nternação",
        "uia ",
        "uia:",
        "rotocolo",
        "NHS",
        "Medicare",
        "arteira",
        "arteirinha",
        "eneficiári",
        "pólice",
        "leitor",
        "laca ",
        "laca:",
        "onta ",
        "onta:",
        "c/c",
        "assap",
        "ASSAP",
        "assport",
        "asaport",
    ),
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
CONTEXTS = {
    "ADDRESS": re.compile(
        rf"\b(?:{STREET})\b|\b(?:[Rr]ua|RUA|R\.|[Aa]v|AV|[Tt]rav|[Aa]lam|[Rr]odov|[Pp]ra[çc]a|[Ee]strada|[Cc]alle|CALLE|[Pp]aseo|[Pp]laza|[Pp]za|[Cc]amino|[Cc]arretera|[Cc]tra|[Rr]onda|[Uu]rbaniz|[Dd]omicil|[Dd]irecci|[Ee]ndere|[Ll]ograd|[Rr]esidênc|Al\.|P[çc]a\b|Tv\.|[Rr]od\.|Estr\.|Lgo\.|Largo|S[QHC][A-Z]|Q[NERILS][A-Z]?[ ]\d|SGA|SMPW|[Cc]arrera|[Cc]ra\b|[Cc]ll?\b|[Dd]iagonal|[Tt]ransversal|rue|avenue|boulevard|bd|chemin|allée|impasse)|\b[Cc]/"
    ),
    "IP": re.compile(r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d|[0-9a-fA-F]:[0-9a-fA-F]{1,4}:[0-9a-fA-F]"),
}
