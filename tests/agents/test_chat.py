"""The chat policy: addresses that are none, and servers that fail, are each told as what they are."""

import socketserver
import threading

import numpy as np
import pytest

from turngym.agents.chat import ChatPolicy, endpoint
from turngym.agents.rollout import View
from turngym.envs import BadInput, InfraError, ToolCallSpace
from turngym.envs.scenario import PolicyBlock
from turngym.envs.spaces import Tool

SPACE = ToolCallSpace([Tool("wait", "Wait.", {})])
SEEN = View("e", (), {"text": "Wait.", "images": (np.zeros((4, 4, 3), np.uint8),)})


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000/v1", "ftp://localhost/v1", "http://", "http:///v1", "http://host:port/v1", "http://host:99999/v1",
        "http://[::1/v1", "http://a host/v1", "http://host/v1\n", "http://host/ü", "file:///etc/passwd", "",
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_bad_input_at_once(url):
    with pytest.raises(BadInput, match=r"--api .*: not an address such as"):
        ChatPolicy(url, "m", PolicyBlock(), SPACE)


@pytest.mark.parametrize("url", ["http://localhost:8000/v1", "https://[::1]:80/v1/", "http://user:word@host.example"])
def test_an_address(url):
    assert endpoint(url) == url.rstrip("/") + "/chat/completions"


def ask(answer):
    """Ask a server that answers any request with these bytes, and hangs up."""

    class Server(socketserver.StreamRequestHandler):
        def handle(self):
            length = 0
            while (line := self.rfile.readline()).strip():
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            self.rfile.read(length)
            self.wfile.write(answer)

    with socketserver.TCPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            policy = ChatPolicy(f"http://127.0.0.1:{server.server_address[1]}/v1", "m", PolicyBlock(), SPACE)
            return policy.act([SEEN])[0]
        finally:
            server.shutdown()


def test_a_completion():
    body = b'{"choices": [{"message": {"content": "I wait."}}]}'
    decision = ask(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert (decision.completion, decision.call["name"]) == ("I wait.", "")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"nonsense\r\n\r\n", "nonsense"),
        (b"", "closed connection"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", "IncompleteRead"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "IncompleteRead"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", "more than 100 headers"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", "list indices"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 8\r\n\r\nno model", "HTTP 404: b'no model'"),
        (b"HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP 500"),
    ],
)
def test_a_server_that_fails_is_a_failure_of_ours(answer, why):
    with pytest.raises(InfraError, match=why) as caught:
        ask(answer)
    assert caught.value.kind == "api_failed"


def test_no_server_is_a_failure_of_ours():
    with pytest.raises(InfraError, match="api_failed"):
        ChatPolicy("http://127.0.0.1:1/v1", "m", PolicyBlock(), SPACE).act([SEEN])
