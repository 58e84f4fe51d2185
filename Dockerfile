# The toolkit for the CPU. Build and use: BUILD.md, "In a container".
FROM python:3.11-slim

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /opt/dual-translation
COPY . .
RUN python3 -m venv env
RUN env/bin/pip install .
RUN env/bin/dualgan --version
ENV PATH=/opt/dual-translation/env/bin:$PATH

# images, runs and outputs of the caller are mounted here
WORKDIR /work
CMD ["dualgan", "--help"]
