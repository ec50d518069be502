"""A receiver that keeps the ids of what it got: `POST /hook`, and `GET /ids` for one id a line, in order of arrival."""

import http.server
import sys
import threading

IDS: list[str] = []
LOCK = threading.Lock()


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        with LOCK:
            IDS.append(self.headers.get("webhook-id", ""))
        self.answer(b"")

    def do_GET(self) -> None:
        with LOCK:
            self.answer("".join(f"{one}\n" for one in IDS).encode())

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Receiver).serve_forever()
