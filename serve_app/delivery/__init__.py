"""Tell the outside what was committed: both ways read the same events by sequence number."""
