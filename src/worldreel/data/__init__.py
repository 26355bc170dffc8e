"""The data room: clips, where they come from, and how they reach a training step."""
