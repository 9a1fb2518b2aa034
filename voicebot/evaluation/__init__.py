"""How well recordings are heard: sets of recordings, scores with their intervals, and the report of a run."""
