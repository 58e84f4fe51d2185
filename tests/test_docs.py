"""The code that documents show is code that is tested, and the files they name are there."""

import ast
import dataclasses
import functools
import pathlib
import re
import shlex

import pytest
import yaml

from common.evaluate import scores
from common.images import sameness
from common.methods import METHODS, PACKAGES
from common.run import Run
from common.settings import former_names
from common.train import health
from cyclegan import CycleGAN
from docs import reference
from flags import groups, listing, parsing, presets
from flags.phases import PHASES, all_classes

ROOT = pathlib.Path(__file__).parent.parent
RECIPES = ROOT / "examples" / "recipes"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *RECIPES.glob("*.md")])
NAMES = ("index", "concepts", "data", "presets", "training", "health", "evaluating", "translating", "questions")
GUIDES = [*(ROOT / "docs" / "methods").glob("*.md"), *(ROOT / "docs" / f"{name}.md" for name in NAMES)]
EXAMPLES = "\n".join(path.read_text() for path in (ROOT / "examples").glob("*.py"))


def blocks(text):
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


def test_every_line_of_extending_is_in_an_example():
    found = blocks((ROOT / "docs" / "extending.md").read_text())
    assert len(found) > 5
    for block in found:
        assert block.rstrip() in EXAMPLES, block


def test_every_state_of_health_has_its_section():
    text = (ROOT / "docs" / "health.md").read_text()
    states = {watcher.name.rpartition("/")[2] for watcher in health.watchers(CycleGAN())}
    states |= {health.NOT_FINITE, sameness.STATE}
    assert {line[3:].lower() for line in text.splitlines() if line.startswith("## ")} == states
    assert set(re.findall(r"\]\(#([\w-]+)\)", text)) == {state.replace(" ", "-") for state in states}


def test_every_metric_is_explained():
    rows = "\n".join(re.findall(r"^\| (`.*?) \|", (ROOT / "docs" / "evaluating.md").read_text(), flags=re.MULTILINE))
    others = {
        "frechet_distance",
        "kernel_distance",
        "kernel_distance_error",
        "images",
        "equal_to_target",
    }  # in the text
    assert set(re.findall(r"`(\w+)`", rows)) == set(scores.NAMES) - others


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_headings_that_there_are(page):
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", page.read_text()):
        if not target.startswith("http"):
            headings = re.findall(r"^#+ (.*)$", (page.parent / target if target else page).read_text(), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings], target


def commands(page):
    """(module, arguments) of every call of a method's command line that a page shows."""
    text = page.read_text().replace("\\\n", " ")
    methods = "|".join(PACKAGES)
    for line in re.findall(rf"^(?: {{4}}){{1,2}}python -m ((?:{methods})\.main .*)$", text, flags=re.MULTILINE):
        module, *arguments = shlex.split(line, comments=True)
        yield module, arguments


def dual_of(module):
    """The class of settings of a method's command line."""
    return next(reference.dual_class(method) for method in METHODS if f"{method.package}.main" == module)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_have_flags_that_there_are(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    for module, arguments in commands(page):
        parsing.parse(dual_of(module), [module, *arguments])
    for block in blocks(page.read_text()) if page.name != "extending.md" else []:
        ast.parse(block)


def test_pages_show_commands():
    assert sum(len(list(commands(page))) for page in PAGES) >= 50


def test_recipes_are_settings_of_their_method_and_have_a_page(monkeypatch):
    monkeypatch.chdir(ROOT)
    flagfiles = {path.stem for path in RECIPES.glob("*.flags")}
    assert flagfiles == {path.stem for path in RECIPES.glob("*.md")} - {"README"} and len(flagfiles) == 7
    for name in flagfiles:
        (used,) = {
            module
            for module, arguments in commands(RECIPES / f"{name}.md")
            if f"examples/recipes/{name}.flags" in arguments
        }
        flagfile = f"--flagfile=examples/recipes/{name}.flags"
        dual, images, run = parsing.parse(dual_of(used), ["main", flagfile, "--run_dir=unused"]).parts()
        assert images.dataset
        assert f"{dual.image_size} pixels" in (RECIPES / "README.md").read_text()
        assert run.preset in (
            "",
            *re.findall(r"^--preset=(\w+)", (RECIPES / f"{name}.flags").read_text(), re.MULTILINE),
        )


@functools.cache
def sections_of_flags():
    """{heading: {heading of a group: text}} of the page of flags."""
    sections = (text.partition("\n") for text in reference.flags_page().split("\n## ")[1:])
    return {
        heading: {part.partition("\n")[0]: part for part in text.split("\n### ")[1:]} for heading, _, text in sections
    }


def rows_of_flags(groups, method):
    """[(flag, default, meaning, choices, resume)] of groups of the page of flags, with the default of a method."""
    rows = []
    pattern = r"^\| `--(\S+)`(?: in [^|]*)? \| (.*?) \| (.*) \|$"
    for name, default, about in re.findall(pattern, "\n".join(groups.values()), flags=re.MULTILINE):
        (value,) = [line for line in default.split("<br>") if method in line] or [default]
        meaning, choices, valid, resume = re.fullmatch(
            r"(.*?)(?: One of (`.*`)\.)?(?: Valid: (.*)\.)? \*(\w+)\..*", about
        ).groups()
        plain = re.sub(r"\\(.)", r"\1", meaning).replace("`", "")
        choices = tuple(re.findall(r"`(\w[\w-]*)`", choices or ""))
        rows.append((name, value.partition(" ")[0].strip("`"), plain, choices, valid or "", resume))
    return rows


def rows_of_help(model):
    """The same of all flags, as --help shows them."""
    variants = listing.variants(model).values()
    return [
        (flag.written.lstrip("-"), flag.default, flag.about, flag.choices, flag.valid, flag.resume.capitalize())
        for flags in variants
        for flag in flags
    ]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.package)
