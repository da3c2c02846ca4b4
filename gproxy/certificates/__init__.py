"""The certificates that TLS clients are shown: found in a folder, checked, and handed to the workers.

A *pair* is a certificate with its chain and its key. The *keeper* checks what has changed in the folder and publishes
all good pairs as one *bundle* in the vault (shared/vault.py); a pair that has become bad stays as it was. The master
has the keeper fill the vault before a generation of workers starts, then `sync` goes on looking. Workers read bundles
only: they never open a file of the folder.
"""
