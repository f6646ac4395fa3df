# syntax=docker/dockerfile:1
# One image for every role: `orderack gateway`, `orderack worker --queues …`, `orderack codec-server`, `orderack doctor`.
# Tags are pinned; pin digests as well where you build (docs/operations/production.md): none could be looked up from here.

FROM python:3.11.13-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
# The environment that is shipped has no pip in it; this stage's pip fills it, with hashes, from the lock.
RUN python -m venv --without-pip /opt/orderack
COPY runtime.lock requirements.lock ./
RUN pip --python /opt/orderack/bin/python install --require-hashes --only-binary :all: -r runtime.lock
# Our own wheel. Its build backend stays in this stage.
RUN awk '/^uv-build==/ {on=1} on {print} on && !/\\$/ {exit}' requirements.lock > backend.lock \
 && pip install --require-hashes -r backend.lock
COPY pyproject.toml README.md ./
COPY workflows workflows
COPY activities activities
COPY workers workers
COPY orderack orderack
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && pip --python /opt/orderack/bin/python install --no-deps --no-index /wheels/*.whl \
 && /opt/orderack/bin/orderack --help > /dev/null

FROM python:3.11.13-slim-bookworm
RUN groupadd --gid 10001 orderack && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /app orderack \
 && install -d -o 10001 -g 10001 /data
COPY --from=build /opt/orderack /opt/orderack
COPY deploy/healthy.py /opt/orderack/healthy.py
COPY policy /app/policy
ENV PATH=/opt/orderack/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ORDERACK_HOME=/data \
    ORDERACK_POLICY_DIR=/app/policy
WORKDIR /app
USER 10001:10001
EXPOSE 8090 8234 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "/opt/orderack/healthy.py"]
ENTRYPOINT ["orderack"]
CMD ["--help"]
