"""Trains the injection tagger, the one trained model that comes with the repository."""
