"""The training room: what turns clips into weights."""
