"""The mails by which the reader was written."""

from tests.sources.attached_mails import ATTACHED
from tests.sources.doubtful_mails import DOUBTFUL
from tests.sources.mails import Case
from tests.sources.written_mails import WRITTEN

CASES: tuple[Case, ...] = (*WRITTEN, *ATTACHED, *DOUBTFUL)
