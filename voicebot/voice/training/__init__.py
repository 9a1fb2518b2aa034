"""How a Piper voice of our own is made: texts, speech of a Kokoro style, the network, the voice's two files."""
