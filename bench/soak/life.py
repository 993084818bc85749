"""Three hundred lives of a vault of up to forty deeds each, chosen anew every time, against the plain model.

Ends with an error as soon as a read gives what the model does not say, or doctor or log find something at the end of a life; Hypothesis
then tells the shortest story that leads there. The machine is that of `tests/journeys`. Usage: python bench/soak/life.py [lives].
"""

import sys

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.journeys.test_life_machine import BOUNDED, Life

LIVES, DEEDS = 300, 40


def main() -> None:
    """Run them."""
    lives = int(sys.argv[1]) if len(sys.argv) > 1 else LIVES
    chosen = settings(BOUNDED, max_examples=lives, stateful_step_count=DEEDS, derandomize=False)
    run_state_machine_as_test(Life, settings=chosen)
    print(f"{lives} lives of up to {DEEDS} deeds: what was read is what the model says")


if __name__ == "__main__":
    main()
