"""SFT by LLaMA-Factory, in a Python environment of its own: its pins and ours do not go together.

LLAMAFACTORY_PYTHON tests/benchmarks/llamafactory_sft.py MODEL TRAIN.jsonl STEPS SAMPLING OUTPUT_DIR

Same rows, system message, batches and settings as scripts/sft.py. torchaudio, which it imports for sound that is not here, is
stood in for where it cannot be loaded (its wheels want CUDA's libraries).
"""

import contextlib
import io
import json
import shutil
import sys
import types
from pathlib import Path

import torch
import transformers.trainer

try:
    import torchaudio  # noqa: F401
except (ImportError, OSError):
    sys.modules["torchaudio"] = types.ModuleType("torchaudio")
from llamafactory.train.tuner import run_exp

name, data, steps, sampling, out = sys.argv[1:6]
folder = Path(out).with_name("llamafactory")
folder.mkdir(exist_ok=True)
shutil.copy(data, folder / "train.jsonl")
about = {"rows": {"file_name": "train.jsonl", "formatting": "sharegpt", "columns": {"messages": "conversations"}}}
(folder / "dataset_info.json").write_text(json.dumps(about))
tokenizer = transformers.AutoTokenizer.from_pretrained(name)
begins = tokenizer.apply_chat_template([{"role": "user", "content": "?"}], tokenize=False)
system = begins.partition("<|im_start|>system\n")[2].partition("<|im_end|>")[0]
with contextlib.redirect_stdout(io.StringIO()):
    run_exp(
        dict(
            model_name_or_path=name,
            stage="sft",
            do_train=True,
            finetuning_type="lora",
            lora_rank=16,
            lora_alpha=16,
            lora_target="all",
            quantization_bit=4,
            quantization_method="bnb",
            dataset_dir=str(folder),
            dataset="rows",
            template="chatml",
            default_system=system or None,
            cutoff_len=512,
            output_dir=out,
            max_steps=int(steps),
            per_device_train_batch_size=8,
            gradient_accumulation_steps=1,
            learning_rate=5e-4,
            lr_scheduler_type="linear",
            warmup_steps=0.03,
            weight_decay=0.01,
            bf16=True,
            use_cpu=not torch.cuda.is_available(),
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            seed=3407,
            data_seed=3407,
            train_sampling_strategy=sampling,
            include_num_input_tokens_seen="non_padding",
            optim="adamw_torch_fused",
            disable_gradient_checkpointing=not torch.cuda.is_available(),
        )
    )
state = json.loads(Path(out, "trainer_state.json").read_text())
losses = [float(line["loss"]) for line in state["log_history"] if "loss" in line]
seconds = json.loads(Path(out, "train_results.json").read_text())["train_runtime"]
print(json.dumps({"seconds": seconds, "tokens": state["num_input_tokens_seen"], "losses": losses}))
