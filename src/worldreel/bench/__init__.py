"""Races: our implementation of public models beside diffusers' best settings, in one run.

Both sides are given the same random weights. A race whose outputs differ by more than its gate
allows is void, whatever its times: only equal work may be compared.
"""
