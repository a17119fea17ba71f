"""What the models of the pool are doing, as their replicas report it."""
