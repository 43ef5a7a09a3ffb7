"""Models that answer, behind two calls: log-likelihoods of given options, and free text. Used by evaluate.py.

HuggingFace is a hub id, a folder or an adapter folder, loaded by Unsloth. What makes it quick on short questions:
the prompt and all its options run in one forward pass, each option seeing the prompt and itself only (a tree mask),
so the prompt is computed once; what all prompts begin with (system message, few-shot examples) is computed once for
the whole run; the vocabulary's logits are computed at the last prompt token and the options' tokens only.

Every engine has: name, precision, template_sha256, text(messages) -> the rendered prompt, encode(messages) -> ids,
option(text) -> ids, log_likelihoods([(prompt ids, [option ids, ...]), ...]) -> [[float, ...], ...] in nats,
generate([prompt ids, ...], max_new_tokens, temperature, seed) -> [(text, finished), ...] and token_nats(ids); `window` is
the longest sequence it takes, `reserve(tokens)` makes room for the longest that will come, `close()` gives it back. GGUF
files are in engines_llama.py, URLs in engines_url.py.
"""

from common import card, models, processor
from common.errors import UserError
from common.hashes import text_sha256
from common.models import adapter_config, has_cuda, is_adapter, load_tokenizer, virtual_tokens_of
from scoring.packing import BATCH_TOKENS, pack, shared_beginning, tokens_that_fit

from data_prep.chat_template import Renderer, TemplateError, set_template

# Nats a token, on average over the options, that two ways to compute one score may differ by in rounding. Seen on
# SmolLM2-135M: 5e-6 in float32, 0.05 in bfloat16; where the mask is not honoured, 0.8 to 1.0.
TOLERANCE = {"torch.float32": 1e-3, "torch.float16": 0.1, "torch.bfloat16": 0.4}


