"""A scripted OpenAI-compatible server: what is asked of it is kept, what it answers is a function of the test's."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def reply(text: str, usage: dict | None = None, **more) -> tuple[int, dict]:
    """Status and body of a whole answer; `more` goes into its one choice."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop", **more}
    return 200, {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}


class ScriptedServer(ThreadingHTTPServer):
    """Serves from its creation on; `answer(body) -> (status, reply)` may be given or set, or be a method.

    `models` is what it lists. `asked` holds the bodies in their order; after `limit` of them every call is refused. `most` is
    how many were answered at once, and with a barrier in `together` none is answered before so many have come.
    """

    def __init__(self, answer=None):
        super().__init__(("127.0.0.1", 0), Handler)
        if answer:
            self.answer = answer
        self.asked, self.limit, self.now, self.most, self.together = [], None, 0, 0, None
        self.models = ["served"]
        self.lock, self.url = threading.Lock(), f"http://127.0.0.1:{self.server_port}/v1"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        """The list of models."""
        self.send({"object": "list", "data": [{"id": name, "object": "model"} for name in self.server.models]})

    def do_POST(self):
        server, body = self.server, json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            server.asked.append(body)
            refused = server.limit is not None and len(server.asked) > server.limit
            server.now += 1
            server.most = max(server.most, server.now)
        if server.together:
            server.together.wait(20)
        status, told = (400, {"error": {"message": "refused"}}) if refused else server.answer(body)
        with server.lock:
            server.now -= 1
        self.send(told, status)

    def send(self, told: dict | bytes, status: int = 200):
        """An object as JSON; bytes as the page that a proxy may send."""
        data = told if isinstance(told, bytes) else json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if isinstance(told, bytes) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_): ...
