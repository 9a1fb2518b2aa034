"""Makes what lies in models/: compiles graphs for the recogniser."""
