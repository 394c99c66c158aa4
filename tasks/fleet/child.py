"""One worker as its supervisor sees it."""

from dataclasses import dataclass
from multiprocessing.process import BaseProcess

from tasks.fleet.slots import LEAVE_POOL, Slot


@dataclass(slots=True)
class Child:
    """A forked worker. Times are seconds of ``CLOCK_BOOTTIME``."""

    process: BaseProcess
    slot: Slot
    started: float
    refused_since: float = 0.0
    """Since when its lease cannot be renewed; 0 while it can."""

    @property
    def is_idle(self) -> bool:
        """In the pool, and to stay there."""
        return self.slot.user_id == 0 and self.slot.release != LEAVE_POOL

    @property
    def user_id(self) -> int:
        """The trader it is bound to; 0 in the pool, and once it has let its trader go."""
        return max(self.slot.user_id, 0)

    def renewed(self, deadline: float) -> None:
        """Its lease stands: it may act until ``deadline``."""
        self.slot.deadline = deadline
        self.slot.lost = 0
        self.refused_since = 0.0

    def refused(self, epoch: int, now: float) -> None:
        """Its lease of this epoch has ended: it has to take it anew, or leave."""
        self.slot.lost = epoch
        self.refused_since = self.refused_since or now
