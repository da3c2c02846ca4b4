"""The one process of a node that talks to the store.

A *source* follows the store through outages and yields its *state*. The *publisher* checks a state as a whole,
writes the *snapshot* file and raises the version cell that workers watch. A state with problems is *refused*:
the last good snapshot stays. A *complaint* is one trouble, said when it begins and now and then while it lasts.
"""
