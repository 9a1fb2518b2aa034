"""Where a call comes from: the port of a call leg and its adapters."""
