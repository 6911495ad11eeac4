# Two stages: the first builds a virtual environment, the second holds nothing but Python and that environment.
#
#   docker build --tag heddle .
#   docker run --rm --read-only --publish 8000:8000 --volume ./flows:/flows:ro --env HEDDLE_ENVIRONMENT_PORT=8000 heddle
#
# It runs as the user 10001, needs no shell, and writes nothing to its root: the state of a store goes below /state.
FROM python:3.13-slim AS build
WORKDIR /build
RUN python -m venv --copies /venv
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY schemas schemas
COPY specs specs
COPY runtime runtime
COPY extensions extensions
COPY cli cli
# cli/templates leads there.
COPY examples examples
RUN ["/venv/bin/pip", "install", "--no-cache-dir", ".[http,cron,javascript,jsonata,jwt,postgres,secrets,websocket]"]

FROM python:3.13-slim
RUN ["useradd", "--uid", "10001", "--no-create-home", "--shell", "/usr/sbin/nologin", "heddle"]
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    XDG_STATE_HOME=/state \
    HEDDLE_LOG_FORMAT=json
RUN ["install", "--directory", "--owner", "10001", "--group", "10001", "/state", "/flows"]
VOLUME ["/state"]
USER 10001:10001
WORKDIR /flows
EXPOSE 8000 7880
STOPSIGNAL SIGTERM
ENTRYPOINT ["heddle"]
CMD ["start", "/flows"]
