# One image for all services: `carrel serve SERVICE`. Settings are CARREL_… variables.
# Build and run it with docker-compose.yml; see docs/install.md.
FROM python:3.11-slim-bookworm AS built
# A font with Chinese characters, for letters.
RUN test -e /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc \
    || { apt-get update && apt-get install -y --no-install-recommends fonts-noto-cjk; }
WORKDIR /carrel
COPY requirements.lock requirements-build.lock ./
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements-build.lock \
    && /venv/bin/pip install --no-cache-dir --no-deps --require-hashes --no-build-isolation \
        -r requirements.lock
COPY pyproject.toml ./
COPY shared shared
COPY services services
COPY ops ops
RUN /venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
    && /venv/bin/pip uninstall -y setuptools wheel pip

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin carrel
COPY --from=built /venv /venv
COPY --from=built /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc /usr/share/fonts/opentype/noto/
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 CARREL_HOST=0.0.0.0
USER 10001
WORKDIR /tmp
# Each container is a replica of its own: its host name is its static membership.
ENTRYPOINT ["sh", "-c", "CARREL_REPLICA=$(hostname) exec carrel serve \"$0\" \"$@\""]
