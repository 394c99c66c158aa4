"""The whole story, in order."""

from __future__ import annotations

from http.client import HTTPException

from django.conf import settings

from tradingsite.demo import acts, life
from tradingsite.demo.cast import Actor
from tradingsite.demo.story import Story, StoryEnds
from tradingsite.desk_client import DeskClient


def play(story: Story, url: str) -> bool:
    """Play the demo at the desk whose web process listens at ``url``; return whether all of it was so.

    Raises what creating the trader raises: ``BrokerError``, ``VaultError``, ``django.db.Error``.
    """
    client = DeskClient(url, settings.BASE_URL)
    try:
        _play(story, client, url)
    except StoryEnds as end:
        story.failures.append(str(end))
    except (OSError, HTTPException) as error:
        story.failures.append(f"The desk did not answer: {type(error).__name__} {error}".rstrip())
    finally:
        client.close()
    _end(story)
    return not story.failures


def _play(story: Story, client: DeskClient, url: str) -> None:
    acts.find_desk(story, client, url)
    actor = Actor(client)
    first_body, cold = acts.trade_cold(story, actor)
    warm = acts.trade_warm(story, actor, cold)
    acts.verify(story, actor, orders=2)
    out, trade = acts.close_trade(story, actor, [cold, warm])
    acts.refuse(story, actor, first_body, cold)
    acts.verify_trade(story, acts.verify(story, actor, orders=3), trade)
    life.stop_out(story, actor, life.reverse(story, actor, life.protect(story, actor)))
    acts.verify(story, actor, orders=3 + life.ORDERS)
    acts.show(story, actor, out, settings.BASE_URL)


def _end(story: Story) -> None:
    if story.failures:
        story.chapter("Not all of it was so:")
        for failure in story.failures:
            story.tell("", failure)
    else:
        story.chapter("All of it was so.")
