"""Results on the hub: what would keep them from being pushed, and the push. Imports huggingface_hub where it is used only."""

from collections.abc import Iterable
from pathlib import Path

from common.errors import UserError

PUBLIC = "{} is there already, and public"  # creating it again would leave it so


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
    there already and public, where a private one is asked for: creating leaves its visibility as it is.
    """
    from huggingface_hub import HfApi

    api = HfApi()
    url = api.create_repo(repo, private=private, exist_ok=True)
    if private and not api.repo_info(repo).private:
        raise UserError(
            f"hub_private_repo: {PUBLIC.format(repo)}. Nothing was uploaded; all lies in {folder}. Make it private there or name "
            f"another, then: hf upload {repo} {folder} . --exclude 'checkpoint-*'"
        )
    api.upload_folder(
        repo_id=repo, folder_path=folder, allow_patterns=list(only) if only else None, ignore_patterns=[".*", *ignore]
    )
    return str(url)
