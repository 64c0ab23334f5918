# Two images from one file:
#   docker build --target runtime  -t skill-serve .          serves a policy file; no torch
#   docker build --target training -t skill-serve-train .    trains and exports
#
#   docker run --rm --network host skill-serve --model csf_panda
#   docker run --rm -p 5555:5555 -v "$PWD/keys:/keys:ro" --user "$(id -u)" skill-serve \
#       --service-only --host 0.0.0.0 --keys /keys --model csf_panda
#
# Without keys the sockets are bound to the loopback address, so the first container shares the host's
# network. The second one is a policy service for robots elsewhere (docs/scaling.md); its
# user is the owner of the keys. deploy/kubernetes has the same for a cluster.

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
COPY models models

FROM base AS runtime
RUN pip install -c constraints.txt .
# By number, which Kubernetes can verify not to be root.
RUN useradd --create-home --uid 10001 skill
USER 10001
# Commands or policy service, telemetry, stop.
EXPOSE 5555 5556 5557
STOPSIGNAL SIGINT
ENTRYPOINT ["skill-serve"]
CMD ["--model", "csf_panda"]

FROM base AS training
RUN pip install -c constraints.txt "$(grep '^torch==' constraints.txt)" \
 && pip install -c constraints.txt ".[train]"
RUN useradd --create-home --uid 10001 skill && mkdir -p logs && chown skill logs models
USER 10001
ENTRYPOINT ["skill-train"]
CMD ["--help"]
