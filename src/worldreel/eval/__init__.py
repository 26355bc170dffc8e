"""Judging: rulers that read facts off plain frames, and the card that they write of a model."""
