"""Pure conversation: what was said goes in, what to do comes out."""
