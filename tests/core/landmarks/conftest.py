"""A real photo in the public domain (NASA): Eileen Collins in her suit, before a flag and a model of the shuttle."""

import numpy as np
import pytest
from skimage import data

from sapiens2_avatar.core.landmarks.people import PersonLandmarks, find_people


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    return data.astronaut()


@pytest.fixture(scope="session")
def collins(astronaut: np.ndarray) -> PersonLandmarks:
    """The one person in that photo."""
    (person,) = find_people(astronaut)
    return person
