"""What is wrong with a request that llama.cpp would answer all the same: it leaves out fields that it does not know, values of a
kind that it does not expect, and what other servers do and it does not."""

import difflib

# Fields of llama.cpp's chat and text completions, and those of OpenAI's that change no answer.
KNOWN = frozenset(
    """messages prompt model stream stream_options n_predict max_tokens max_completion_tokens n n_cmpl stop temperature
    top_k top_p min_p top_n_sigma typical_p typ_p xtc_probability xtc_threshold dynatemp_range dynatemp_exponent
    repeat_last_n repeat_penalty frequency_penalty presence_penalty dry_multiplier dry_base dry_allowed_length
    dry_penalty_last_n dry_sequence_breakers mirostat mirostat_tau mirostat_eta adaptive_target adaptive_decay seed
    logit_bias logprobs top_logprobs n_probs min_keep samplers backend_sampling post_sampling_probs ignore_eos n_keep
    n_discard n_indent n_cache_reuse cache_prompt id_slot t_max_predict_ms response_fields response_format json_schema
    grammar grammar_lazy grammar_triggers grammar_type preserved_tokens tools tool_choice parallel_tool_calls
    parse_tool_calls chat_template_kwargs add_generation_prompt continue_final_message generation_prompt chat_format
    chat_parser reasoning_format reasoning_in_content reasoning_control thinking_forced_open thinking_budget_tokens
    reasoning_budget_tokens reasoning_budget_start_tag reasoning_budget_end_tag reasoning_budget_end_tags
    reasoning_budget_message timings_per_token return_tokens return_progress sse_ping_interval verbose lora user metadata
    store service_tier safety_identifier prompt_cache_key prompt_cache_retention prediction""".split()
)
# Fields of OpenAI's that llama.cpp does nothing about, and the values that ask for nothing.
UNDONE = {
    "best_of": (None, 1),
    "echo": (None, False),
    "suffix": (None, ""),
    "functions": (None, []),
    "function_call": (None, "none", "auto"),
    "reasoning_effort": (None, "none"),
    "verbosity": (None,),
    "modalities": (None, ["text"]),
    "audio": (None,),
    "web_search_options": (None,),
}
LEAST = {"temperature": 0, "top_p": 0, "min_p": 0, "top_k": -1, "top_logprobs": 0, "n_probs": 0}
MOST = {"top_p": 1, "min_p": 1}
SEEN = ("image_url", "input_image", "image", "input_audio", "audio", "input_video", "video_url", "input_file", "file", "document")
ROLES = ("system", "developer", "user", "assistant", "tool")
COMPLETIONS = ("completion", "completions")  # last words of the paths whose fields are KNOWN


def unheard(path: str, asked) -> str | None:
    """What is wrong with a conversation of which the model would not hear all: templates leave out a role that they do not know,
    and llama.cpp answers what is left, or nothing at all, as if it had been asked so."""
    key = {"completions": "messages", "messages": "messages", "responses": "input"}.get(path.rpartition("/")[2])
    turns = asked.get(key) if key and isinstance(asked, dict) else None
    if not isinstance(turns, list):
        return None  # llama.cpp says what is wrong
    if not turns:
        return f"{key}: holds no message, so nothing is asked"
    said = (turn.get("role") for turn in turns if isinstance(turn, dict) and "role" in turn)
    strange = next((str(role)[:40] for role in said if role not in ROLES), None)
    return strange and f"{key}: role {strange!r} is not one of {', '.join(ROLES)}, and the model would not hear what it says"


def field_problem(path: str, asked) -> str | None:
    """The first thing that a client asked for and would not get; None where there is none."""
    if not isinstance(asked, dict):
        return None  # llama.cpp says what is wrong
    last = path.rpartition("/")[2]
    found = None
    if last in COMPLETIONS:
        found = _name_problem(asked) or _value_problem(asked) or _tool_problem(asked)
    turns = asked.get("input" if last == "responses" else "messages")
    return found or (_turn_problem(turns, last) if isinstance(turns, list) else None)


def _name_problem(asked: dict) -> str | None:
    for name, value in asked.items():
        if name in UNDONE and not any(value is one or (value == one and type(value) is type(one)) for one in UNDONE[name]):
            return f"{name}: llama.cpp does nothing about it, so the answer would not be what is asked for; leave it out"
        if name not in KNOWN and name not in UNDONE and not name.startswith("speculative."):
            alike = difflib.get_close_matches(name, KNOWN, 1)
            return f"{name[:60]}: there is no such field" + (
                f"; is {alike[0]} meant?" if alike else ", and it would change nothing"
            )
    return None


def _value_problem(asked: dict) -> str | None:
    stop = asked.get("stop")
    stops = stop if isinstance(stop, list) else [] if stop is None else [stop]
    if not all(isinstance(one, str) and one for one in stops):
        return "stop: give a text or a list of texts, none of them empty"
    if not isinstance(asked.get("chat_template_kwargs", {}), dict | None):
        return "chat_template_kwargs: give an object"
    if not isinstance(asked.get("logit_bias", {}), dict | list | None):
        return "logit_bias: give an object of token ids and numbers"
    for name, low in LEAST.items():
        value, high = asked.get(name), MOST.get(name)
        if isinstance(value, int | float) and (value < low or (high is not None and value > high)):
            return f"{name}: {value} is {f'not between {low} and {high}' if high is not None else f'less than {low}'}"
    return None


def _tool_problem(asked: dict) -> str | None:
    tools, choice = asked.get("tools"), asked.get("tool_choice")
    if tools is not None and not isinstance(tools, list):
        return "tools: give a list"
    for tool in tools or []:
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            return 'tools: each is {"type": "function", "function": {"name": ..., "parameters": ...}}'
    if isinstance(choice, dict):
        return "tool_choice: llama.cpp takes none, auto or required, not one tool's name; give that tool alone, and required"
    return "tool_choice: there are no tools to choose among" if choice not in (None, "none", "auto") and not tools else None


def _turn_problem(turns: list, last: str) -> str | None:
    key = "input" if last == "responses" else "messages"
    for turn in turns:
        if not isinstance(turn, dict):
            return f"{key}: a message is an object with role and content"
        if key == "messages" and not isinstance(turn.get("role"), str):
            return f"{key}: a message has no role"
        content = turn.get("content")
        parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
        if seen := next((part["type"] for part in parts if part.get("type") in SEEN), None):
            return f"{key}: a part of type {seen!r}; the model served here reads text only"
        if turn.get("role") in ("system", "developer", "user") and "content" in turn and content in (None, []):
            return f"{key}: the content of a {turn['role']}'s message is empty"
    return None