def test_the_page_of_flags_says_of_a_method_what_its_help_says(method):
    sections, model = sections_of_flags(), reference.dual_class(method)
    shared, own = (rows_of_flags(sections[heading], method.name) for heading in ("All methods", method.name))
    assert len(shared) > 20 and own and not {row[0] for row in shared} & {row[0] for row in own}
    assert sorted([*shared, *own]) == sorted(rows_of_help(model))


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.package)
def test_the_page_of_flags_has_the_groups_and_the_order_of_help(method):
    sections, model = sections_of_flags(), reference.dual_class(method)
    expected = groups.grouped(listing.variants(model))
    for heading in ("All methods", method.name):
        assert list(sections[heading]) == [title for title in groups.GROUPS if title in sections[heading]]
        for title, text in sections[heading].items():
            names = list(dict.fromkeys(re.findall(r"^\| `--(?:\[no\])?(\w+)`", text, flags=re.MULTILINE)))
            assert names and names == [name for name in expected[title] if name in names]


def test_flags_that_methods_differ_in_are_in_the_section_of_each():
    sections = sections_of_flags()
    rows = {
        name: {row[0]: row[1:] for row in rows_of_flags(sections[name], name)}
        for name in ("DualGAN", "CycleGAN", "Contrastive", "Pix2Pix", "Enhancement")
    }
    assert rows["DualGAN"]["dropout"][1] == "Dropout rate of a generator's first three decoders; 0: no dropout."
    assert rows["Pix2Pix"]["dropout"][:2] == ("0.5", "Dropout rate of a generator; 0: no dropout.")
    assert "dropout" not in rows["Enhancement"]
    assert rows["DualGAN"]["netD"][2] == ("global", "patch", "global_2017", "patch_2017")
    assert rows["CycleGAN"]["netD"][2] == ("patch", "patch_lua", "patch_tfgan", "patch_blur", "pixel")
    assert rows["DualGAN"]["norm_D"][2] == ("instance", "layer", "none")
    assert "batch" in rows["Pix2Pix"]["norm_D"][2]


def flags_taken(group, phase):
    """The names of the flags in a group of the page of flags that a phase takes, by the line below the heading."""
    rows = set(re.findall(r"^\| `--(?:\[no\])?(\w+)`", group, flags=re.MULTILINE))
    (line,) = re.findall(r"^Taken .*$", group, flags=re.MULTILINE)
    whole, _, some = line.partition("Taken in part by ")
    if line == "Taken by every phase." or f"`{phase}`" in whole:
        return rows
    for phases, but, flags in re.findall(r"((?:`\w+`(?:, )?)+) \((all but )?(.*?)\)", some):
        if f"`{phase}`" in phases:
            named = set(re.findall(r"`--(\w+)`", flags))
            assert named and named < rows
            return rows - named if but else named
    return set()


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.package)
@pytest.mark.parametrize("name", PHASES)
def test_the_page_of_flags_says_which_phases_take_what(method, name):
    sections, model = sections_of_flags(), reference.dual_class(method)
    of_method = [*sections["All methods"].values(), *sections[method.name].values()]
    taken = [flags_taken(group, name) for group in of_method]
    assert set().union(*taken) == PHASES[name].takes(model)
    assert sum(map(len, taken)) == len(PHASES[name].takes(model))  # none is listed in two sections


