"""The networks: the transformer, the compressors, the text encoder and their presets."""