def window_of(model: str) -> float:
    """Longest sequence in tokens that a model was made for (infinite where its configuration names none)."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(model)
    except (OSError, ValueError):  # an adapter has no configuration of a model; its base has
        from peft import PeftConfig

        config = AutoConfig.from_pretrained(PeftConfig.from_pretrained(model).base_model_name_or_path)
    return getattr(config.get_text_config(), "max_position_embeddings", None) or float("inf")


class HuggingFace:
    """Model and tokenizer through Unsloth's FastLanguageModel, for scoring only.

    Args:
        model: hub id, folder or adapter folder.
        template, enable_thinking: as in training (chat_template.Renderer).
        dtype: "auto" (what Unsloth takes on this machine: bfloat16, or float32 on a processor that does not compute in
            it), "float32" (exact to 1e-3 nats whatever the batch, and about 1.8 times as slow), "bfloat16" or "float16".
        load_in_4bit: NF4 weights, as QLoRA trained on; false: `dtype` weights, as export_gguf.py merges to.
        max_length: longest prompt with answer, tokens.
    """

    def __init__(self, model: str, template: str, enable_thinking: bool, dtype: str, load_in_4bit: bool, max_length: int):
        import torch

        models.find_model(model)  # what it has to say of the hub is shown
        card.settle()
        with models.untold():
            from unsloth import FastLanguageModel

        self.name = model
        self.tokenizer = load_tokenizer(model)
        try:
            self.renderer = Renderer(set_template(self.tokenizer, template), enable_thinking)
        except TemplateError as error:
            raise UserError(f"model: {model}: {error}") from None
        self.template_sha256 = text_sha256(f"{'on' if enable_thinking else 'off'}\n{self.tokenizer.chat_template}")
        chosen = {} if dtype == "auto" else {"dtype": getattr(torch, dtype)}
        # Asked for more than the model was made for, Unsloth stretches its positions, and every score changes.
        self.window = window_of(model)
        self.longest = int(min(max_length, self.window))
        self.model = self._load(model, self.longest, load_in_4bit, chosen)
        FastLanguageModel.for_inference(self.model)
        self.model.eval()
        if not has_cuda():
            processor.use_onednn_layout(self.model)
        self.device = card.device_of(self.model)
        self.prefix, self.cache, self.pairs, self.packed = [], None, False, None
        end = self.tokenizer.convert_tokens_to_ids(self.renderer.end)
        known = self.model.generation_config.eos_token_id
        self.ends = sorted({end, *(known if isinstance(known, list) else [known] if known is not None else [])})

    def _load(self, model: str, max_length: int, load_in_4bit: bool, chosen: dict):
        """The model, an adapter merged into its base where the numbers allow it: unmerged it is five times slower.

        NF4 weights cannot take an adapter in (they would be rounded again); on a processor they are unpacked first,
        which changes no number. On a GPU, where memory is what NF4 saves, the adapter stays beside them.
        """
        unpack = load_in_4bit and not has_cuda()
        base = adapter_config(model)["base_model_name_or_path"] if unpack and is_adapter(model) else model
        models.find_model(base)
        with models.untold():
            loaded, _ = models.load_model(base, max_length, load_in_4bit, **chosen)
        four = sum("4bit" in type(module).__name__ for module in loaded.modules())
        self.precision = ("nf4, computed in " if four else "") + str(loaded.dtype).removeprefix("torch.")
        if chosen and loaded.dtype != chosen["dtype"]:
            print(f"note: {chosen['dtype']} was asked for, Unsloth loads {loaded.dtype} on this machine")
        if four and unpack:
            processor.dequantize_nf4(loaded)
        if base != model:
            loaded = models.with_adapter(loaded, model)
        if hasattr(loaded, "merge_and_unload") and (unpack or not four):
            loaded = loaded.merge_and_unload()
        return loaded

    @property
    def batch_tokens(self) -> int:
        """Tokens a forward pass: on a GPU as many as half of its free memory takes."""
        import torch

        if not has_cuda():
            return BATCH_TOKENS
        return tokens_that_fit(self.model.config.get_text_config(), torch.cuda.mem_get_info()[0] / 2)

    def reserve(self, tokens: int) -> None:
        """Room for sequences of so many tokens; nothing to be done here."""

    def close(self) -> None:
        """Nothing to be done either."""

    def encode(self, messages: list[dict]) -> list[int]:
        return self.renderer.encode_prompt(messages)

    def option(self, text: str) -> list[int]:
        return self.renderer.decode_text(text)

    def text(self, messages: list[dict]) -> str:
        return self.renderer.render(messages, generate=True)

    def decode(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=True)

    @property
    def first_token(self) -> int:
        """What a text begins after, as in lm-evaluation-harness: the beginning-of-text token, else the end token."""
        return self.tokenizer.bos_token_id if self.tokenizer.bos_token_id is not None else self.tokenizer.eos_token_id

    def token_nats(self, ids: list[int]) -> list[float]:
        """-log p of each token but the first, given those before it."""
        import torch

        given = torch.tensor([ids[:-1]], device=self.device)
        with torch.inference_mode():
            logits = self.model(input_ids=given, use_cache=False).logits[0]
            wanted = torch.tensor(ids[1:], device=self.device)
            # In slices: float32 logits of a long text and a large vocabulary take gigabytes.
            return [
                value
                for at in range(0, len(wanted), 256)
                for value in torch.nn.functional.cross_entropy(
                    logits[at : at + 256].float(), wanted[at : at + 256], reduction="none"
                ).tolist()
            ]

    def share_prefix(self, prompts: list[list[int]]) -> None:
        """Compute once what all these prompts begin with; later prompts must begin with it as well."""
        import torch

        self.prefix, self.cache = [], None
        if virtual_tokens_of(self.name):
            return  # they stand before the prompt, where no cache of ours can
        common_part = shared_beginning(prompts)
        if not common_part:
            return
        with torch.inference_mode():
            out = self.model(input_ids=torch.tensor([common_part], device=self.device), use_cache=True, logits_to_keep=1)
        made = out.past_key_values
        layers = getattr(made, "layers", None)
        # Unsloth's own decoder, on a GPU, gives and takes one (keys, values) a layer.
        self.pairs = isinstance(made, tuple | list) and all(isinstance(one, tuple) and len(one) == 2 for one in made)
        if self.pairs:
            self.prefix, self.cache = common_part, list(made)
        elif layers and all(type(layer).__name__ == "DynamicLayer" for layer in layers):
            self.prefix, self.cache = common_part, [(layer.keys, layer.values) for layer in layers]
        else:  # sliding windows and recurrent states are not plain keys and values
            print(
                "note: the prompts' shared beginning is computed for every row: this model's cache is not plain keys and values"
            )

    def log_likelihoods(self, requests: list[tuple[list[int], list[list[int]]]]) -> list[list[float]]:
        """Summed log-probability (nats) of each option after its prompt; equal to one pass an option, but quicker."""
        if self.packed is None:
            self.packed = self._check_packed(requests[:1])
        return self._in_parts(requests) if self.packed else self._one_by_one(requests)

    def _in_parts(self, requests) -> list[list[float]]:
        """`_packed`, in halves where a batch is longer than the model was loaded for (Unsloth cuts it) or memory is short."""
        import torch

        width = max(len(prompt) for prompt, _ in requests)
        depth = max(sum(len(option) - 1 for option in options) for _, options in requests)
        if width + depth <= self.longest:
            try:
                return self._packed(requests)
            except torch.OutOfMemoryError:
                if len(requests) == 1 and len(requests[0][1]) == 1:
                    raise UserError("batch_tokens: not even one row fits in the GPU's memory; lower --max_length") from None
                torch.cuda.empty_cache()
        if len(requests) > 1:
            half = len(requests) // 2
            return self._in_parts(requests[:half]) + self._in_parts(requests[half:])
        prompt, options = requests[0]
        if len(options) == 1:
            return self._one_by_one(requests)
        half = len(options) // 2
        return [self._in_parts([(prompt, options[:half])])[0] + self._in_parts([(prompt, options[half:])])[0]]

    def _check_packed(self, requests) -> bool:
        """Whether this model honours the tree mask and the cache (a patched kernel may not), by comparing once."""
        prompt, options = requests[0]
        own = len(prompt) - len(self.prefix)
        probe = [(prompt, options), (prompt[: len(self.prefix) + (own + 1) // 2], options)]  # two lengths: padding is tried too
        fitting = [option for option in options if len(prompt) + len(option) <= self.longest][:2]
        if sum(map(len, options)) + len(prompt) > self.longest and fitting:
            probe = [(one, fitting[:1]) for one, _ in probe]
        try:
            found = [
                abs(a - b) / len(option)
                for one, two in zip(self._packed(probe), self._one_by_one(probe), strict=True)
                for a, b, option in zip(one, two, probe[0][1], strict=True)
            ]
            difference = sum(found) / len(found)
        except (RuntimeError, ValueError, TypeError, AttributeError, IndexError) as error:
            difference = f"{type(error).__name__}: {str(error)[:80]}"
        if isinstance(difference, float) and difference <= TOLERANCE.get(str(self.model.dtype), 0.4):
            return True
        print(f"note: scores each option by itself, which is slower: this model does not take shared prompts ({difference})")
        return False

    def _packed(self, requests):
        import torch

        packed = pack([(prompt[len(self.prefix) :], options) for prompt, options in requests], len(self.prefix))
        dtype = self.model.dtype
        mask = torch.zeros(packed.seen.shape, dtype=dtype).masked_fill(~packed.seen, torch.finfo(dtype).min)[:, None]
        with torch.inference_mode():
            out = self.model(
                input_ids=packed.ids.to(self.device),
                position_ids=packed.positions.to(self.device),
                attention_mask=mask.to(self.device),
                logits_to_keep=packed.kept,
                **self._cached(len(requests)),
            )
            return [
                self._gather(out.logits[i], spots, options)
                for i, (spots, (_, options)) in enumerate(zip(packed.spots, requests, strict=True))
            ]

    def _cached(self, rows: int) -> dict:
        if not self.cache:
            return {"use_cache": False}
        if self.pairs:
            shape = (rows, -1, -1, -1)
            return {"past_key_values": [(k.expand(shape), v.expand(shape)) for k, v in self.cache], "use_cache": True}
        from transformers import DynamicCache

        cache = DynamicCache()
        for layer, (keys, values) in enumerate(self.cache):
            cache.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), layer)
        return {"past_key_values": cache, "use_cache": True}

    @staticmethod
    def _gather(logits, spots, options) -> list[float]:
        """Sum over each option's tokens of log softmax; logits (positions, vocabulary), spots where to look."""
        import torch

        logits = logits.float()
        total = logits.logsumexp(-1)
        return [
            float(sum(logits[s, t] - total[s] for s, t in zip(spot, option, strict=True)).to(torch.float64))
            for spot, option in zip(spots, options, strict=True)
        ]

    def _one_by_one(self, requests):
        """The plain way: prompt and option as one sequence, one row each, padded on the left."""
        import torch

        scores = []
        for prompt, options in requests:
            row = []
            for option in options:
                ids = torch.tensor([prompt + option[:-1]], device=self.device)
                with torch.inference_mode():
                    logits = self.model(
                        input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False, logits_to_keep=len(option)
                    ).logits[0]
                row += self._gather(logits[-len(option) :], [list(range(len(option)))], [option])
            scores.append(row)
        return scores

    def generate(
        self, prompts: list[list[int]], max_new_tokens: int, temperature: float = 0.0, seed: int = 0
    ) -> list[tuple[str, bool]]:
        """Continuation of each prompt, greedy at temperature 0: (text without control tokens, whether it ended by itself)."""
        import torch

        how = {"do_sample": False}
        if temperature > 0:
            torch.manual_seed(seed)
            how = {"do_sample": True, "temperature": temperature, "top_p": 1.0, "top_k": 0}

        try:
            return self._generate(prompts, max_new_tokens, how)
        except torch.OutOfMemoryError:
            if len(prompts) == 1:
                raise UserError("batch_tokens: not even one row fits in the GPU's memory; lower --max_new_tokens") from None
            torch.cuda.empty_cache()
        half = len(prompts) // 2
        first = self.generate(prompts[:half], max_new_tokens, temperature, seed)
        # With the same seed the samples of one prompt would come out twice.
        return first + self.generate(prompts[half:], max_new_tokens, temperature, seed + half)

    def _generate(self, prompts: list[list[int]], max_new_tokens: int, how: dict) -> list[tuple[str, bool]]:
        import torch

        width = max(map(len, prompts))
        pad = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else self.ends[0]
        ids = torch.tensor([[pad] * (width - len(p)) + p for p in prompts], device=self.device)
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=self.device)
        with torch.inference_mode():
            out = self.model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=max_new_tokens,
                **how,
                pad_token_id=pad,
                eos_token_id=self.ends,
                use_cache=True,
            )
        answers = out[:, width:].tolist()
        return [(self.tokenizer.decode(a, skip_special_tokens=True), any(t in self.ends for t in a)) for a in answers]
