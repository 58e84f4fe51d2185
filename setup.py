"""The package; BUILD.md says how to install it."""

import pathlib
import re
import runpy

import setuptools

ROOT = pathlib.Path(__file__).parent
METHODS = runpy.run_path(str(ROOT / "common" / "methods.py"))["PACKAGES"]
PACKAGES = ("common", "flags", *METHODS)
VERSION = re.findall(r'^__version__ = "(.+?)"', (ROOT / "common" / "__init__.py").read_text(), re.MULTILINE)[0]

DOCS = ["mkdocs>=1.6"]
VIDEO = ["imageio[ffmpeg]>=2.33"]
ONNX = [
    "onnx>=1.17; python_version>='3.11'",
    "onnx>=1.17,<1.19; python_version<'3.11'",  # later ones want an ml_dtypes that TensorFlow 2.16 does not allow
    "onnxruntime>=1.20",
    "tf2onnx>=1.17",
]
PHOTOGRAPHS = ["scikit-image>=0.22"]  # a few free ones come with it
SERVE = ["starlette>=0.40", "uvicorn>=0.30"]

setuptools.setup(
    name="dual-translation",
    version=VERSION,
    description="Image-to-image translation on static TensorFlow graphs: DualGAN, CycleGAN, CUT, pix2pix, enhancement",
    long_description=(ROOT / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=setuptools.find_packages(include=[*PACKAGES, *(f"{package}.*" for package in PACKAGES)]),
    py_modules=["dual_translation_check"],
    package_data={
        **{package: ["py.typed", "pretrained/*.npz", "pretrained/*.md"] for package in PACKAGES},
        "common.tensorflow": ["*.pyi"],
        "flags.presets": ["*/*.flags"],
        "common.export": ["browser/*"],
        "common.report": ["browser/*", "vendor/uplot/*"],
        "common.serve": ["browser/*"],
        "common.tuning": ["table.json"],
    },
    entry_points={"console_scripts": [f"{method} = {method}.main:main" for method in METHODS]},
    install_requires=[
        "absl-py>=2.0",
        "imageio>=2.33",
        "numpy>=1.26",
        "pillow>=9.4",
        "scipy>=1.11",
        "tensorflow>=2.16",
        "tifffile>=2023.8",
        "tqdm>=4.66",
    ],
    extras_require={
        "audit": ["bandit[toml]>=1.7.5", "pip-audit>=2.7"],
        "bench": ["matplotlib>=3.8", "torch==2.13.0; python_version=='3.11'"],
        "coverage": ["coverage[toml]>=7.10"],
        "docs": DOCS,
        "gpu": ["tensorflow[and-cuda]>=2.16"],
        "onnx": ONNX,
        "parity": ["torch==2.13.0; python_version=='3.11'", "torchmetrics>=1.4"],
        "serve": SERVE,
        "tutorial": [*ONNX, *PHOTOGRAPHS],
        "tiff": ["imagecodecs>=2023.9"],
        "video": VIDEO,
        "test": [
            "playwright>=1.45",
            *DOCS,
            *ONNX,
            *SERVE,
            *VIDEO,
            "axe-playwright-python>=0.1.4",
            "httpx>=0.27",
            "hypothesis>=6.100",
            "kubernetes-validate>=1.30",
            "mypy>=2.0",
            "pytest>=8.0",
            "pytest-timeout>=2.3",
            "pytest-xdist>=3.5",
            "pyyaml>=6.0",
            "codespell>=2.3",
            "ruff>=0.6",
            *PHOTOGRAPHS,
            "scipy-stubs>=1.15",
            "setuptools>=68",
            "tensorboard>=2.16",
            "types-tqdm>=4.66",
            "wheel>=0.42",
        ],
    },
)
