"""Ways to judge a passage against a competency, one a file."""
