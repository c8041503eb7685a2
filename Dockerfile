# One image for every process; which one it becomes is said by the command (see docker-compose.yml).
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

RUN useradd --system --uid 10001 --create-home --home-dir /app forwarder
WORKDIR /app

# Requirements change seldom: a layer of their own keeps rebuilds short.
COPY requirements.txt .
RUN pip install -r requirements.txt

COPY alembic.ini celeryconfig.py manage.py ./
COPY migrations migrations
COPY tasks tasks
COPY forwarder forwarder

# The logins and logs live in volumes, which take over the owner of these directories.
RUN mkdir sessions logs data && chown forwarder: sessions logs data
USER forwarder

# Processes stop taking work on SIGTERM and finish within ten seconds.
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "manage.py"]
CMD ["--help"]
