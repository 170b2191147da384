"""The decode loop and what it is made of: steps, choices, answers, prompt caches."""
