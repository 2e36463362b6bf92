# syntax=docker/dockerfile:1
# Two stages: everything that builds stays in the first. Wheels only, each with its hash, so that no compiler is needed.
ARG PYTHON=docker.io/library/python:3.12-slim

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ONLY_BINARY=:all: PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# No pip in what runs: an operator installs nothing.
RUN python -m venv --without-pip /opt/maas-operator
COPY requirements/build.lock requirements/runtime.lock requirements/
RUN pip install --no-compile --require-hashes -r requirements/build.lock \
 && pip --python /opt/maas-operator/bin/python install --no-compile --require-hashes -r requirements/runtime.lock
COPY LICENSE README.md pyproject.toml ./
COPY maas_operator maas_operator
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && pip --python /opt/maas-operator/bin/python install --no-compile --no-deps /wheels/*.whl
# The root file system is read-only later: what the operator imports is compiled now, and what it never imports is not.
# -I, or it would import from here.
RUN /opt/maas-operator/bin/python -I -c "import maas_operator.app.operator, maas_operator.app.plan, maas_operator.app.render"

FROM ${PYTHON}
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG SOURCE=
LABEL org.opencontainers.image.title="maas-operator" \
      org.opencontainers.image.description="One ModelService in Git becomes a running, metered, rate-limited, key-protected LLM API." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
COPY --from=build /opt/maas-operator /opt/maas-operator
# The Kubernetes client ends at once where an unknown user has no home.
ENV PATH=/opt/maas-operator/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# Any user id works, as OpenShift assigns one; group 0 reads everything.
USER 1001:0
EXPOSE 8080
ENTRYPOINT ["maas-operator"]
CMD ["run"]
