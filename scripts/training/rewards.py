"""Reward functions for GRPO, of TRL's shape: (prompts, completions, columns of the rows) -> a list of numbers.

`completions` is a list of [{"role": "assistant", "content": text}]. Importing this file imports no torch.
"""

import json

from common.models import has_cuda
from export.adapter_folder import base_of
from scoring import answers
from training.trainer import dtype


def right_answer(args):
    """1 for the right answer, `args.format_reward` for a wrong one that can be read, else 0; read as evaluate.py reads."""

    def right_answer(completions, options, gold, **rest):
        read = [answers.extract(c[0]["content"], json.loads(o)) for c, o in zip(completions, options, strict=True)]
        return [1.0 if a == g else args.format_reward if a else 0.0 for a, g in zip(read, gold, strict=True)]

    return right_answer


def from_model(folder: str, renderer):
    """The score of a reward model (folder of reward.py) for each conversation, rendered as in its training.

    Its base is loaded in 16 bits: trained in 4 bits, the adapter may name a prequantised base, whose score head would be
    quantised too.
    """
    import torch
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    base = AutoModelForSequenceClassification.from_pretrained(base_of(folder), num_labels=1, dtype=dtype())
    scorer = PeftModel.from_pretrained(base, folder).eval().requires_grad_(False)
    pad = renderer.tokenizer.pad_token_id
    scorer.config.pad_token_id = pad
    if has_cuda():
        scorer.cuda()

    def reward_model(prompts, completions, **rest):
        rows = [
            renderer.encode_prompt(p) + renderer.encode_answer(p, c[0]["content"])
            for p, c in zip(prompts, completions, strict=True)
        ]
        longest = max(map(len, rows))
        ids = torch.tensor([row + [pad] * (longest - len(row)) for row in rows], device=scorer.device)
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=scorer.device)
        with torch.no_grad():
            return scorer(input_ids=ids, attention_mask=mask).logits[:, 0].float().tolist()

    return reward_model
