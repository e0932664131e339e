"""Retrying of messages: how often, after which pauses, and for which errors."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aiokafka.errors import KafkaError

from shared.mongo import is_away
from shared.owners import OwnerAway, OwnerBehind
from shared.unit_of_work import Busy


def is_transient(error: Exception) -> bool:
    """Return whether a database, a broker or a service is away, so that the message can wait."""
    return is_away(error) or isinstance(error, OwnerAway | Busy | KafkaError)


@dataclass(frozen=True)
class RetryPolicy:
    """The attempts at one message, and the pauses between them, in seconds.

    A message waits for as long as its error is transient: the pauses double from `first_pause` to
    `longest_pause`. After `patience` it is put back, so that the process can stop or serve another
    partition. A message that is newer than what its owner has waits for `behind_for` only, and then
    becomes a dead letter: an owner knows its own events, but for the seconds in which its database
    changes its primary.

    With any other error the message is at fault: it is tried again after each of `fault_pauses`,
    and then becomes a dead letter.
    """

    fault_pauses: tuple[float, ...] = (0.4, 1.6)
    first_pause: float = 0.1
    longest_pause: float = 2.0
    patience: float = 60.0
    behind_for: float = 15.0
    is_transient: Callable[[Exception], bool] = is_transient
    final: tuple[type[Exception], ...] = (ValueError,)
    """Faults that another attempt can't cure, such as a message that does not fit its schema."""

    def waits(self) -> Iterator[float]:
        """Yield the pauses between attempts that meet a transient error, without end."""
        pause = self.first_pause
        while True:
            yield pause
            pause = min(pause * 2, self.longest_pause)

    def gives_up(self, error: Exception, waited: float) -> bool:
        """Return whether a message becomes a dead letter after waiting for so many seconds."""
        return isinstance(error, OwnerBehind) and waited >= self.behind_for

    def pause_after(self, attempts: int, error: Exception) -> float | None:
        """Return the pause after so many failed attempts; None: the message is a dead letter."""
        if isinstance(error, self.final) or attempts > len(self.fault_pauses):
            return None
        return self.fault_pauses[attempts - 1]


DEFAULT = RetryPolicy()
