"""The book's own server: compressed, and nothing sent twice."""

import gzip
import http.client
import threading
from functools import partial

import pytest

from tools import serve


@pytest.fixture
def ask(tmp_path):
    """Return a function that asks a server of some files; (status, headers, body)."""
    (tmp_path / "index.html").write_text("<p>words</p>" * 999)
    (tmp_path / "a.css").write_text("p {}" * 999)
    (tmp_path / "a.woff2").write_bytes(b"font")
    (tmp_path / "folder").mkdir()
    with serve.Server(
        ("127.0.0.1", 0), partial(serve.Handler, directory=tmp_path)
    ) as s:
        threading.Thread(target=s.serve_forever, daemon=True).start()
        connection = http.client.HTTPConnection("127.0.0.1", s.server_port, timeout=60)

        def get(path, **headers):
            names = {key.replace("_", "-"): value for key, value in headers.items()}
            connection.request("GET", path, headers=names)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

        yield get
        connection.close()
        s.shutdown()


def test_text_is_compressed_for_those_who_can_read_it(ask):
    status, headers, body = ask("/", Accept_Encoding="gzip, br")
    assert status == 200 and headers["Content-Encoding"] == "gzip"
    assert headers["Content-Type"] == "text/html"
    assert len(body) < 500 and gzip.decompress(body) == b"<p>words</p>" * 999
    status, headers, body = ask("/index.html")
    assert "Content-Encoding" not in headers and len(body) == 12 * 999
    assert "Content-Encoding" not in ask("/a.woff2", Accept_Encoding="gzip")[1]


def test_what_has_a_version_is_kept_and_all_else_asked_for_again(ask):
    assert (
        "max-age=31536000"
        in ask("/a.css?v=12ab", Accept_Encoding="gzip")[1]["Cache-Control"]
    )
    headers = ask("/a.css", Accept_Encoding="gzip")[1]
    assert headers["Cache-Control"] == "no-cache"
    again = ask("/a.css", Accept_Encoding="gzip", If_None_Match=headers["ETag"])
    assert again[0] == 304 and again[2] == b""
    other = ask("/a.css", Accept_Encoding="gzip", If_None_Match='"old"')
    assert other[0] == 200
    font = ask("/a.woff2")[1]
    assert ask("/a.woff2", If_Modified_Since=font["Last-Modified"])[0] == 304


def test_what_is_not_there_is_said_and_the_connection_goes_on(ask):
    status, headers, _ = ask("/none.css?v=1", Accept_Encoding="gzip")
    assert status == 404 and headers["Cache-Control"] == "no-cache"
    assert ask("/folder")[0] == 301
    assert ask("/", Accept_Encoding="gzip")[0] == 200
