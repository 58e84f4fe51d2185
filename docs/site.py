"""Hooks of MkDocs: include pages and files from outside docs/, and make the search work without a server."""

from __future__ import annotations

import pathlib
import posixpath
import re
from collections.abc import Iterator

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.contrib import search
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = pathlib.Path(__file__).parent.parent
ELSEWHERE = {
    "building.md": "BUILD.md",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "security.md": "SECURITY.md",
}
LUNR = pathlib.Path(search.base_path, "templates", "search", "lunr.js")
INLINE_CODE = re.compile(r"(?<!<pre>)(<code>)(.*?)(</code>)", re.DOTALL)
FLAG = re.compile(r"--[\w\[\]]+")
LINK = re.compile(r"(\]\()([^)#:]+)((?:#[^)]*)?\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds pages from outside docs/, and every file of the project that a page links to."""
    for page in (ROOT / "examples" / "recipes").glob("*.md"):
        ELSEWHERE[f"recipes/{page.name}"] = f"examples/recipes/{page.name}"
    for uri, path in ELSEWHERE.items():
        files.append(File.generated(config, uri, content=(ROOT / path).read_text()))
    linked = {target for page in files.documentation_pages() for target, _ in _linked(page)}
    for path in sorted(linked - {_source(page) for page in files}):
        files.append(File.generated(config, f"files/{path}.txt", content=(ROOT / path).read_text()))
    files.append(File.generated(config, "search/lunr.js", content=LUNR.read_text()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrites links to point to the files on the site."""
    del config
    uris = {_source(file): file.src_uri for file in files}

    def moved(match: re.Match[str]) -> str:
        path = _target(page.file, match[2])
        uri = uris.get(path) or (f"files/{path}.txt" if (ROOT / path).is_file() else None)
        if uri is None:
            return match[0]
        return f"{match[1]}{posixpath.relpath(uri, posixpath.dirname(page.file.src_uri) or '.')}{match[3]}"

    return LINK.sub(moved, markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Marks flags in inline code, so that style.css can keep each on one line."""
    del page, config, files
    return INLINE_CODE.sub(lambda code: code[1] + FLAG.sub(r'<span class="flag">\g<0></span>', code[2]) + code[3], html)


def on_post_build(config: MkDocsConfig) -> None:
    """Turns the search index into a script: browsers refuse to fetch JSON for a page that was opened from disk."""
    index = pathlib.Path(config.site_dir, "search", "search_index.json")
    index.with_suffix(".js").write_text(f"const search_index = {index.read_text()};\n")
    index.unlink()


def _linked(page: File) -> Iterator[tuple[str, str]]:
    """Yields (the path in the project, the link) of every file that a page links to."""
    for match in LINK.finditer(page.content_string):
        path = _target(page, match[2])
        if (ROOT / path).is_file():
            yield path, match[2]


def _target(page: File, link: str) -> str:
    """Returns the path in the project that a link of a page leads to."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(_source(page)), link))


def _source(file: File) -> str:
    """Returns the path in the project of the source of a file of the site."""
    return ELSEWHERE.get(file.src_uri, f"docs/{file.src_uri}")
