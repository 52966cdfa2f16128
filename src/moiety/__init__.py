"""moiety: joint machine learning on data that stays apart."""

__version__ = "0.1.0"
