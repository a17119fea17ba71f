"""The Ray side: the Serve graph, the replicas that hold models, and the backends they hold."""
