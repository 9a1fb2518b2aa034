"""A voice bot that tells the customers of a utility, in Bulgarian and offline, what they owe."""
