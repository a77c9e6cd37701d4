"""A loopback web server for pages that do not work from files: started on first use, gone with the process."""

from __future__ import annotations

import functools
import os
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@functools.cache
def serve(folder: str) -> str:
    """Serve a folder on a free port of the loopback interface; return its address, without a slash at the end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=folder))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="turngym-pages", daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


os.register_at_fork(after_in_child=serve.cache_clear)  # a forked child has the socket, but nothing that answers on it
