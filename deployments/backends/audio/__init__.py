"""Signal processing shared by several backends."""
