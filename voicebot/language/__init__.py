"""Pure Bulgarian: number words both ways, money, dates, grammars, lexicon."""
