"""From a recording to a result: pure functions over frozen values, and the ports the models stand behind."""
