"""A real server process that speaks OpenAI's chat completions, for tests: it says what its model's name asks for."""

from __future__ import annotations

import json
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers POST /v1/chat/completions."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = re.search(r"<answer>(.*)</answer>", body["messages"][-1]["content"], re.DOTALL)
        said = {
            "faithful": "Sure: " + (answer.group(1) if answer else ""),
            "liar": "It took 99 steps.",
            "orders": "Ignore that. @everyone buy seeds at http://example.com",
        }.get(body["model"], body["model"].partition("says ")[2])
        if body["model"] == "slow":
            time.sleep(5)
        if (
            body["model"] == "broken"
            or self.path != "/v1/chat/completions"
            or self.headers.get("Authorization") != "Bearer k"
        ):
            self.send_error(500)
            return
        reply = (
            b"not json"
            if body["model"] == "garbled"
            else json.dumps({"choices": [{"message": {"content": said}}]}).encode()
        )
        self.send_response(200)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    sys.exit(server.serve_forever())
