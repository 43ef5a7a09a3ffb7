"""Invented people's identifiers with valid check digits, in sentences as notes and messages hold them; all from one seed.

Neither numbers, names nor sentences come from data_prep: names are made of syllables, check digits are worked out here.
"""

import random
from dataclasses import dataclass

SYLLABLES = "bra cor dil fen gol hul jan kev lor mir nel pax quil rud sov tul vem wol xar yel zan".split()
PREFIXES = ("11", "21", "31", "41", "51", "61", "71", "81", "85", "92")


@dataclass(frozen=True)
class Planted:
    """One identifier in its sentence, and the strings of which none may be in what is written."""

    kind: str
    text: str
    sentence: str

    @property
    def forms(self) -> set[str]:
        digits = "".join(c for c in self.text if c.isdigit())
        found = {self.text, *(w for w in self.text.split() if self.kind == "NAME" and w[0].isupper())}
        return found | ({digits} if len(digits) >= 9 and self.kind not in ("IP", "EMAIL") else set())


def check_digit(digits: list[int], weights: list[int]) -> int:
    """The modulo 11 digit of CPF and CNPJ."""
    rest = sum(d * w for d, w in zip(digits, weights, strict=True)) % 11
    return 0 if rest < 2 else 11 - rest


def cpf(dice: random.Random) -> str:
    d = [dice.randrange(10) for _ in range(9)]
    for n in (10, 11):
        d.append(check_digit(d, list(range(n, 1, -1))))
    t = "".join(map(str, d))
    return dice.choice((f"{t[:3]}.{t[3:6]}.{t[6:9]}-{t[9:]}", t, f"{t[:9]}-{t[9:]}"))


def cnpj(dice: random.Random) -> str:
    d = [dice.randrange(10) for _ in range(8)] + [0, 0, 0, 1]
    for weights in ([5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2], [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]):
        d.append(check_digit(d, weights))
    t = "".join(map(str, d))
    return dice.choice((f"{t[:2]}.{t[2:5]}.{t[5:8]}/{t[8:12]}-{t[12:]}", t))


def cns(dice: random.Random) -> str:
    while True:  # a provisional number: its weighted sum is a multiple of 11
        d = [dice.choice((7, 8, 9)), *(dice.randrange(10) for _ in range(14))]
        if sum(v * w for v, w in zip(d, range(15, 0, -1), strict=True)) % 11 == 0:
            t = "".join(map(str, d))
            return dice.choice((t, f"{t[:3]} {t[3:7]} {t[7:11]} {t[11:]}"))


def card(dice: random.Random) -> str:
    d = [dice.choice((4, 5)), *(dice.randrange(10) for _ in range(14))]
    total = sum(v if i % 2 else sum(divmod(2 * v, 10)) for i, v in enumerate(d))
    t = "".join(map(str, [*d, -total % 10]))
    return dice.choice((t, " ".join(t[i : i + 4] for i in range(0, 16, 4)), "-".join(t[i : i + 4] for i in range(0, 16, 4))))


def phone(dice: random.Random) -> str:
    area, last = dice.choice(PREFIXES), f"{dice.randrange(10**4):04}"
    first = dice.choice((f"9{dice.randrange(5000, 10000)}", f"{dice.randrange(2000, 5000)}"))
    forms = (f"({area}) {first}-{last}", f"+55 {area} {first}-{last}", f"{area} {first}-{last}", f"({area}){first}{last}")
    return dice.choice((*forms, f"+55{area}{first}{last}", f"+55 ({area}) {first}-{last}"))


def word(dice: random.Random) -> str:
    return "".join(dice.choices(SYLLABLES, k=3)).capitalize()


def email(dice: random.Random) -> str:
    host = dice.choice(("correio.example", "mail.example.com.br", "clinica.example.org"))
    return f"{word(dice).lower()}{dice.choice('._-')}{word(dice).lower()}{dice.randrange(100)}@{host}"


def record(dice: random.Random) -> str:
    return dice.choice((f"{dice.randrange(10**5, 10**6)}-{dice.randrange(10)}", f"{dice.randrange(10**6, 10**8)}"))


def ip(dice: random.Random) -> str:
    return ".".join(str(dice.randrange(12, 254)) for _ in range(4))


def name(dice: random.Random) -> str:
    return dice.choice((f"{word(dice)} {word(dice)}", f"{word(dice)} de {word(dice)}", f"{word(dice)}"))


SENTENCES = {
    "CPF": "portador do CPF {}, veio à consulta|Documento (CPF: {}).|cpf {}\nqueixa de tosse|CPF nº {}; sem alergias",
    "CNPJ": "encaminhado pela empresa de CNPJ {}|Convênio (CNPJ {}), plano básico.|nota fiscal em nome de {}.",
    "CNS": "cartão SUS {} apresentado na recepção|CNS: {}.|Cartão Nacional de Saúde nº {}, vacinas em dia",
    "PHONE": "retornar a ligação: {}.|Contato da família {} (recado)|telefone {}, só à tarde|please ring {} after six|cel.{}",
    "EMAIL": "mandar o laudo para {}.|e-mail:{};|<{}> pediu segunda via|write to {}, thanks",
    "NAME": "atendido pela Dra. {}, que pediu exames|a Sra. {} refere dor há dois dias|Mr. {} was seen today|segundo o Dr. {}."
    "|avaliada por DRA. {}|o sr. {} nega febre|dr.{} assina|pela Prof. Dr. {}|a enfermeira {} mediu a pressão",
    "RECORD": "prontuário {}, leito 4|Prontuário nº {}.|PRONT.: {}\nfebre|MRN {} admitted overnight|matrícula {} no plano",
    "CARD": "pagou com o cartão {}.|card number {}, expired|cartão de crédito: {}; parcelado",
    "IP": "acesso a partir de {}.|portal do paciente, IP {}, ontem|logged in from {} at night",
    "UNTITLED": "{} refere tosse seca há uma semana|acompanha {} desde abril|{} was admitted with fever|visita de {} hoje",
}
MAKERS = {
    "CPF": cpf,
    "CNPJ": cnpj,
    "CNS": cns,
    "PHONE": phone,
    "EMAIL": email,
    "NAME": name,
    "RECORD": record,
    "CARD": card,
    "IP": ip,
}


def plant(count: int, seed: int, untitled: bool = False) -> list[Planted]:
    """So many identifiers, as many of each kind, no two alike, in any order; `untitled`: names that nothing announces."""
    dice, found, seen = random.Random(seed), [], set()
    makers = {"UNTITLED": lambda dice: f"{word(dice)} {word(dice)}"} if untitled else MAKERS
    while len(found) < count:
        kind = list(makers)[len(found) % len(makers)]
        text = makers[kind](dice)
        if text not in seen and len(text) > 5:
            seen.add(text)
            found.append(Planted(kind, text, dice.choice(SENTENCES[kind].split("|")).replace("{}", text)))
    dice.shuffle(found)
    return found
