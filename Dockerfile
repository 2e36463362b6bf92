FROM docker.io/library/python:3.12-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY requirements/build.lock requirements/runtime.lock requirements/
RUN pip install --require-hashes -r requirements/build.lock \
 && python -m venv /opt/maas-operator \
 && /opt/maas-operator/bin/pip install --require-hashes -r requirements/runtime.lock
COPY LICENSE README.md pyproject.toml ./
COPY maas_operator maas_operator
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /opt/maas-operator/bin/pip install --no-deps /wheels/*.whl

FROM docker.io/library/python:3.12-slim
COPY --from=build /opt/maas-operator /opt/maas-operator
ENV PATH=/opt/maas-operator/bin:$PATH PYTHONUNBUFFERED=1
# Any user id works, as OpenShift assigns one; group 0 reads everything.
USER 1001:0
ENTRYPOINT ["maas-operator"]
CMD ["run"]
