"""Issue section 6: an S3 server that is killed, stalls, answers nonsense or breaks off in the middle."""
import pytest
from object_store_faults import *  # noqa: F401,F403

KIND = "s3"
pytestmark = pytest.mark.object_store
