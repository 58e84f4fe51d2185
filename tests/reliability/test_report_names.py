"""Whatever files, folders, sets, flags, scores and warnings are called, the report shows it and runs none of it."""

import collections
import html.parser
import json
import os
import shutil

import pytest

from common import report
from tests.report.test_report import CONFIG, grey, make, names, opened, tab

__all__ = ["opened", "tab"]  # fixtures
RUNS = "window.ran = 1"  # what every attempt would do
TEXTS = [
    f'<img src=x onerror="{RUNS}">',
    f"\"><script>{RUNS}<script x='",
    f"'-->]]></title></style><svg onload={RUNS}>".replace("/", "∕"),
    f"javascript:{RUNS}",
    f"<a href='javascript:{RUNS}'>a",
    "<b><i>--><!--<script>",
    f"<iframe srcdoc='<script>{RUNS}<&#47;script>'>",
    f"`${{{RUNS}}}` {{{{data}}}} {{{{script}}}} {{% x %}}",
    "\\u003cscript\\u003e\\x3cscript\\x3e &lt;b&gt; &#60;b&#62;",
    "\u202egnp.exe \u2066\u200f\u2069",
    "\u2028\u2029\ufeff\x1b[31m\x07 \t",
    "new\nline\r\nand more",
    "constructor",
    "__proto__",
    "café.v1 木 😀",
    "a" * 200,
]
SLASHED = [
    f"</script><script>{RUNS}</script>",
    f"<!--<script></script>--><img/src=x/onerror={RUNS}>",
    "</textarea></style>",
]
SOME = [*(TEXTS[i] for i in (0, 1, 7, 9, 11, 13)), *SLASHED]
UNDECODABLE = os.fsdecode(b"caf\xe9 \xff\xfe")


def shown_as(text):
    """What a page shows of a text."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def run_of(folder, stems, text):
    """A run in which everything is called `text`, and the images `stems`."""
    hostile = {"class": f"{text}:{text}", text: text, "ngf": text, "dataset": text, "run_dir": text}
    config = {**CONFIG, "dual": hostile, "images": {**hostile, "class": text}, "environment": {text: text}, text: text}
    images = [(f"test/{place}", f"{stem}.png", grey(9)) for stem in stems for place in ("A", "A2B")]
    quoted = '"' + text.replace('"', '""') + '"'
    run = make(
        folder,
        config,
        log=[f'step,epoch,"A2B/{quoted[1:-1]}/x",{quoted}', "1,2,3,4", "2,3,4,5"],
        images=images,
        health=f"step,state,text\n1,warning,{quoted}\n{quoted},{quoted},{quoted}\n",
        evaluation=f"step,{quoted}\n1,2\n",
        best=json.dumps({"step": 1, "metric": text, "value": 1}),
    )
    (run / "test" / "metrics.csv").write_text(f"direction,name,{quoted}\nA2B,{quoted},1\n{quoted},{quoted},{quoted}\n")
    (run / "test" / "metrics.json").write_text(json.dumps({"step": 1, "A2B": {text: 3.0, "images": 1}, text: text}))
    return run


def check(shown):
    """Nothing has run, and there is no element but the page's own."""
    assert shown.evaluate("window.ran") is None
    assert shown.locator("script").count() == 3
    for stray in ("b", "i", "iframe", "object", "embed", "base", "img[src=x]", "svg[onload]", "title ~ title"):
        assert shown.locator(stray).count() == 0, stray
    strays = (
        "[...document.querySelectorAll('*')].flatMap(e => [...e.attributes]).filter(a => /^on|^srcdoc$/.test(a.name))"
    )
    assert shown.evaluate(f"{strays}.length") == 0
    links = shown.evaluate("[...document.querySelectorAll('[href], [src]')].map(e => e.getAttribute('href') || e.src)")
    assert all(each.startswith(("#", "data:", "blob:")) for each in links if each), links


class Elements(html.parser.HTMLParser):
    """What a page has before its scripts run: the names of its elements, and its attributes."""

    def __init__(self):
        super().__init__()
        self.names, self.attributes = collections.Counter(), set()

    def handle_starttag(self, tag, attrs):
        self.names[tag] += 1
        self.attributes |= set(attrs)


def elements(path):
    found = Elements()
    found.feed(path.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("text", [*TEXTS, *SLASHED, UNDECODABLE], ids=lambda text: ascii(text)[:20])
def test_a_page_has_only_its_own_elements(tmp_path, text):
    stem = text.replace("/", "∕")[:80]
    written = report.write(run_of(tmp_path / "run", [stem], "plain" if text is UNDECODABLE else text))
    found, plain = elements(written), elements(report.write(run_of(tmp_path / "plain", ["plain"], "plain")))
    assert found.names == plain.names and plain.names["script"] == 3
    changed = {name for name, _ in found.attributes ^ plain.attributes}
    assert not {name for name in changed if name.startswith("on") or name in ("srcdoc", "href", "src")}


@pytest.mark.thorough
def test_files_are_shown_by_their_names(tmp_path, opened):
    stems = [*TEXTS, UNDECODABLE]
    run = run_of(tmp_path / "run", stems, "plain")
    shown = opened(report.write(run))
    found = shown.evaluate("report.tested.rows.map(row => row.name)")
    assert {f"{shown_as(stem)}.png" for stem in stems} <= {shown_as(name) for name in found}
    assert {"__proto__.png", "constructor.png", f"{TEXTS[0]}.png"} <= set(names(shown))
    for card in shown.locator(".card").all()[: len(stems)]:
        card.click()
        check(shown)
        shown.keyboard.press("Escape")
    shown.get_by_role("radio", name="table", exact=True).check()
    check(shown)


@pytest.mark.thorough
@pytest.mark.parametrize("text", SOME, ids=lambda text: ascii(text)[:20])
def test_everything_may_be_called_anything(tmp_path, opened, text):
    name = text.replace("/", "∕")
    run = run_of(tmp_path / name, [name], text)
    other = shutil.copytree(run, tmp_path / "other" / name)
    single = opened(report.write(run))
    assert single.evaluate("report.name") == name
    shown = single.locator("body").text_content()
    assert shown.count(text) >= 4 or text.isspace() or "\r" in text  # settings, versions, warnings, curves
    check(single)
    both = opened(report.compare([run, other], tmp_path / "compare.html"))
    both.locator(".card").first.click()
    check(both)


@pytest.mark.thorough
def test_names_that_do_not_decode(tmp_path, opened):
    run = run_of(tmp_path / UNDECODABLE, [UNDECODABLE], "plain")
    check(opened(report.write(run)))
    check(opened(report.compare([run, run_of(tmp_path / "b", [UNDECODABLE], "plain")], tmp_path / "compare.html")))
