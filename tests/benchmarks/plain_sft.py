"""SFT by transformers' Trainer, PEFT and bitsandbytes, without Unsloth and TRL: what scripts/sft.py is measured against.

python tests/benchmarks/plain_sft.py MODEL TRAIN.jsonl STEPS SAMPLING OUTPUT_DIR [bf16] [max_length=512]

On a card activations are recomputed, as in scripts/sft.py; on a processor they are kept. Without max_length no row is cut.
bf16 leaves out PEFT's prepare_model_for_kbit_training, which puts norms, embeddings and output layer in float32.
"""

import json
import sys

import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    DataCollatorForSeq2Seq,
    Trainer,
    TrainingArguments,
    set_seed,
)

name, data, steps, sampling, out = sys.argv[1:6]
tokenizer = AutoTokenizer.from_pretrained(name)
device = "cuda" if torch.cuda.is_available() else "cpu"
old = device == "cuda" and not torch.cuda.is_bf16_supported(False)  # a T4 computes in fp16 alone
dtype = torch.float16 if old else torch.bfloat16
four = BitsAndBytesConfig(
    load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
)
model = AutoModelForCausalLM.from_pretrained(name, quantization_config=four, dtype=dtype, device_map=device)
if "bf16" not in sys.argv[6:]:
    model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
set_seed(3407)
longest = next((int(word.partition("=")[2]) for word in sys.argv[6:] if word.startswith("max_length=")), None)
linear = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
model = get_peft_model(model, LoraConfig(r=16, lora_alpha=16, target_modules=linear, task_type="CAUSAL_LM"))
rows = []
for line in open(data):
    turns = [
        {"role": {"human": "user", "gpt": "assistant"}[t["from"]], "content": t["value"]}
        for t in json.loads(line)["conversations"]
    ]
    prompt = tokenizer.apply_chat_template(turns[:-1], add_generation_prompt=True, return_dict=False)
    ids = tokenizer.apply_chat_template(turns, return_dict=False)
    # The line break after the end of a turn is not learnt: it is the same in every row, and would only make the loss look low.
    labels = [-100] * len(prompt) + ids[len(prompt) : -1] + [-100]
    rows.append({"input_ids": ids[:longest], "labels": labels[:longest]})
trainer = Trainer(
    model=model,
    train_dataset=Dataset.from_list(rows),
    data_collator=DataCollatorForSeq2Seq(tokenizer),
    args=TrainingArguments(
        output_dir=out,
        max_steps=int(steps),
        per_device_train_batch_size=8,
        bf16=not old,
        fp16=old,
        use_cpu=device == "cpu",
        gradient_accumulation_steps=1,
        gradient_checkpointing=device == "cuda",
        gradient_checkpointing_kwargs={"use_reentrant": False},
        learning_rate=5e-4,
        warmup_steps=0.03,
        weight_decay=0.01,
        lr_scheduler_type="linear",
        optim="adamw_torch_fused",
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
losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
found = {"seconds": result.metrics["train_runtime"], "tokens": trainer.state.num_input_tokens_seen, "losses": losses}
found["peak_gb"] = torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else None
print(json.dumps(found))
