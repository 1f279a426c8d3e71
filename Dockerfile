# syntax=docker/dockerfile:1
# One image for all services: the code server, Dagster's daemon and pages, and the web server.

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PATH=/opt/venv/bin:$PATH
RUN python -m venv /opt/venv
WORKDIR /opt/engagement
COPY pyproject.toml constraints.txt README.md ./
# What we build on changes seldom, and so has a layer of its own.
RUN mkdir engagement_pipeline && touch engagement_pipeline/__init__.py \
    && pip install --constraint constraints.txt --editable '.[server]'
COPY engagement_pipeline engagement_pipeline
RUN pip install --no-deps --editable . && python -m compileall -q /opt/venv/lib engagement_pipeline

FROM python:3.11-slim-bookworm
# infra/services/files.py names the same numbers.
RUN groupadd --gid 10001 engagement \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin engagement \
    && install --directory --owner 10001 --group 10001 /data /opt/dagster/server/storage /opt/dagster/aws/storage
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/engagement /opt/engagement
WORKDIR /opt/engagement
COPY dagster.yaml ./
COPY docker docker
COPY data/brand.yaml data/catalogue.yaml data/
RUN cat dagster.yaml docker/storage.yaml > /opt/dagster/server/dagster.yaml \
    && cat dagster.yaml docker/storage.yaml docker/step-logs.yaml > /opt/dagster/aws/dagster.yaml
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MPLCONFIGDIR=/tmp/matplotlib \
    DAGSTER_HOME=/opt/dagster/server \
    DAGSTER_DATABASE_URL=postgresql:///postgres \
    ENGAGEMENT_DATA_DIR=/data
USER 10001:10001
VOLUME ["/data"]
EXPOSE 3000 4000 8000
CMD ["engagement", "--help"]
