"""A simulated city as tables, without a broker."""

from collections import defaultdict
from pathlib import Path

from ops.analytics.columns import event_row
from ops.analytics.destination import Row
from ops.analytics.folder import Folder
from ops.simulation.acts import Simulation
from ops.simulation.messages import Advance, Tally, messages_of

COMMIT_ROWS = 50_000


def write_tables(simulation: Simulation, path: Path, advance: Advance) -> Tally:
    """Write the events to the tables of a folder, as `carrel analytics follow` does.

    Raises InUseError, OtherTimeZoneError or WriteError.
    """
    tally, zone = Tally(), simulation.plan.zone
    rows: dict[str, list[Row]] = defaultdict(list)
    with Folder.opened(path, zone.key) as folder:
        for count, message in enumerate(messages_of(simulation, tally, advance), 1):
            row = event_row(message.event, message.event_id, message.at, zone)
            row |= {"recorded_at": message.at, "correlation_id": message.correlation_id}
            rows[message.event.topic].append(row | {"causation_id": message.correlation_id})
            if count % COMMIT_ROWS == 0:
                folder.add(rows, {})
                rows.clear()
        folder.add(rows, {})
    return tally
