"""What of a model's output is its answer: reasoning, channels, further turns and markdown are cut off."""

import re
import unicodedata

# Reasoning in tags or marks, or ended by one whose beginning the prompt held.
TAGS = "think|thinking|thought|thoughts|reasoning|reason|analysis|scratchpad|rationale"
# MedGemma's, Gemma 4's, Kimi's, ByteDance Seed's and Apertus's marks.
MARKS = (
    (r"\[THINK\]", r"\[/THINK\]"),
    ("<unused94>", "<unused95>"),
    (r"<\|channel>thought", r"<channel\|>"),
    ("◁think▷", "◁/think▷"),
    ("<seed:think>", "</seed:think>"),
    (r"<\|inner_prefix\|>", r"<\|inner_suffix\|>"),
)
BEGINS, ENDS = ("|".join(ends) for ends in zip(*MARKS, strict=True))
BETWEEN = "|".join(f"{begin}.*?{end}" for begin, end in MARKS)
REASONING = re.compile(rf"<(?P<tag>{TAGS})>.*?</(?P=tag)>|{BETWEEN}|^.*(?:</(?:{TAGS})>|{ENDS})", re.S | re.I)
ENDED = re.compile(rf"</(?:{TAGS})>|{ENDS}", re.I)
UNFINISHED = re.compile(rf"<(?:{TAGS})>|{BEGINS}", re.I)
# gpt-oss: <|channel|>analysis<|message|>...<|end|><|start|>assistant<|channel|>final<|message|>B, or without its marks.
FINAL_CHANNEL = re.compile(r"^.*(?:<\|channel\|>\s*final\s*(?:<\|message\|>)?|assistant\s*final(?=\W|[A-Z]|$))", re.S)
ANALYSIS_CHANNEL = re.compile(r"^\s*(?:<\|start\|>assistant)?(?:<\|channel\|>\s*)?(?:analysis|commentary)(?=<\||[A-Z\s:])")
# A chat template's marks that a server or a tokenizer left in the text.
CONTROL = re.compile(r"<\|[a-z_]+\|>")
# A model that does not stop writes the next turn, or the next question, itself: the answers there are not to this one.
TURN_ENDS = re.compile(
    r"<\|?(?:end|im_end|eot_id|eot|return|endoftext|end_of_text|end_of_turn|end_response|user|assistant)\|?>|</s>", re.I
)
QUESTION = re.compile(
    r"(?im)^[^\w\n]*(?:(?:question|questão|questao|pregunta|pergunta)(?:\s*(?:n[.º°o]*\s*)?\d{1,3}\s*(?:[:.)]|$)|\s*:)|"
    r"q\d{0,3}:|(?:human|user|instruction|問題)\s*:)"
)


def without_reasoning(text: str) -> str:
    """Text without the reasoning that ended. What follows the last end is not searched: "<think>" without end took seconds."""
    end = max((hit.end() for hit in ENDED.finditer(text)), default=0)
    return REASONING.sub("", text[:end]) + text[end:]


def plain(text: str) -> str:
    """Text without reasoning, marks of channels and markdown, letters of full width made plain; empty if it never ended."""
    if found := FINAL_CHANNEL.match(text):
        text = text[found.end() :]
    elif ANALYSIS_CHANNEL.match(text) and not re.match(r"\s*analysis[\s:]", text):
        return ""
    text = next((turn for turn in TURN_ENDS.split(without_reasoning(text)) if turn.strip()), "")
    if unfinished := UNFINISHED.search(text):
        text = text[: unfinished.start()]
    text = unicodedata.normalize("NFKC", CONTROL.sub(" ", text))
    text = re.sub(r"</?(?:b|strong|i|em|u|p|br)\s*/?>", " ", text, flags=re.I)
    text = re.sub(r"(?<![^\W_])_+|_+(?![^\W_])", "", text)  # markdown's, not those of a JSON key
    return re.sub(r"\n\s+\n", "\n\n", re.sub(r"[*`#$]+", "", text)).strip()
