"""What grows, for how long it is kept, and the daily run that lets the rest go."""
