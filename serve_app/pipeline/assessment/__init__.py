"""Score an interview against a rubric, with verbatim evidence. The flow is in `assess.py`."""
