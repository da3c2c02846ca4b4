"""The master: owns listening sockets, shared memory, pid file and children, and never touches a client byte.

The *arbiter* is its one loop; signals only wake it. A *place* is a process that is meant to run; a *child* is
the process that fills it now; the *crew* is all children, those that are leaving included. A *generation* is the
set of worker places that share one version of the settings: a reload starts a new one beside the old one.
The *node* is all of that together. An *upgrade* starts a whole new program beside this one, the *successor*, whose
*predecessor* this one then is; what passes from one to the other is the *estate*.
This package imports no gevent: roles are imported in the child, after the fork.
"""
