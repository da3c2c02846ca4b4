"""Fuzzing: what a stranger can send is read by code that holds laws, whatever the bytes are.

A *target* takes bytes and raises when a law is broken; `targets` is the table of them. `corpus` keeps, for each, inputs
that take different ways through the code, and everything that has ever been found; `test_corpus` replays them. The
*fuzzer* (`scripts/fuzz`) looks for new ones, led by the coverage of the code.
"""
