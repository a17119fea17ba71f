"""The state of the models, as their replicas report it, and who may have memory."""
