"""Words to sound: the synthesiser port, its engines and the phrase cache."""
