"""What the tests share: the book, built once, its pages, and a browser to read them."""

import functools
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import pytest
from lxml import html

from tools import pdf, serve
from tools.notebooks import ROOT

matplotlib.use("agg")  # here, not in the environment: notebooks choose for themselves
CHROMIUM = pdf.browser()
PATIENCE = 300_000  # ms: a busy machine may be slow, and only what hangs fails by it


@pytest.fixture(scope="session")
def book(tmp_path_factory):
    """Build the book from nothing, with warnings as errors; return its HTML folder.

    The first of the workers that needs it builds it, the others wait for the end.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, complaint = shared / "book", shared / "book.txt"
    try:
        folder.mkdir()
    except FileExistsError:
        end = time.monotonic() + PATIENCE / 1000
        while not complaint.exists():
            assert time.monotonic() < end, "the worker that builds the book is gone"
            time.sleep(0.2)
    else:
        script = Path(sys.executable).parent / "jupyter-book"
        build = [sys.executable, script, "build", ".", "-W", "-n", "--keep-going"]
        result = subprocess.run(
            [*build, "--quiet", "--path-output", folder],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        said = f"jupyter-book failed\n{result.stderr}" if result.returncode else ""
        written = complaint.with_suffix(".part")
        written.write_text(said, encoding="utf-8")
        written.rename(complaint)  # at once: nobody reads the half of it
    assert not complaint.read_text(encoding="utf-8"), complaint.read_text("utf-8")
    return folder / "_build" / "html"


@pytest.fixture(scope="session")
def pages(book):
    """Return {path: parsed page} of every page of the book."""
    paths = (path for path in book.rglob("*.html") if "_static" not in path.parts)
    return {path: html.parse(path).getroot() for path in sorted(paths)}


@pytest.fixture(scope="session")
def site(book):
    """Serve the book on a free port of localhost; return its address."""
    handler = functools.partial(serve.Handler, directory=book)
    with serve.Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def browser():
    """Start Chromium, or skip: the book can be tested without it, but less well."""
    if not CHROMIUM:
        pytest.skip("browser tests need Chromium or Chrome")
    from playwright.sync_api import sync_playwright

    flags = "--no-sandbox --disable-gpu --disable-background-networking".split()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=flags, timeout=PATIENCE
        )
        yield browser
        browser.close()


@contextmanager
def tabs(browser):
    """Give a function that opens a tab of its own context, given its options.

    Every tab notes the errors of its pages, and none is allowed.
    """
    contexts, errors = [], []

    def open_tab(**options):
        context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 900}, **options}
        )
        contexts.append(context)
        tab = context.new_page()
        tab.set_default_timeout(PATIENCE)
        tab.on("pageerror", lambda error: errors.append((str(error), tab.url)))
        tab.on("console", lambda m: m.type == "error" and errors.append(m.text))
        tab.on("response", lambda r: r.ok or r.status == 304 or errors.append(r.url))
        return tab

    yield open_tab
    for context in contexts:
        context.close()
    assert not errors


@pytest.fixture
def new_tab(browser):
    with tabs(browser) as open_tab:
        yield open_tab


@pytest.fixture
def tab(new_tab):
    """Open a fresh tab as wide as a desktop."""
    return new_tab()
