"""Measures quality against references (`make eval`): `transcript` and `assessment`."""
