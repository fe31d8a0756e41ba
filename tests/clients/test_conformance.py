"""The contract of the Flight SQL face, id by id; `python -m conformance` asks peers the same questions."""

import pytest
from conformance.contract import CHECKS, CONTRACT, OURS_ONLY
from conformance.servers import Countinghouse


def test_every_id_has_a_check():
    """An id added to the contract, or a check of no id, stops here."""
    assert list(CONTRACT) == [
        *(f"H{number}" for number in range(1, 9)), "I1", "I2", *(f"M{number}" for number in range(1, 11)),
        *(f"Q{number}" for number in range(1, 15)), "T1", "T2", *(f"X{number}" for number in range(1, 6)),
        "O1", "O2", "O3", *(f"E{number}" for number in range(1, 8)),
    ]
    assert set(CHECKS) == set(CONTRACT)
    assert set(OURS_ONLY) < set(CONTRACT)


@pytest.mark.parametrize("name", CONTRACT)
def test_id(server, name):
    CHECKS[name](Countinghouse(server))
