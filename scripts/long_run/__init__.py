"""A long run: mixed load over every feature, a fault every minute, and processes that must not grow.

`clients` ask a gateway of two workers at a steady rate, `faults` befall it and its servers, `samples` are taken of the
memory, descriptors, threads and greenlets of each process (`inside` counts the greenlets), `flat` judges them.
"""
