"""`python -m tests.faults.naive -- workers …`: workers that send first and record then, for the comparison."""

import sys

from tests.faults.plants import claim_after_send
from workers import __main__ as workers


def main() -> None:
    queues = sys.argv[3:]  # after the name, -- and workers
    sys.argv = ["workers", *queues]
    with claim_after_send():
        workers.main()


if __name__ == "__main__":
    main()
