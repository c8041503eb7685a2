"""A lane's work: claim, send, record, while it has work and time.

No transaction is open while sending. A lane is held under a lease with a fence that is renewed for the whole
process; before each call the carrier looks whether enough of the lease is left, by its own monotonic clock,
so that a process that was stopped and wakes later finds out before it sends anything.

``carrier`` takes lanes and goes on with them; ``posts``, ``fixes`` and ``unsure`` carry out what they have to do;
``slots`` asks the pace; ``aftermath`` records a refusal with all that follows from it; ``desk`` is the one way to
the rows, for all lanes of the process together; ``leases`` says whether a lane is still ours.
"""

from forwarder.deliver.carrier import Carrier

__all__ = ["Carrier"]
