"""Read the logs that other harnesses wrote, and our own, into samples and responses.

A container (JSON Lines, a JSON document, a table, an archive, a debug log) cuts rows out of a file; a schema
turns one row into responses. A format is a schema in whatever container it comes in.
"""

from videor2.data.logs.annotations import Annotations
from videor2.data.logs.detect import find_logs, open_log
from videor2.data.logs.log import Log
from videor2.data.logs.logged import Logged, Raw
from videor2.data.logs.values import BadRow

__all__ = ["Annotations", "BadRow", "Log", "Logged", "Raw", "find_logs", "open_log"]
