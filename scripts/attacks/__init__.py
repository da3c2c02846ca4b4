"""Attacks on a gateway of its own: what each costs it, which limit acts, and how others are served meanwhile.

`attackers` run in a process of their own against a gateway whose limits are set low enough to be seen acting;
a *polite* client asks all the while, and its slowest answers are compared with those in peace.
"""
