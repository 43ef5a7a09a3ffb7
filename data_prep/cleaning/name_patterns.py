"""How names stand in texts: the titles, roles and labels before them, words that could be one, and what is no person's.

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
# `Enf.` is short for an illness too, before what kind it is: `Enf. Pulmonar`, `Enf. Celíaca`, `Enf. Inflamatoria`.
ILLNESS = re.compile(
    r"[Ee]nf\.[ ]+[A-ZÀ-Ý][a-zà-ÿ]+(?:ar|al|[ií]c[ao]s?|[ií]ac[ao]|[óo]ri[ao]|iv[ao]|os[ao]|nte|un[eo]|[áa]ri[ao]|oide[ao]?)(?![\wÀ-ÿ])"
)
INSTITUTION = re.compile(
    r"(?:[Ii]nstituto|[Ii]nstitute|[Ff]unda[çc][ãa]o|[Ff]oundation|[Hh]ospita[li]s?|[Ee]scola|[Cc]entro|[Cc]enter|[Uu]niversi\w+|[Mm]aternidade|UPA|UBS|[Rr]ua|[Aa]v\w*\.?|"
    r"[Cc]idade|[Cc]ol[ée]gio|[Pp]ra[çc]a|[Ss]ão|[Ss]anta|[Ss]anto|[Ss]aint|St\.?|d[eo]|of) $"
)
# Whom institutions, diseases and theories are called by; behind a title or "paciente" they are a person's names as any other.
EPONYMS = frozenset(
    "oswaldo cruz|carlos chagas|adolfo lutz|vital brazil|thomas addison|james parkinson|paula souza|virginia henderson|jean watson"
    "|wanda de aguiar|lydia hall|dorothy johnson|paulo freire|manoel de abreu".split("|")
)
