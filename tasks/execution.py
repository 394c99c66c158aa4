"""The doorbell of a trader's worker."""

from celery import shared_task

from tasks.fleet import process


@shared_task(name="orders.execute")
def execute(user_id: int) -> None:
    """Send what is due for this trader, and check what is due to be checked."""
    if process.current is not None:
        process.current.work_for(user_id)
