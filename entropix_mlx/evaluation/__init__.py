"""Whether a sampler helps: tasks, answers to them in rows, and what they come to."""
