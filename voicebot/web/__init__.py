"""HTTP: health, and calls from uploaded recordings."""
