"""The portal's rules: pure functions over facts. No Django, no I/O, no clock of their own."""
