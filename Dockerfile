# One image for every service: docker-compose.yml says which command each one runs.
#   CPU (default):  docker build -t talweg .
#   CUDA:           docker build -t talweg --build-arg TORCH_INDEX=https://pypi.org/simple .
# PyPI's own torch for Linux is the CUDA build, which also runs where no GPU is; pytorch.org's
# CPU index has a far smaller one.
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY workloads workloads
COPY services services
COPY storage storage
COPY dashboard dashboard
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:${PYTHON}
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1
# What NVIDIA's container runtime hands in where a container is given a GPU; nothing elsewhere.
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility
# Training steps that run long enough are compiled, which takes a C++ compiler.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*
# Torch first, in a layer of its own: it is most of the image and changes least.
COPY constraints.txt /constraints.txt
RUN pip install --extra-index-url ${TORCH_INDEX} --constraint /constraints.txt torch
COPY --from=build /wheels /wheels
RUN pip install --constraint /constraints.txt /wheels/*.whl

# Nobody in this image is root. The folders belong to the user, and so do new volumes mounted there.
RUN useradd --create-home --uid 1000 talweg \
    && install --directory --owner talweg --group talweg /data /backups /archive /checkpoints /reports
USER talweg
WORKDIR /home/talweg
CMD ["talweg", "--help"]
