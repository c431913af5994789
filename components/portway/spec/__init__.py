"""What a user writes: the cloud-free spec."""

from portway.spec.access import Access
from portway.spec.budget import Budget
from portway.spec.frozen import Frozen
from portway.spec.scaling import Scaling
from portway.spec.service import InferenceServiceSpec
from portway.spec.traffic import Traffic

__all__ = ["Access", "Budget", "Frozen", "InferenceServiceSpec", "Scaling", "Traffic"]
