"""Measures gproxy, nginx and haproxy in the same run on loopback.

A *workload* says what is asked of a proxy; a *setup* (configuration.py) is what the proxies need to be
configured for it; a *contender* is one running proxy with its worker pinned to core 0; *wrk* (or *h2load*), the
*backends* and this program run on core 1. One measurement gives a *sample*; rounds go around the contenders, so that a
slow minute of the machine hits all of them; the *table* and the SVG show the median of the rounds.
"""
