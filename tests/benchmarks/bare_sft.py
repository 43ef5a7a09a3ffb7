"""SFT as a notebook has it, in 30 lines of Unsloth and TRL: what scripts/sft.py is measured against.

python tests/benchmarks/bare_sft.py MODEL TRAIN.jsonl STEPS SAMPLING OUTPUT_DIR [max_length=512]

On a card activations are recomputed, as Unsloth's notebooks and scripts/sft.py have it; on a processor they are kept.
"""

import json
import sys

from unsloth import FastLanguageModel  # first, as Unsloth asks

import torch  # isort: skip
from datasets import Dataset  # isort: skip
from trl import SFTConfig, SFTTrainer  # isort: skip

name, data, steps, sampling, out = sys.argv[1:6]
longest = next((int(word.partition("=")[2]) for word in sys.argv[6:] if word.startswith("max_length=")), 512)
card = torch.cuda.is_available()
kind = "fp16" if card and not torch.cuda.is_bf16_supported(False) else "bf16"  # a T4 computes in fp16 alone
model, tokenizer = FastLanguageModel.from_pretrained(name, max_seq_length=longest, load_in_4bit=True)
model = FastLanguageModel.get_peft_model(
    model,
    r=16,
    lora_alpha=16,
    lora_dropout=0,
    random_state=3407,
    use_gradient_checkpointing="unsloth" if card else False,
    target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
)
rows = []
for line in open(data):
    turns = [
        {"role": {"human": "user", "gpt": "assistant"}[t["from"]], "content": t["value"]}
        for t in json.loads(line)["conversations"]
    ]
    rows.append({"prompt": turns[:-1], "completion": turns[-1:]})
trainer = SFTTrainer(
    model=model,
    processing_class=tokenizer,
    train_dataset=Dataset.from_list(rows),
    args=SFTConfig(
        output_dir=out,
        max_length=longest,
        max_steps=int(steps),
        per_device_train_batch_size=8,
        **{kind: True},
        gradient_accumulation_steps=1,
        gradient_checkpointing=card,
        learning_rate=5e-4,
        warmup_steps=0.03,
        weight_decay=0.01,
        lr_scheduler_type="linear",
        optim="adamw_8bit",
        seed=3407,
        data_seed=3407,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        train_sampling_strategy=sampling,
        include_num_input_tokens_seen="non_padding",
    ),
)
result = trainer.train()
lines = [line for line in trainer.state.log_history if "loss" in line]
found = {
    "seconds": result.metrics["train_runtime"],
    "tokens": trainer.state.num_input_tokens_seen,
    "losses": [line["loss"] for line in lines],
    "peak_gb": torch.cuda.max_memory_allocated() / 1e9 if card else None,
}
print(json.dumps(found))
