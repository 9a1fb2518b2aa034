"""Pure sound: PCM, resampling, tones, levels, WAV files."""
