"""Distillation (GKD): a small model learns the next-word probabilities of a larger one, on the rows and on its own answers.

    python scripts/distill.py --model runs/bode/sft --teacher runs/large/sft --data train.jsonl --eval_data validation.jsonl
    python scripts/distill.py --model Qwen/Qwen3-0.6B --teacher Qwen/Qwen3-8B --teacher_load_in_4bit true --lmbda 0 \\
        --data data/bode/train.jsonl --eval_data data/bode/validation.jsonl --output_dir runs/bode/distill

Input   conversations, as for sft.py; the tokens that sft.py would train are those on which the two models are compared.
        `teacher` is a hub id, a model folder or an adapter folder, of the same vocabulary: the same words by the same numbers.
Output  as sft.py: checkpoint-N while it runs, then the adapter, tokenizer and template, run.json, metrics.jsonl. The loss is
        the divergence from the teacher, 0 where both say the same. It is taken on the held-out rows before the first step
        and at the end, stands in run.json (held_out_before, held_out), and where it did not fall the exit code is 1.

Answers. A share `lmbda` of the batches is answered by the student itself (for several turns the last one alone), and the
teacher judges each word of it: the student is corrected where it goes wrong by itself, at the price of writing an answer a
row. With --lmbda 0 the rows' own answers are used throughout, which is quicker. Let the teacher be good at the task
(evaluate.py), and the student come from SFT: what it writes is what it learns from.

Defaults: beta 0.5 and lmbda 0.5 as in TRL, temperature 1 as in the paper (Agarwal et al. 2023, arXiv 2306.13649). beta 0 is
the KL divergence that covers all that the teacher would say, 1 the one that keeps to what it says most. 1e-4 lies between
SFT's rate and those of the preference methods; it was not searched for.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from common.arguments import check_at_least, parse_args
from common.entry import run_main
from common.runs import first_process
from training import adapters, conversations, distillation, pipeline, trainer
from training.arguments import UNSHUFFLED, TrainingArgs
from training.rows import TrainingData
from training.trainer import float32_adapters, trainer_config

from data_prep.chat_template import Renderer


@dataclass
class Args(TrainingArgs):
    CONFIG_CLASS: ClassVar[str] = "trl.experimental.gkd.gkd_config.GKDConfig"
    LARGEST_RATE: ClassVar[float] = 2e-3
    REFUSED: ClassVar[dict[str, str]] = (
        UNSHUFFLED
        | dict.fromkeys(
            (
                *("label_smoothing_factor", "loss_type", "packing", "padding_free", "eval_packing", "packing_strategy"),
                *("pad_to_multiple_of", "router_aux_loss_coef"),
            ),
            "it does nothing in this method",
        )
        | dict.fromkeys(("teacher_model_name_or_path", "teacher_model_init_kwargs"), "pass --teacher and --teacher_load_in_4bit")
    )
    teacher: str = field(kw_only=True)
    """hub id, model folder or adapter folder that is learnt from"""
    teacher_load_in_4bit: bool = False
    """load the teacher in NF4: a quarter of its memory, and a little of its knowledge lost"""
    eval_data: str = field(kw_only=True)
    """held-out rows, on which the divergence from the teacher is taken before and after"""
    output_dir: str = "runs/distill"
    adapter: Literal[adapters.MERGEABLE] = "qlora"
    lmbda: float = 0.5
    """share of batches answered by the student itself; 0: the rows' own answers alone"""
    beta: float = 0.5
    """which divergence: 0 KL of the teacher from the student, 1 the reverse, between them Jensen-Shannon's"""
    temperature: float = 1.0
    """of sampling the student's answers"""
    max_new_tokens: int = 128
    """longest answer that the student writes"""
    max_length: int = 1024
    """longest row in tokens; longer ones are cut on the right, and counted"""
    learning_rate: float = 1e-4

    def problems(self) -> list[str]:
        found = super().problems() + distillation.teacher_problems(self.teacher, self.model)
        shares = {"lmbda": self.lmbda, "beta": self.beta}
        found += [f"{name}: {value} is not between 0 and 1" for name, value in shares.items() if not 0 <= value <= 1]
        found += check_at_least(self, 1, "max_new_tokens")
        if self.temperature <= 0:
            found.append(f"temperature: {self.temperature} must be above 0")
        return found

    def unused(self) -> dict[str, str]:
        none = "" if self.lmbda else "the student writes no answers with --lmbda 0"
        return super().unused() | dict.fromkeys(("temperature", "max_new_tokens"), none)


# ---------------------------------------------------------------------------------------------- data


def make_dataset(rows: list[dict], tokenizer, args: Args, path: str) -> TrainingData:
    """As sft.py's, the longest answer that the student may write counted in. Raises UserError for another vocabulary."""
    distillation.check_vocabulary(args.model, args.teacher)
    data = conversations.make_dataset(rows, tokenizer, args, path)
    if args.lmbda:
        written = max(distillation.answer_start(labels) for labels in data.rows["labels"]) + args.max_new_tokens
        data.counts.longest_row = max(data.counts.longest_row, written)
    return data


# ---------------------------------------------------------------------------------------------- model and trainer


def load_model(args: Args, tokenizer, plan=None):
    """As in every method, with room for prompt and answer."""
    return trainer.load_model(args, plan, args.max_length + args.max_new_tokens)


def make_trainer(args: Args, model, tokenizer, train, held_out):
    """TRL's GKDTrainer over adapters that Unsloth attaches, on tokens of ours."""
    from trl.experimental.gkd import GKDConfig, GKDTrainer

    model = adapters.attach(model, args)
    config = GKDConfig(
        **trainer_config(
            args,
            held_out,
            lmbda=args.lmbda,
            beta=args.beta,
            temperature=args.temperature,
            max_new_tokens=args.max_new_tokens,
            max_length=args.max_length,
            disable_dropout=False,  # there is none but what lora_dropout asks for
            eval_on_start=True,
        )
    )
    with float32_adapters(model):
        made = GKDTrainer(
            model=model,
            teacher_model=distillation.load_teacher(args),
            args=config,
            data_collator=distillation.Collator(tokenizer.pad_token_id),
            train_dataset=train,
            eval_dataset=held_out,
            processing_class=tokenizer,
        )
    distillation.keep_checkpointing(made)
    made.generation_config.eos_token_id = tokenizer.convert_tokens_to_ids(Renderer(tokenizer, args.enable_thinking).end)
    made.generation_config.use_cache = True  # TRL has none where activations are recomputed, which they are not while it answers
    return made


# ---------------------------------------------------------------------------------------------- main


def main() -> None:
    args = parse_args(Args, __doc__)
    pipeline.run(args, pipeline.Method("distill", conversations.check_row, make_dataset, make_trainer, load_model))
    if not args.dry_run and first_process():
        distillation.check_moved(args.output_dir)


if __name__ == "__main__":
    run_main(main)
