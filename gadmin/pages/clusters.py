"""The pages of clusters."""

from typing import Final

from gadmin.pages.object_pages import object_pages

blueprint: Final = object_pages("cluster")
