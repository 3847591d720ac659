"""From facts to what a page shows: plain frozen rows, so that templates compute nothing."""