def test_rows_of_a_flag_with_several_meanings_name_the_phases():
    page = reference.flags_page()
    assert "| `--format` in `translate` | `keep` | Format of the output." in page
    assert "| `--format` in `export` | `savedmodel` | savedmodel: for" in page
    for name, row in PHASES.items():
        for flag, meaning in row.meanings.items():
            (line,) = [
                line
                for line in page.splitlines()
                if re.match(rf"\| `--{flag}` in [^|]*`{name}`", line) or line.startswith(f"| `--{flag}` |")
            ]
            assert reference._escaped(meaning) in line


def test_the_page_of_flags_has_former_names():
    named = re.findall(r"^\| `--(?:\[no\])?(\w+)` .* Formerly `--(\w+)`", reference.flags_page(), flags=re.MULTILINE)
    classes = {cls for method in METHODS for cls in all_classes(reference.dual_class(method))}
    assert named and dict(named) == {name: old for cls in classes for name, old in former_names(cls).items()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_and_modules_that_pages_name_are_there(page):
    if page.name == "CHANGELOG.md":  # names what was there, too
        return
    text = page.read_text()
    for path in re.findall(
        r"`((?:common|flags|tests|docs|benchmarks|examples|dualgan|contrastive|cyclegan|pix2pix)/[\w/]+\.\w+)`", text
    ):
        assert (ROOT / path).exists(), path
    for name in re.findall(r"`((?:common|flags|benchmarks)(?:\.(?!py`)[a-z][a-z_]*)+)(?:\.[A-Z]\w+)?`", text):
        path = ROOT / name.replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").exists(), name


def rows_of(text):
    """{flag: default} of a table whose first cells name flags, and the second ones the default of all of them."""
    rows = re.findall(r"^\| (`--.*?`) \| `(.*?)` \|", text, flags=re.MULTILINE)
    return {name: default for names, default in rows for name in re.findall(r"`--(\w+)`", names)}


def bullets(text):
    """The items of all lists, each in one line."""
    return [" ".join(item.split()) for item in re.findall(r"^- (.*(?:\n  .*)*)", text, flags=re.MULTILINE)]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.package)
def test_the_page_of_a_method_has_the_defaults_that_are_used(method):
    text = (ROOT / "docs" / "methods" / f"{method.package}.md").read_text()
    shown = rows_of(text.partition("## Defaults")[2].partition("\n## ")[0])
    fields = {field.name: field for part in (reference.dual_class(method), Run) for field in dataclasses.fields(part)}
    used = {name: str(fields[name].default) for name in shown}
    assert len(shown) > 10
    assert shown == {name: value.lower() if value in ("True", "False") else value for name, value in used.items()}


@pytest.mark.parametrize(
    ("method", "preset"),
    [("dualgan", "upstream"), ("cyclegan", "pytorch"), ("pix2pix", "pytorch"), ("contrastive", "cut")],
)
def test_the_page_of_a_method_has_the_deviations_that_its_preset_lists(method, preset):
    text = (ROOT / "docs" / "methods" / f"{method}.md").read_text()
    head = re.sub(r"^# ?", "", presets.path(method, preset).read_text(), flags=re.MULTILINE)
    assert bullets(text.partition("## Deviations")[2].partition("\n## ")[0]) == bullets(head) != []


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_flags_that_guides_name_are_there(page):
    classes = [cls for method in METHODS for cls in all_classes(reference.dual_class(method))]
    flags = {field.name for cls in classes for field in dataclasses.fields(cls)}
    named = set(re.findall(r"(?<![\w-])--([a-zA-Z_]\w*)", page.read_text()))
    others = {"help", "logdir"}  # of absl and TensorBoard
    others |= {"dropout_rate", "serial_batches", "lr_decay_iters", "init_type"}  # of published code
    assert named - others <= flags | {f"no{name}" for name in flags}


def test_every_page_is_in_the_navigation():
    def pages(entry):
        if isinstance(entry, str):
            return [entry]
        return [page for child in (entry.values() if isinstance(entry, dict) else entry) for page in pages(child)]

    shown = pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    docs = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert len(shown) == len(set(shown)) and docs <= set(shown)
    assert {f"recipes/{path.name}" for path in RECIPES.glob("*.md")} <= set(shown)


def test_pages_of_flags_and_presets_are_as_they_would_be_written_now():
    assert (ROOT / "docs" / "flags.md").read_text() == reference.flags_page()
    assert (ROOT / "docs" / "presets.md").read_text() == reference.presets_page()
