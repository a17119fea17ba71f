"""Scorecards as documents: one file per way of writing. `document` makes what all of them write."""
