"""A model hub on this machine, as far as huggingface_hub and datasets ask for one: read, written, and faulty on request.

    hub = LocalHub(); hub.put("dataset", "owner/name", {"train.json": b"..."})
    with hub: run(env=hub.environment(cache))

Answers the repository's information, tree, paths and files (whole, in ranges, HEAD), authentication, creation, and commits
with and without LFS. Written from what the pinned clients send; a request that it does not know is a 501 with its path, so
that a test fails loudly.
"""

import base64
import fnmatch
import hashlib
import json
import re
import socket
import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "hf_local"
LFS = ("*.safetensors", "*.gguf", "*.bin")  # of a push; what `put` holds is read as it is


def git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass
class Repository:
    """One repository: its files by commit, the last commit being main."""

    kind: str
    name: str
    commits: list[tuple[str, dict[str, bytes]]] = field(default_factory=list)
    gated: bool = False
    private: bool = False

    def commit(self, files: dict[str, bytes]) -> str:
        content = repr(sorted((p, git_oid(c)) for p, c in files.items())) + str(len(self.commits))
        self.commits.append((hashlib.sha1(content.encode()).hexdigest(), files))
        return self.commits[-1][0]

    def at(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        if revision in ("main", "HEAD"):
            return self.commits[-1]
        return next((c for c in self.commits if c[0] == revision), None)


class LocalHub:
    """The server, in a thread.

    `breaks`: path endings whose next download is cut in the middle, one time each (`resets`: by a reset).
    """

    def __init__(self):
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.requests: list[str] = []
        self.breaks: list[str] = []
        self.resets = False
        self.uploads: dict[str, bytes] = {}
        hub = self

        class Handler(HubHandler):
            pass

        Handler.hub = hub
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def put(self, kind: str, name: str, files: dict[str, bytes], gated: bool = False, private: bool = False) -> str:
        """A new commit of a repository with just these files; returns its hash."""
        repository = self.repositories.setdefault((kind, name), Repository(kind, name))
        repository.gated, repository.private = gated, private
        return repository.commit(files)

    def put_folder(self, kind: str, name: str, folder: Path, **more) -> str:
        files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        return self.put(kind, name, files, **more)

    def environment(self, home: Path, **more) -> dict[str, str]:
        """Variables for a process that takes this hub for the hub and `home` for its cache."""
        import os

        kept = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
        return (
            kept
            | {"HF_ENDPOINT": self.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
            | more
        )


class HubHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: LocalHub

    def log_message(self, *_):
        pass

    # ------------------------------------------------------------------------------------------ answers

    def answer(self, code: int, content: bytes = b"", **headers) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def json(self, value, code: int = 200, **headers) -> None:
        self.answer(code, json.dumps(value).encode(), Content_Type="application/json", **headers)

    def fault(self, code: int, error: str, message: str) -> None:
        self.json({"error": message}, code, X_Error_Code=error, X_Error_Message=message)

    def allowed(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def repository(self, kind: str, name: str, files: bool) -> Repository | None:
        """The repository, or None after the refusal was sent: the hub gives 401 for what is not there to a stranger."""
        found = self.hub.repositories.get((kind, name))
        if found is None or (found.private and not self.allowed()):
            self.fault(404 if self.allowed() else 401, "RepoNotFound", "Repository not found")
            return None
        if files and found.gated and not self.allowed():
            self.fault(403 if self.headers.get("Authorization") else 401, "GatedRepo", f"Access to {name} is restricted")
            return None
        return found

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    # ------------------------------------------------------------------------------------------ requests

    def handle_any(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        body = self.body() if self.command in ("POST", "PUT") else b""
        for pattern, method in ROUTES:
            if found := re.fullmatch(pattern, path):
                return getattr(self, method)(body, *found.groups())
        self.answer(501, f"{self.command} {self.path} is not known to tests/recipes/local_hub.py".encode())

    do_GET = do_HEAD = do_POST = do_PUT = handle_any

    def whoami(self, _):
        if not self.allowed():
            return self.fault(401, "Unauthorized", "Invalid username or password.")
        self.json({"type": "user", "name": "tester", "fullname": "T", "orgs": [], "auth": {"accessToken": {"role": "write"}}})

    def info(self, _, kind, name, revision):
        """Information of a repository; `auth-check` is asked for with the same route."""
        found = self.repository(kind, name, files=revision == "auth-check")
        if found is None:
            return
        if revision == "auth-check":
            return self.json({})
        revision = (revision or "main").removeprefix("revision/")
        commit = found.at(revision)
        if commit is None:
            return self.fault(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        self.json(
            {
                "_id": "1",
                "id": name,
                "modelId": name,
                "author": name.partition("/")[0],
                "sha": commit[0],
                "private": found.private,
                "gated": "auto" if found.gated else False,
                "disabled": False,
                "downloads": 0,
                "likes": 0,
                "tags": [],
                "lastModified": "2026-01-01T00:00:00.000Z",
                "createdAt": "2026-01-01T00:00:00.000Z",
                "siblings": [{"rfilename": p} for p in sorted(commit[1])],
            }
        )

    def entries(self, files: dict[str, bytes], below: str, deep: bool) -> list[dict]:
        below = below.strip("/")
        found, folders = [], set()
        for path, content in sorted(files.items()):
            if below and not path.startswith(below + "/"):
                continue
            rest = path[len(below) + 1 :] if below else path
            parts = rest.split("/")
            start = below + "/" if below else ""
            folders |= {start + "/".join(parts[:i]) for i in range(1, len(parts) if deep else min(2, len(parts)))}
            if deep or len(parts) == 1:
                found.append({"type": "file", "path": path, "size": len(content), "oid": git_oid(content)})
        return [{"type": "directory", "path": p, "size": 0, "oid": git_oid(p.encode())} for p in sorted(folders)] + found

    def tree(self, _, kind, name, revision, below):
        found = self.repository(kind, name, files=True)
        if found is None:
            return
        commit = found.at(revision)
        if commit is None:
            return self.fault(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        deep = parse_qs(urlsplit(self.path).query).get("recursive", ["false"])[0].lower() in ("true", "1")
        entries = self.entries(commit[1], below or "", deep)
        if below and not entries:
            return self.fault(404, "EntryNotFound", f"{below} does not exist")
        self.json(entries)

    def paths_info(self, body, kind, name, revision):
        found = self.repository(kind, name, files=True)
        if found is None:
            return
        asked = json.loads(body) if body.startswith(b"{") else {k: v for k, v in parse_qs(body.decode()).items()}
        every = {e["path"]: e for e in self.entries(found.at(revision)[1], "", deep=True)}
        self.json([every[p] for p in asked["paths"] if p in every])

    def resolve(self, _, kind, name, revision, path):
        found = self.repository("dataset" if kind else "model", name, files=True)
        if found is None:
            return
        commit = found.at(revision)
        content = commit[1].get(path) if commit else None
        if content is None:
            error = "EntryNotFound" if commit else "RevisionNotFound"
            return self.fault(404, error, f"{path} at {revision} is not there")
        tags = {"ETag": f'"{git_oid(content)}"', "X_Repo_Commit": commit[0], "Accept_Ranges": "bytes"}
        if self.command == "GET" and any(path.endswith(b) for b in self.hub.breaks):
            self.hub.breaks = [b for b in self.hub.breaks if not path.endswith(b)]
            return self.cut(content, tags)
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if not asked:
            return self.answer(200, content, **tags)
        start, stop = int(asked[1]), min(int(asked[2] or len(content) - 1), len(content) - 1)
        if start >= len(content):
            return self.answer(416, b"", Content_Range=f"bytes */{len(content)}", **tags)
        self.answer(206, content[start : stop + 1], Content_Range=f"bytes {start}-{stop}/{len(content)}", **tags)

    def cut(self, content: bytes, tags: dict) -> None:
        """Half of a file, then the connection ends."""
        self.send_response(200)
        for name, value in (tags | {"Content_Length": len(content)}).items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])
        self.wfile.flush()
        self.close_connection = True
        if self.hub.resets:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self.connection.shutdown(socket.SHUT_RDWR)

    # ------------------------------------------------------------------------------------------ writing

    def create(self, body):
        if not self.allowed():
            return self.fault(401, "Unauthorized", "Invalid credentials")
        asked = json.loads(body)
        kind = asked.get("type") or "model"
        owner = asked.get("organization") or "tester"
        name = f"{owner}/{asked['name']}"
        told = {"url": f"{self.hub.url}/{'datasets/' if kind == 'dataset' else ''}{name}", "name": name, "id": name}
        if (kind, name) in self.hub.repositories:  # it keeps its visibility
            return self.json(told | {"error": "You already created this repo"}, 409)
        repository = self.hub.repositories[kind, name] = Repository(kind, name)
        repository.commit({})
        repository.private = bool(asked.get("private") or asked.get("visibility") == "private")
        self.json(told)

    def preupload(self, body, kind, name, _):
        files = json.loads(body)["files"]
        modes = ["lfs" if any(fnmatch.fnmatch(f["path"], p) for p in LFS) else "regular" for f in files]
        told = [{"path": f["path"], "uploadMode": m, "shouldIgnore": False} for f, m in zip(files, modes, strict=True)]
        self.json({"files": told})

    def lfs_batch(self, body, *_):
        objects = json.loads(body)["objects"]
        action = lambda oid: {"upload": {"href": f"{self.hub.url}/lfs-store/{oid}", "header": {}}}  # noqa: E731
        self.json({"transfer": "basic", "objects": [{**o, "actions": action(o["oid"])} for o in objects]})

    def lfs_store(self, body, oid):
        assert hashlib.sha256(body).hexdigest() == oid
        self.hub.uploads[oid] = body
        self.answer(200)

    def yaml(self, body, *_):
        """A card's head; like the hub's own check of `base_model`: an id, not a folder."""
        base = re.search(r'^base_model: "?([^"\n]+)', json.loads(body)["content"], re.MULTILINE)
        if base is None or re.fullmatch(r"[\w.-]+/[\w.-]+", base[1]):
            return self.json({"errors": [], "warnings": []})
        message = f'"base_model" with value "{base[1]}" is not valid. Use a model id from https://hf.co/models.'
        self.answer(400, json.dumps({"errors": [{"message": message}], "warnings": []}).encode())

    def commit(self, body, kind, name, _):
        if not self.allowed():
            return self.fault(401, "Unauthorized", "Invalid credentials")
        repository = self.repository(kind, name, files=True)
        if repository is None:
            return
        files = dict(repository.commits[-1][1]) if repository.commits else {}
        for line in body.decode().splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.hub.uploads[value["oid"]]
            elif entry["key"] == "deletedFile":
                files.pop(value["path"], None)
        oid = repository.commit(files)
        url = f"{self.hub.url}/{'datasets/' if kind == 'dataset' else ''}{name}/commit/{oid}"
        self.json({"success": True, "commitOid": oid, "commitUrl": url, "hookOutput": ""})


NAME = r"([\w.-]+/[\w.-]+)"
ROUTES = (
    (r"/api/whoami-v2", "whoami"),
    (r"/api/validate-yaml", "yaml"),
    (r"/api/repos/create", "create"),
    (rf"/api/(model|dataset)s/{NAME}(?:/(auth-check|revision/[^/]+))?", "info"),
    (rf"/api/(model|dataset)s/{NAME}/tree/([^/]+)(/.*)?", "tree"),
    (rf"/api/(model|dataset)s/{NAME}/paths-info/([^/]+)", "paths_info"),
    (rf"/api/(model|dataset)s/{NAME}/preupload/([^/]+)", "preupload"),
    (rf"/api/(model|dataset)s/{NAME}/commit/([^/]+)", "commit"),
    (rf"/(datasets/)?{NAME}\.git/info/lfs/objects/batch", "lfs_batch"),
    (r"/lfs-store/(\w+)", "lfs_store"),
    (rf"/(datasets/)?{NAME}/resolve/([^/]+)/(.+)", "resolve"),
)
