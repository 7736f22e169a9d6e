"""Issue section 6: Azure Blob storage that is killed, stalls, answers nonsense or breaks off in the middle."""
import pytest
from object_store_faults import *  # noqa: F401,F403

KIND = "azure"
pytestmark = pytest.mark.object_store
