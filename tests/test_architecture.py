"""The shape of the code: who may import whom, what is banned, and that every setting is explained."""

import ast
import dataclasses
import functools
import importlib
import pathlib
import re

import pytest

from common import methods
from common.dual import Dual
from flags.phases import all_classes

ROOT = pathlib.Path(__file__).parent.parent
PACKAGES = tuple(sorted(("common", "examples", "flags", *methods.PACKAGES)))
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
ORDER = (  # of the packages of common, lowest first: each imports only from levels below its own
    ("errors", "tensorflow", "ndimage", "methods"),
    ("atomic", "documents", "literal", "sizes"),
    ("settings", "progress"),
    ("metrics", "ops", "cluster"),
    ("images", "dual"),
    ("report",),
    ("run",),
    ("translate", "tuning", "weights"),
    ("evaluate", "export", "serve"),
    ("train",),
)
INSIDE = {  # of the modules of each package, lowest first: each imports only from levels below its own
    "cluster": "cluster sockets stop watchdog < distribute supervise < chief",
    "documents": "schema < reading",
    "dual": "activations direction losses maps optimizers residual_unet schedules < resnets < networks"
    " < dual < cyclic published variables",
    "evaluate": "walk < scores < partial selection < outputs < evaluation < ending testing",
    "export": "examples label_code signatures web_runtime < model web_page < ported"
    " < comparison frozen_graph onnx_graph savedmodel < arrays half_weights state_dicts tflite < readme web"
    " < pytorch_readme web_readme < exporting",
    "images": "bounds classes descriptions exclusive unpacking < archives catalogue deep_png image_settings labels"
    " order pixels shards < alignment arrays colours notices profiles ranges tensors < canvas tiff < files"
    " < facts measure passed_over toy < check_report folders palettes pipeline < check data download sameness"
    " < dataset findings < domain_names previews",
    "metrics": "metrics no_reference distances features",
    "ops": "averages constants degradation flops morphology precision receptive_field scopes"
    " < gradients guided_filter placement randomness running_statistics statistics"
    " < batch_norm im2col initialization reflection < standardization winograd < phases"
    " < formulations loops priors spectral_norm synthesis < algorithms < dispatch < convolution < layers < blur",
    "report": "meanings page reading < charts curves pictures < tested < strips < overview < comparison notebook",
    "run": "checkpoint_files forks gpu lock training_files < process_parts session < checkpoints run < environment"
    " < folder",
    "serve": "assets connections decoder refused service worker < decoding guard reports validation"
    " < about answers < served < app",
    "train": "csv_log events forwarding image_pool plateau samples warm_start watching < loaders monitor objectives"
    " rates < accumulation pace < step < graph health timing < tuned < plan recovery < loop < introduction < training",
    "translate": "jobs memory mirrored video < inference < translator < pipeline tiles",
    "tuning": "measuring processors < table",
    "weights": "npz opcodes recognized safetensors < dualgan layouts programs < pytorch state_dict < prefixed"
    " < importing to_pytorch < shipped",
}
MODELS = [getattr(importlib.import_module(method.package), method.name) for method in methods.METHODS]
BANNED = {
    r"nn\.moments\(": "its second derivative is wrong",
    r"[kK]eras": "it is another framework",
    r"tf\.layers|compat\.v1\.layers": "it is gone",
    r"pickle(?!tools\b)": "it runs what it reads",
    r"disable_v2|disable_eager|enable_v2|set_memory_growth": "it changes the whole process",
    r"QueueRunner|string_input_producer": "it hangs on bad data",
    r"/work/|/tmp/": "a path of one machine",
}


@functools.cache
def parsed(path):
    """The syntax tree of a file."""
    return ast.parse(path.read_text())


