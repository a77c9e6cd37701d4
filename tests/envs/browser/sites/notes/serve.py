"""The smallest site: notes in a SQLite database, behind a login. Standard library only; zygote.py has the contract."""

import os
import sqlite3
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs

FORM = '<form action="/login" method="post"><input name="user"><input name="word" type="password"></form>'


def build(folder):
    with sqlite3.connect(folder / "pristine" / "notes.sqlite3") as database:
        database.execute("create table notes (text)")
        database.execute("create table sessions (name)")
        database.execute("insert into notes values ('seed')")
    (folder / "greeting").write_text("hello")


def load(folder, state):
    global GREETING
    GREETING = (folder / "greeting").read_text()
    if os.environ.get("NOTES_BROKEN") == "load":
        raise SystemExit("the cellar is flooded")


def serve(state, listener, ready):
    database = sqlite3.connect(Path(state) / "notes.sqlite3")
    if os.environ.get("NOTES_BROKEN") == "serve":
        raise SystemExit("the attic is on fire")

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self):
            user = self.headers.get("Cookie", "").removeprefix("notes=")
            known = database.execute("select 1 from sessions where name = ?", [user]).fetchone()
            texts = [text for (text,) in database.execute("select text from notes")]
            page = FORM if self.path == "/login" else f"{GREETING} {user if known else 'stranger'}: {' '.join(texts)}"
            self.answer(page)

        def do_POST(self):
            fields = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            if self.path == "/die":
                print("goodbye", flush=True)
                os._exit(3)
            if self.path == "/hang":
                time.sleep(3600)
            if self.path != "/login":
                database.execute("insert into notes values (?)", fields["text"])
            elif fields["word"] == ["right"]:
                database.execute("insert into sessions values (?)", fields["user"])
                self.cookie = fields["user"][0]
            database.commit()
            self.answer("done")

        cookie = None

        def answer(self, page):
            self.send_response(200)
            if self.cookie:
                self.send_header("Set-Cookie", f"notes={self.cookie}; Path=/; HttpOnly")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *arguments):
            pass

    server = HTTPServer(listener.getsockname(), Pages, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    ready()
    server.serve_forever()
