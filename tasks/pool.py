"""The claim: how an idle worker becomes a trader's own."""

from celery import shared_task

from tasks.fleet import process


@shared_task(name="fleet.claim")
def claim(user_id: int) -> None:
    """Become this trader's worker unless it has one."""
    if process.current is not None:
        process.current.claim(user_id)
