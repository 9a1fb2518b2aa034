"""Sound to words and key presses: activity, end of turn, keypad, recognition."""
