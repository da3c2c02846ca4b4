"""Secrets of the configuration are for those who may change it."""

from dataclasses import replace

from gadmin.accounts.roles import Role
from gadmin.security.guard import identity
from gproxy.core.change import Change, Document
from gproxy.core.secret_fields import without_secrets
from gproxy.store.base import Entry


def shown(kind: str, document: Document) -> Document:
    """Return a document as whoever asks may see it."""
    return document if identity().may(Role.EDITOR) else without_secrets(kind, document)


def shown_change(change: Change) -> Change:
    """Return a change as whoever asks may see it."""
    if identity().may(Role.EDITOR):
        return change
    forms = (None if form is None else without_secrets(change.kind, form) for form in (change.before, change.after))
    return Change(change.kind, change.name, *forms)


def shown_entry(entry: Entry) -> Entry:
    """Return an entry of the history as whoever asks may see it."""
    return entry if identity().may(Role.EDITOR) else replace(entry, changes=[*map(shown_change, entry.changes)])
