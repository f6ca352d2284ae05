"""How many requests may be sent to a server, and how many were."""

import threading


class Budget:
    """A limit on requests and the count of them; the judges of one audit share it, from any thread.

    `sent`: requests that went to the server, whatever came of them. `retried`: those among them that repeat one that
    failed. `cached`: replies that needed no request. `failed`: questions to which no reply came; `unasked`: those
    among them for which there was no budget left. Raises ValueError for a negative limit.

    >>> budget = Budget(max_requests=1)
    >>> budget.take(), budget.take(), budget.sent
    (True, False, 1)
    """

    def __init__(self, max_requests: int | None = None) -> None:
        if max_requests is not None and max_requests < 0:
            raise ValueError(f"a budget is a number of requests, not {max_requests}")
        self.max_requests = max_requests
        self.sent = self.retried = self.cached = self.failed = self.unasked = 0
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        limit = "no limit" if self.max_requests is None else f"at most {self.max_requests}"
        return f"Budget({limit}, sent {self.sent}, cached {self.cached}, retried {self.retried}, failed {self.failed})"

    def take(self, *, again: bool = False) -> bool:
        """Make room for one request, if there is any."""
        with self._lock:
            if self.max_requests is not None and self.sent >= self.max_requests:
                return False
            self.sent += 1
            self.retried += again
            return True

    def found(self) -> None:
        """Count a reply that needed no request."""
        with self._lock:
            self.cached += 1

    def missed(self, *, unasked: bool) -> None:
        """Count a question to which no reply came."""
        with self._lock:
            self.failed += 1
            self.unasked += unasked
