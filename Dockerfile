# Two images from one file: `full` thinks and runs the whole laptop demo; `serve`, the last stage and so the default, is the
# always-on process and installs nothing that it does not need.
#   docker build -t sre-space .
#   docker build -t sre-space-full --target full .
FROM python:3.13-slim AS base
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
RUN groupadd --gid 10001 sre \
    && useradd --uid 10001 --gid 10001 --create-home sre \
    && install --directory --owner=sre --group=sre /app
WORKDIR /app

# The compiled kernel; the images take the one file that comes out of it, and no compiler.
FROM base AS kernel
# hadolint ignore=DL3008 # any compiler of this Debian release will do, and old versions leave the archive
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
COPY bot bot
RUN python -m bot.telemetry.native.library

FROM base AS full
# hadolint ignore=DL3008 # any git of this Debian release will do, and old versions leave the archive
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/*
COPY requirements/serve.lock requirements/think.lock requirements/userplane.lock requirements/
# .venv/installed-locks is where the demo reads which lock files its builds and jobs need not install again.
RUN pip install -r requirements/serve.lock -r requirements/think.lock -r requirements/userplane.lock \
    && mkdir .venv \
    && sha256sum requirements/*.lock > .venv/installed-locks \
    && sed -i 's/ .*//' .venv/installed-locks
COPY --from=kernel /usr/local/lib/sre-space /usr/local/lib/sre-space
COPY . .
RUN pip install --constraint requirements/dev.lock --editable ".[local]"
USER 10001:10001
CMD ["sre-space", "demo", "--keep"]

FROM base AS serve
COPY requirements/serve.lock requirements/
RUN pip install -r requirements/serve.lock
COPY --from=kernel /usr/local/lib/sre-space /usr/local/lib/sre-space
COPY bot bot
COPY policies policies
COPY monitor monitor
ENV SRE_HOST=0.0.0.0 \
    PORT=8001
USER 10001:10001
EXPOSE 8001
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/healthz\", timeout=4)"]
CMD ["python", "-m", "bot", "serve"]
