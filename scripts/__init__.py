"""Packages behind the shell commands: launcher, benchmarks, evaluation, training, checks."""
