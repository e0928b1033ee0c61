"""Serve the built book on localhost as a real host does: compressed, kept in a cache.

    python -m tools.serve [FOLDER] [PORT]

Text goes out as gzip. What is named with its version (`?v=…`) a browser may keep for a
year; of all else it asks whether it has changed, and is told so in a few bytes.
"""

import argparse
import functools
import gzip
import io
import os
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (".html", ".css", ".js", ".svg", ".json", ".xml", ".txt", ".ipynb", ".csv")


@functools.lru_cache(500)
def compressed(path, changed):
    return gzip.compress(Path(path).read_bytes(), mtime=0)


class Handler(SimpleHTTPRequestHandler):
    """Files of a folder, with gzip, ETag and Cache-Control."""

    protocol_version = "HTTP/1.1"  # a connection serves many files

    def send_head(self):
        path = Path(self.translate_path(self.path))
        if path.is_dir() and self.path.partition("?")[0].endswith("/"):
            path /= "index.html"
        zipped = "gzip" in self.headers.get("Accept-Encoding", "")
        if not (zipped and path.is_file() and path.suffix in TEXT):
            return super().send_head()
        changed = path.stat().st_mtime_ns
        tag = f'"{changed:x}"'
        if tag == self.headers.get("If-None-Match"):
            self.send_response(304)
            self.send_header("ETag", tag)
            self.end_headers()
            return None
        body = compressed(str(path), changed)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", tag)
        self.end_headers()
        return io.BytesIO(body)

    def send_response(self, code, message=None):
        self.code = code
        super().send_response(code, message)

    def end_headers(self):
        year = "?v=" in self.path and self.code < 400
        kept = "public, max-age=31536000, immutable" if year else "no-cache"
        self.send_header("Cache-Control", kept)
        self.send_header("Vary", "Accept-Encoding")
        super().end_headers()

    def log_message(self, *arguments):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128  # a page asks for many files at once


def main():
    parser = argparse.ArgumentParser(
        prog="python -m tools.serve",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", nargs="?", default=ROOT / "_build" / "html")
    parser.add_argument("port", nargs="?", type=int, default=8000)
    options = parser.parse_args()
    if not os.path.isdir(options.folder):
        parser.exit(1, f"{options.folder} is not there: make book builds it\n")
    handler = functools.partial(Handler, directory=options.folder)
    try:
        with Server(("localhost", options.port), handler) as server:
            print(
                f"http://localhost:{server.server_port} (stop with Ctrl-C)", flush=True
            )
            server.serve_forever()
    except OSError as error:
        parser.exit(
            1, f"port {options.port}: {error.strerror}; try make serve PORT=…\n"
        )
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
