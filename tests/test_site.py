"""The site that `make docs` builds: complete, without a network, and searchable from disk."""

import contextlib
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
LOADED = re.compile(r"""<(?:script|link|img|iframe|source)[^>]*\b(?:src|href)=["']?((?:https?:)?//[^"'\s>]*)""")
LOADED_BY_STYLE = re.compile(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')\s]*)""")
REQUESTS = re.compile(r"\bfetch\(|XMLHttpRequest|importScripts|sendBeacon|new Worker|WebSocket|getScript")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site."""
    folder = tmp_path_factory.mktemp("built") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return folder


def test_every_page_is_built_without_a_warning(site):
    pages = {path.stem for path in site.rglob("*.html")}
    recipes = {path.stem for path in (ROOT / "examples" / "recipes").glob("*.flags")}
    assert {path.stem for path in (ROOT / "docs").rglob("*.md")} | recipes <= pages


def test_commands_are_code(site):
    for path in site.rglob("*.html"):  # indented by less than 8 spaces, those of a list would be text
        assert not re.findall(r"<(?:p|li)>\s*(?:python -m|make |pip install)[^<]*", path.read_text()), path.name


def test_flags_in_a_text_are_marked_and_those_of_blocks_are_not(site):
    text = (site / "training.html").read_text()
    assert '<code><span class="flag">--steps</span> 20000</code>' in text
    blocks = "".join(re.findall(r"<pre>.*?</pre>", text, re.DOTALL))
    assert "--phase plan" in blocks and "<span" not in blocks


def test_no_file_loads_anything_from_a_network(site):
    for path in site.rglob("*.html"):
        text = path.read_text()
        assert not (LOADED.findall(text) + LOADED_BY_STYLE.findall(text)), path.name
    for path in site.rglob("*.css"):
        assert not LOADED_BY_STYLE.findall(path.read_text()), path.name
    scripts = {path.name: path.read_text() for path in site.rglob("*.js")}
    requesting = {name for name, text in scripts.items() if name != "search_index.js" and REQUESTS.search(text)}
    assert requesting == {"jquery-3.6.0.min.js"}  # the theme's; it only requests what a script tells it to


@pytest.mark.parametrize(
    ("tag", "address"),
    [
        ('<script async src="https://a.b/c.js">', "https://a.b/c.js"),
        ("<link rel=stylesheet href=//a.b/c.css>", "//a.b/c.css"),
        ('<a href="https://a.b">', None),
    ],
)
def test_what_counts_as_loaded(tag, address):
    assert LOADED.findall(tag) == ([address] if address else [])
    assert LOADED_BY_STYLE.findall("@import url('https://a.b/c');") == ["https://a.b/c"]


@pytest.fixture(scope="module")
def tab(browser):
    """A tab of Chromium that tests use one after another: a new one takes a second."""
    with contextlib.closing(browser.new_page()) as tab:
        tab.set_default_timeout(60_000)
        yield tab


@pytest.fixture
def page(tab, site):
    """The tab, which records requests and errors."""
    requests, errors = [], []
    listeners = {
        "request": lambda request: requests.append(request.url),
        "pageerror": lambda error: errors.append(str(error)),
    }
    for event, listener in listeners.items():
        tab.on(event, listener)
    tab.set_viewport_size({"width": 1280, "height": 720})
    yield tab
    for event, listener in listeners.items():
        tab.remove_listener(event, listener)
    tab.goto("about:blank")
    assert not errors
    assert [address for address in requests if not address.startswith("file://")] == []


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["evaluating", "tutorial", "lab/performance"])
def test_pages_fit_a_phone(page, site, name):
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto((site / f"{name}.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    edges = "nodes => nodes.map(node => node.getBoundingClientRect()).flatMap(box => [box.left, box.right])"
    for selector in ("img", "pre", ".wy-table-responsive"):
        assert all(0 <= edge <= 390 for edge in page.locator(f".rst-content {selector}").evaluate_all(edges)), selector
    styles = "nodes => nodes.map(node => getComputedStyle(node).overflowX)"
    for selector in ("pre code", ".wy-table-responsive"):
        assert set(page.locator(f".rst-content {selector}").evaluate_all(styles)) <= {"auto"}


def titles(page, query):
    """The titles of the results for a query that is typed on the search page."""
    page.fill("#mkdocs-search-query", query)
    return page.locator("#mkdocs-search-results h3").all_inner_texts()


@pytest.mark.thorough
def test_search_from_disk_lists_results(page, site):
    page.goto((site / "index.html").as_uri())
    page.fill("#rtd-search-form input", "resume")
    page.press("#rtd-search-form input", "Enter")
    page.wait_for_selector("#mkdocs-search-results article")
    first = page.locator("#mkdocs-search-results h3").all_inner_texts()
    assert {"Training › Stop and resume", "FAQ › How do I resume?"} <= set(first[:4])
    page.click("text=Training › Stop and resume")
    assert page.url == (site / "training.html").as_uri() + "#stop-and-resume"


@pytest.mark.thorough
def test_search_takes_flags_and_several_words_and_the_beginning_of_one(page, site):
    page.goto((site / "search.html").as_uri() + "?q=zzzz")
    page.wait_for_selector("text=No results. Try fewer words.")
    assert titles(page, "--init_from")[0] == "Training › Start from other weights"
    assert titles(page, "--init_fr")[0] == "Training › Start from other weights"
    assert "Training › Stop and resume" in titles(page, "SIGKILL checkpoint")
    assert titles(page, "the") == []
    assert page.locator("#mkdocs-search-results").inner_text() == "Type a word or a flag."
    assert titles(page, "resume zzzz") == []


@pytest.mark.thorough
def test_search_leads_from_the_words_of_newcomers(page, site):
    """In one page, which reads the index once."""
    pages_or_sections = {
        "custom loss": "Adding a loss or a method › Add a loss",
        "own loss": "Adding a loss or a method › ",
        "gray output": "When training goes wrong",
        "same image": "When training goes wrong",
        "bad results": "When training goes wrong",
        "identical": "When training goes wrong",
    }
    page.goto((site / "search.html").as_uri() + "?q=zzzz")
    page.wait_for_selector("text=No results. Try fewer words.")
    for query, page_or_section in pages_or_sections.items():
        assert any(title.startswith(page_or_section) for title in titles(page, query)[:5]), (query, titles(page, query))


@pytest.mark.thorough
def test_search_results_are_text(page, site):
    page.goto((site / "search.html").as_uri() + "?q=%3Cimg%20src=x%20onerror=alert(1)%3E")
    page.wait_for_selector("#mkdocs-search-results p")
    assert page.locator("#mkdocs-search-results img").count() == 0
