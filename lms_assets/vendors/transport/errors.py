"""What can go wrong with a vendor, named by whether running again helps. No HTTP here, and no retrying."""

from __future__ import annotations

from typing import ClassVar


class VendorError(Exception):
    """A vendor could not be asked, or answered something that cannot be used.

    `vendor` and `endpoint` ("GET /people/{id}") say where, `status` is the HTTP status or None when there was
    no answer, `problem` says what was seen and `remedy` what to check. None of them holds a key, an e-mail
    address or an answer's body.
    """

    stops_everything: ClassVar[bool] = False
    """True when every further call of the same client will fail in the same way."""

    def __init__(self, vendor: str, endpoint: str, status: int | None, problem: str, remedy: str) -> None:
        super().__init__(vendor, endpoint, status, problem, remedy)
        self.vendor = vendor
        self.endpoint = endpoint
        self.status = status
        self.problem = problem
        self.remedy = remedy

    @property
    def code(self) -> str:
        """A short word for a log: the HTTP status, else the kind of error."""
        return type(self).__name__ if self.status is None else f"HTTP {self.status}"

    def __str__(self) -> str:
        status = "" if self.status is None else f" (HTTP {self.status})"
        return f"{self.vendor}, {self.endpoint}{status}: {self.problem}. {self.remedy}"


class TransientVendorError(VendorError):
    """Running again later helps. It was already retried within the bounds of the retry policy."""


class VendorUnavailable(TransientVendorError):
    """No connection, a timeout, a broken answer or a 5xx, until the retries ran out."""


class Throttled(TransientVendorError):
    """The vendor kept saying that there were too many requests; nothing was carried out."""

    def __init__(
        self,
        vendor: str,
        endpoint: str,
        status: int | None,
        problem: str,
        remedy: str,
        *,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(vendor, endpoint, status, problem, remedy)
        self.retry_after = retry_after
        """Seconds the vendor asked for, or None."""


class UnreadableAnswer(TransientVendorError):
    """The answer was cut off, not JSON or wrongly packed, until the retries ran out."""


class WriteOutcomeUnknown(TransientVendorError):
    """A write was sent and its answer was lost: it may or may not have been applied. Read back, then decide."""


class PermanentVendorError(VendorError):
    """Running again does not help before somebody changes something."""


class AuthenticationFailed(PermanentVendorError):
    """The key is wrong, expired, or may not do this."""

    stops_everything: ClassVar[bool] = True


class RecordNotFound(PermanentVendorError):
    """A real 404: what was asked for does not exist, or no longer."""


class RequestRejected(PermanentVendorError):
    """The vendor understood the request and refused it."""


class UnsafeLink(PermanentVendorError):
    """The vendor pointed somewhere else than its configured address. Nothing was sent there."""

    stops_everything: ClassVar[bool] = True


class UntrustedServer(PermanentVendorError):
    """The server cannot prove to be the vendor's. The key was not sent."""

    stops_everything: ClassVar[bool] = True


class UnexpectedAnswer(PermanentVendorError):
    """The answer is valid JSON of another shape than documented, so nothing can be concluded from it."""
