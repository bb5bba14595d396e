# The exchange alone. Its log lies in a volume: docker run -p 8000:8000 -v tradeclear:/var/lib/tradeclear tradeclear
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore

WORKDIR /opt/tradeclear

# Packages first: this layer is rebuilt only when the lock changes.
COPY requirements.lock ./
RUN pip install --require-hashes --requirement requirements.lock

COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN pip install --no-deps --no-build-isolation . \
    && python -m compileall -q "$(python -c 'import tradeclear; print(tradeclear.__path__[0])')"

# A new named volume takes over this folder's owner, so that the log is writable without root.
RUN useradd --system --uid 10001 --no-create-home --home-dir /var/lib/tradeclear tradeclear \
    && install -d -o tradeclear -g tradeclear /var/lib/tradeclear/wal
USER tradeclear
WORKDIR /var/lib/tradeclear
VOLUME /var/lib/tradeclear

ENV PORT=8000 \
    TRADECLEAR_WAL_DIR=/var/lib/tradeclear/wal
EXPOSE 8000

# Ready means recovered and the log writable; recovery of a long log may take a while.
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/readyz', timeout=2)"]

ENTRYPOINT ["tradeclear"]
CMD ["serve", "--host", "0.0.0.0"]