def imports(path):
    """The modules of this project that a file imports, as dotted names; of what a package exports, the package."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            if name.split(".")[0] in PACKAGES:
                yield name if is_module(name) else name.rpartition(".")[0]


def is_module(name):
    path = ROOT / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").exists()


def level(name, levels):
    (number,) = (number for number, names in enumerate(levels) if name in names)
    return number


def wrong_imports(path):
    """What a file imports and should not, each with a reason."""
    package, *rest = path.relative_to(ROOT).with_suffix("").parts
    allowed = {package, "common"}
    if path.name == "main.py" or package == "examples":
        allowed = set(PACKAGES)
    for name in imports(path):
        if name.split(".")[0] not in allowed:
            yield f"{name}: not of {sorted(allowed)}"
        if name.endswith(".main"):
            yield f"{name}: a command line"
        if package == "common" and rest != ["__init__"] and name.startswith("common."):
            _, room, *module = name.split(".")
            if room != rest[0]:
                if level(room, ORDER) >= level(rest[0], ORDER):
                    yield f"{name}: not of a lower level"
            elif rest[1] != "__init__":
                inside = [names.split() for names in INSIDE[room].split("<")]
                if not module:
                    yield f"{name}: a module does not import what its own package exports"
                elif level(module[0], inside) >= level(rest[1], inside):
                    yield f"{name}: not of a lower level"


def test_imports_point_down():
    assert {str(path): wrong for path in SOURCES if (wrong := list(wrong_imports(path)))} == {}


def test_every_package_and_module_of_common_has_its_place():
    others = ("__init__", "__pycache__", "py")  # the last is py.typed
    names = {path.stem for path in (ROOT / "common").iterdir() if path.stem not in others}
    assert names == {name for names in ORDER for name in names}
    for room, text in INSIDE.items():
        modules = {path.stem for path in (ROOT / "common" / room).glob("*.py")} - {"__init__"}
        assert modules == {name for names in text.split("<") for name in names.split()}, room


@pytest.mark.parametrize("package", [*(f"common/{name}" for name in INSIDE), "flags"])
def test_the_docstring_of_a_package_names_its_modules(package):
    about = ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text()))
    named = set(re.findall(r"[a-z_0-9]+", about))
    modules = {path.stem for path in (ROOT / package).glob("*.py")} - {"__init__"}
    assert modules <= named, modules - named


def test_nothing_banned():
    mistakes = []
    for path in SOURCES:
        code = "\n".join(line for line in path.read_text().splitlines() if "`tf.nn.moments`" not in line)
        mistakes += [f"{path}: {pattern}: {why}" for pattern, why in BANNED.items() if re.search(pattern, code)]
    assert mistakes == []


def test_the_library_logs_and_does_not_print():
    """So that its caller decides what is shown. Text that it generates, such as a README, may have calls of print."""
    printing = set()
    for path in (ROOT / "common").rglob("*.py"):
        for node in ast.walk(parsed(path)):
            is_print = isinstance(node, ast.Name) and node.id == "print"
            if is_print or (
                isinstance(node, ast.Attribute) and node.attr == "stdout" and ast.unparse(node) == "sys.stdout"
            ):
                printing.add(str(path.relative_to(ROOT / "common")))
    assert printing == set()


@pytest.mark.parametrize("part", dict.fromkeys(cls for model in MODELS for cls in all_classes(model)))
def test_every_setting_is_explained(part):
    for field in dataclasses.fields(part):
        assert field.metadata["about"].endswith("."), field.name


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


def test_files_and_functions_are_small():
    large = []
    for path in SOURCES:
        text = path.read_text()
        large += [f"{path}"] if len(text.splitlines()) > 350 else []
        for function in functions(parsed(path)):
            positional = {each.arg for each in function.args.posonlyargs + function.args.args} - {"self", "cls"}
            if function.end_lineno - function.lineno >= 47 or len(positional) > 5:
                large.append(f"{path}: {function.name}")
    assert large == []


def test_few_modules_lie_directly_in_common():
    assert len(list((ROOT / "common").glob("*.py"))) <= 8


def test_public_names_have_docstrings():
    missing = []
    for path in SOURCES:
        tree = parsed(path)
        if path.name != "__init__.py" or tree.body:
            missing += [] if ast.get_docstring(tree) else [str(path)]
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                if any(ast.unparse(decorator) == "overload" for decorator in node.decorator_list):
                    continue  # the implementation has it
                missing += [] if ast.get_docstring(node) else [f"{path}: {node.name}"]
    assert missing == []


def test_the_table_of_hooks_has_each_with_all_that_read_it():
    section = (ROOT / "docs" / "extending.md").read_text().partition("## Hooks")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)(?:\(\w*\))?` \| (.*?) \|", section, flags=re.MULTILINE)
    fields = {field.name for field in dataclasses.fields(Dual)}
    members = {name for name in vars(Dual) if not name.startswith("_")} - fields - Dual.__abstractmethods__
    others = {"critic_losses", "network", "initial", "one_way", "batches_in_step", "image_sides", "load_sides"}
    assert {name for name, _ in rows} == members - others
    for name, places in rows:
        paths = [
            ROOT / ("" if place.startswith("flags/") else "common") / place for place in places[1:-1].split("`, `")
        ]
        for path in paths:
            sources = path.glob("*.py") if path.is_dir() else [path]
            assert any(re.search(rf"\.{name}\b", source.read_text()) for source in sources), (name, path)
        for source in (*(ROOT / "common").rglob("*.py"), *(ROOT / "flags").glob("*.py")):
            if re.search(rf"dual\.{name}\b", source.read_text()):
                assert any(path in (source, source.parent) for path in paths), (name, source)
