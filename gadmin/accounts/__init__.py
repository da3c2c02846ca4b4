"""Who may do what: users with a role, their sessions and tokens, and how fast passwords can be tried.

All of it is kept in a store of its own beside that of the configuration, of the same kind: every admin on the same
store knows the same users, nodes need no access to it, a rollback of the configuration does not bring back a deleted
user, and its history tells who logged in and who changed whom.
"""
