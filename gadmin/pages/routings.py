"""The pages of routings: besides the common ones, a preview beside the form."""

from typing import Final

from gadmin.accounts.roles import Role
from gadmin.pages import previews
from gadmin.pages.object_pages import object_pages
from gadmin.security.guard import needs

blueprint: Final = object_pages("routing")


@blueprint.post("/+preview")
@needs(Role.EDITOR)
def preview() -> str:
    """Return which conditions of the routing of a form hold for a request."""
    return previews.shown("routing")
