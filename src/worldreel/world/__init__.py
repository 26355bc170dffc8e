"""The simulated world: a seed becomes a scene, a scene becomes a clip with exact ground truth."""
