# Two images from one file:
#   docker build --target runtime  -t skill-serve .          serves a policy file; no torch
#   docker build --target training -t skill-serve-train .    trains and exports
#
#   docker run --rm --network host skill-serve --model models/csf_panda.onnx
#
# The sockets are bound to the loopback address, so the runtime container shares the host's network.

FROM python:3.11-slim-bookworm AS base
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /opt/skill-serve
RUN python -m venv /opt/venv
ENV PATH="/opt/venv/bin:$PATH"
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY proto proto
COPY robots robots
COPY training training
COPY runtime runtime

FROM base AS runtime
RUN pip install -c constraints.txt .
COPY models models
RUN useradd --create-home skill
USER skill
STOPSIGNAL SIGINT
ENTRYPOINT ["skill-serve"]
CMD ["--model", "models/csf_panda.onnx"]

FROM base AS training
RUN pip install -c constraints.txt "$(grep '^torch==' constraints.txt)" \
 && pip install -c constraints.txt ".[train]"
RUN useradd --create-home skill && mkdir -p logs models && chown skill logs models
USER skill
ENTRYPOINT ["skill-train"]
CMD ["--help"]
