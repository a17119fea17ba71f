"""Webhooks: signed, thin messages about what happened, at least once, in the form of Standard Webhooks 1.0."""
