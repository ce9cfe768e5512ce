"""SurgiPlan Desktop: offline planning of bone surgery from CT. Research use only."""

__version__ = "0.1.0"
