"""Results on the hub: the base that a card names, what would keep them from being pushed, and the push.

Imports huggingface_hub where it is used only.
"""

from collections.abc import Iterable
from pathlib import Path

from common.errors import UserError
from common.files import read_told
from common.models import EMBEDDED_MODEL, adapter_config, check_model_name

PUBLIC = "{} is there already, and public"  # creating it again would leave it so


def base_on_hub(model: str) -> str | None:
    """The hub id that a card may give for the base of `model`; None where none is known, for the hub refuses a folder.

    A folder is followed to what it was trained from (run.json), merged from (merge.json), or is an adapter of.
    """
    passed = []
    while model and model not in passed:
        if Path(model).resolve() == Path(EMBEDDED_MODEL).resolve():
            return "HuggingFaceTB/SmolLM2-135M-Instruct"
        if not Path(model).exists():
            return None if check_model_name(model) else model
        passed.append(model)
        trained, merged = read_told(Path(model, "run.json")).get("config") or {}, read_told(Path(model, "merge.json"))
        model = trained.get("model") or merged.get("base") or adapter_config(model).get("base_model_name_or_path")
    return None


def hub_problems(repo: str | None, private: bool) -> list[str]:
    """Why nothing could be pushed to OWNER/NAME; told before the work begins."""
    if not repo or repo.count("/") != 1:
        return [f"hub_model_id: give OWNER/NAME for --push_to_hub (found {repo!r})"]
    from huggingface_hub import HfApi, get_token

    if not get_token():
        return ["push_to_hub: nobody is logged in to the hub here; run: hf auth login"]
    try:
        public = private and not HfApi().repo_info(repo, timeout=10).private
    except Exception:  # none of that name yet, or no network now: pushing will tell
        return []
    return [f"hub_private_repo: {PUBLIC.format(repo)}; make it private there, or name another"] if public else []


def push(folder: Path, repo: str, private: bool, only: Iterable[str] | None = None, ignore: Iterable[str] = ()) -> str:
    """Upload a folder, or what of it the patterns of `only` name, to a repository that is made where there is none.

    Returns the repository's address. Hidden files and what `ignore` names stay here. Raises UserError for a repository that is
    there already and public, where a private one is asked for: creating leaves its visibility as it is; and for what the hub
    refuses or the network loses.
    """
    import httpx
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    api, again = HfApi(), f"hf upload {repo} {folder} . --exclude 'checkpoint-*'"
    try:
        url = api.create_repo(repo, private=private, exist_ok=True)
        if private and not api.repo_info(repo).private:
            raise UserError(
                f"hub_private_repo: {PUBLIC.format(repo)}. Nothing was uploaded; all lies in {folder}. Make it private there or "
                f"name another, then: {again}"
            )
        api.upload_folder(
            repo_id=repo, folder_path=folder, allow_patterns=list(only) if only else None, ignore_patterns=[".*", *ignore]
        )
    except (ValueError, HfHubHTTPError, httpx.HTTPError) as error:  # ValueError: a name or a card that the hub does not take
        said = " ".join(str(error).split())
        raise UserError(f"push_to_hub: {repo}: {said}. All lies in {folder}; mend that, then: {again}") from None
    return str(url)
