"""`python -m tests.sim.replay SEED`: one world again, with everything that happened in it."""

from __future__ import annotations

import sys
from collections import Counter

from tests.sim.simulation import Simulation
from tests.sim.world import Violation


def main(seed: int) -> int:
    simulation = Simulation(seed, Counter(), verbose=True)
    try:
        simulation.run()
    except Violation as violation:
        print("\n".join(simulation.world.history))
        print(str(violation).partition("\n")[0])
        return 1
    print("\n".join(simulation.world.history))
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
